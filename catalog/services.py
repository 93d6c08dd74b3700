"""What merchants do with their catalogue: create, publish, reprice, picture."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import uuid4

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.db.models import Max, QuerySet
from django.db.transaction import on_commit
from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor
from accounts.models import Merchant
from accounts.permissions import own, require_platform
from accounts.rows import insert, valid
from catalog.locks import lock_category_tree, lock_product, lock_sku
from catalog.models import HIGHEST_PRICE_MINOR, Category, Product, ProductImage, Sku, TaxClass
from core.clock import now
from core.command import command
from core.errors import Conflict, Invalid, NotFound
from core.ids import gene
from core.outbox import Fact, emit

MOST_TO_IMPORT = 1000
PICTURE_FORMATS = frozenset({"JPEG", "PNG", "WEBP"})
LARGEST_PICTURE_BYTES = 10 * 2**20


@command
def category_create(
    *, name: str, slug: str, actor: Actor, parent_id: int | None = None
) -> Category:
    """A category below its parent, or at the top. Locks the tree. Emits category.created.

    Raises Denied, NotFound `category.unknown`, Invalid `category.invalid`, Conflict
    `category.slug_taken`.
    """
    require_platform(actor)
    lock_category_tree()
    if Category.objects.filter(slug=slug).exists():
        raise Conflict("category.slug_taken", _("Another category has this address."))
    # The tree gives the real place.
    category = valid(Category(name=name, slug=slug, path="-", depth=1))
    if parent_id is None:
        Category.objects.add_root(instance=category)
    else:
        _require_all(Category.objects.all(), {parent_id}, "category.unknown")
        Category.objects.add_child(Category.objects.get(pk=parent_id), instance=category)
    emit(
        [
            Fact(
                stream=("category", category.pk),
                shard_key=gene(category.pk),
                type="category.created",
                object_id=category.pk,
                payload={"category_id": str(category.pk), "actor": str(actor)},
            )
        ]
    )
    return category


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSku:
    """What a SKU starts with; the price is in minor units of the merchant's currency."""

    code: str
    price_minor: int
    title: str = ""
    weight_g: int = 0
    needs_parcel: bool = True
    active: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class NewProduct:
    """What a product starts with; the fields are those of the model."""

    merchant_id: int
    slug: str
    title: str
    skus: Sequence[NewSku]
    description: str = ""
    category_id: int | None = None
    pay_within_minutes: int | None = None
    tax_class_id: str | None = None


@command
def product_create(*, product: NewProduct, actor: Actor) -> Product:
    """A draft with its SKUs. Emits product.created.

    Raises NotFound `merchant.unknown` and `category.unknown`, Invalid `product.invalid`,
    `sku.invalid` and `sku.price`, Conflict `product.slug_taken` and `sku.code_taken`.
    """
    [row] = _create([product], actor, published_at=None)
    emit([_fact(row, "product.created", actor)])
    return row


@command
def catalog_import(*, products: Sequence[NewProduct], actor: Actor) -> list[Product]:
    """Published products of these slugs, in the order given; those that exist stay as they are.

    At most 1,000 at once. Emits product.created and product.published for each new one. Raises
    what `product_create` raises, Invalid `product.too_many`, Conflict `product.no_active_sku`.
    """
    if len(products) > MOST_TO_IMPORT:
        raise Invalid("product.too_many", _("These are too many at once."), most=MOST_TO_IMPORT)
    slugs = [product.slug for product in products]
    known = {row.slug: row for row in own(Product.objects.filter(slug__in=slugs), actor=actor)}
    given = [product for product in products if product.slug not in known]
    for product in given:
        _require_active(any(sku.active for sku in product.skus))
    new = _create(given, actor, published_at=now())
    types = ("product.created", "product.published")
    emit([_fact(row, event_type, actor) for row in new for event_type in types])
    known |= {row.slug: row for row in new}
    return [known[slug] for slug in slugs]


def _create(
    products: Sequence[NewProduct], actor: Actor, *, published_at: datetime | None
) -> list[Product]:
    merchants = own(Merchant.objects.all(), actor=actor, field="pk")
    merchant_ids = {product.merchant_id for product in products}
    _require_all(merchants, merchant_ids, "merchant.unknown")
    category_ids = {product.category_id for product in products} - {None}
    _require_all(Category.objects.all(), category_ids, "category.unknown")
    tax_classes = {product.tax_class_id for product in products} - {None}
    _require_all(TaxClass.objects.all(), tax_classes, "tax_class.unknown")
    merchant_by_id = merchants.in_bulk(merchant_ids)
    pairs = [(product, _product(product, published_at)) for product in products]
    rows = [row for _new, row in pairs]
    insert(rows, code="product.slug_taken", taken=_("Another product has this address."))
    skus = [
        _sku(sku, row, merchant_by_id[row.merchant_id])
        for product, row in pairs
        for sku in product.skus
    ]
    insert(skus, code="sku.code_taken", taken=_("The merchant has another item of this code."))
    return rows


def _require_all(rows: QuerySet[Any], ids: set[Any], code: str) -> None:
    unknown = ids - set(rows.filter(pk__in=ids).values_list("pk", flat=True))
    if unknown:
        raise NotFound(code, _("There is no such thing."), ids=sorted(map(str, unknown)))


def _product(new: NewProduct, published_at: datetime | None) -> Product:
    fields = {name: value for name, value in asdict(new).items() if name != "skus"}
    return valid(Product(**fields, published_at=published_at))


def _sku(new: NewSku, product: Product, merchant: Merchant) -> Sku:
    _require_price(new.price_minor)
    return valid(Sku(**asdict(new), product=product, merchant=merchant, currency=merchant.currency))


def _require_price(price_minor: int) -> None:
    # Strictly an integer: Django would cut 9.5 to 9.
    if type(price_minor) is not int or not 1 <= price_minor <= HIGHEST_PRICE_MINOR:
        raise Invalid(
            "sku.price",
            _("A price is a whole number of minor units, from 1 to a million million."),
            lowest_minor=1,
            highest_minor=HIGHEST_PRICE_MINOR,
        )


def _require_active(found: bool) -> None:
    if not found:
        raise Conflict(
            "product.no_active_sku", _("A product needs an item for sale before it is published.")
        )


@command
def product_publish(*, product_id: int, actor: Actor) -> Product:
    """Shows a product to shoppers; quiet where it is. Locks it. Emits product.published.

    Raises NotFound `product.unknown`, Conflict `product.archived` and `product.no_active_sku`.
    """
    product = lock_product(product_id, actor=actor)
    if product.archived_at:
        raise Conflict("product.archived", _("An archived product can't be published."))
    if product.published_at:
        return product
    _require_active(product.skus.filter(active=True).exists())
    return _set_published(product, now(), "product.published", actor)


@command
def product_unpublish(*, product_id: int, actor: Actor) -> Product:
    """Hides a product from shoppers; quiet where it is. Locks it. Emits product.unpublished.

    Raises NotFound `product.unknown`.
    """
    product = lock_product(product_id, actor=actor)
    if not product.published_at:
        return product
    return _set_published(product, None, "product.unpublished", actor)


def _set_published(
    product: Product, moment: datetime | None, event_type: str, actor: Actor
) -> Product:
    Product.objects.filter(pk=product.pk).update(published_at=moment)
    product.published_at = moment
    emit([_fact(product, event_type, actor)])
    return product


@command
def sku_reprice(*, sku_id: int, price_minor: int, actor: Actor) -> Sku:
    """Sets the price, in minor units of the merchant's currency; quiet where it is that already.

    Carts and open checkouts meet it, placed orders keep theirs. Locks the SKU. Emits sku.repriced
    in the product's stream. Raises Invalid `sku.price`, NotFound `sku.unknown`.
    """
    _require_price(price_minor)
    sku = lock_sku(sku_id, actor=actor)
    previous_minor = sku.price_minor
    if price_minor == previous_minor:
        return sku
    Sku.objects.filter(pk=sku.pk).update(price_minor=price_minor)
    sku.price_minor = price_minor
    prices = {"price_minor": price_minor, "previous_minor": previous_minor}
    emit(
        [
            _fact(
                sku.product,
                "sku.repriced",
                actor,
                sku_id=str(sku.pk),
                currency=sku.currency,
                **prices,
            )
        ]
    )
    return sku


@command
def sku_stop(*, sku_id: int, reason: str, actor: Actor) -> Sku:
    """Takes one item off sale, whatever its product shows; quiet where it is. Locks the SKU.

    Emits sku.stopped in the product's stream. Raises NotFound `sku.unknown`.
    """
    return _set_active(lock_sku(sku_id, actor=actor), False, "sku.stopped", reason, actor)


@command
def sku_resume(*, sku_id: int, reason: str, actor: Actor) -> Sku:
    """Puts an item on sale again; quiet where it is. Locks the SKU. Emits sku.resumed.

    Raises NotFound `sku.unknown`.
    """
    return _set_active(lock_sku(sku_id, actor=actor), True, "sku.resumed", reason, actor)


def _set_active(sku: Sku, active: bool, event_type: str, reason: str, actor: Actor) -> Sku:
    if sku.active != active:
        Sku.objects.filter(pk=sku.pk).update(active=active)
        sku.active = active
        emit([_fact(sku.product, event_type, actor, sku_id=str(sku.pk), reason=reason)])
    return sku


@command
def image_add(
    *, product_id: int, image: "UploadedFile[bytes]", actor: Actor, alt: str = ""
) -> ProductImage:
    """Adds a picture (JPEG, PNG, WebP; at most 10 MB) behind the others. Locks the product.

    Raises NotFound `product.unknown`, Invalid `image.unreadable` and `productimage.invalid`.
    """
    extension = _extension(image)
    product = lock_product(product_id, actor=actor)
    last = product.images.aggregate(last=Max("position"))["last"]
    image.name = f"{uuid4()}.{extension}"  # never the name that a stranger chose
    row = valid(
        ProductImage(
            product=product, image=image, alt=alt, position=0 if last is None else last + 1
        )
    )
    row.save(force_insert=True)
    return row


@command
def image_remove(*, image_id: int, actor: Actor) -> None:
    """Removes a picture and, once that is committed, its file. Quiet where there is none."""
    image = own(ProductImage.objects.filter(pk=image_id), actor=actor, field="product__merchant_id")
    for row in image:
        row.delete()
        on_commit(partial(row.image.delete, save=False))


def _extension(image: "UploadedFile[bytes]") -> str:
    try:
        picture: Any = forms.ImageField().to_python(image)
    except ValidationError:
        picture = None
    if (
        picture is None
        or picture.image.format not in PICTURE_FORMATS
        or picture.size > LARGEST_PICTURE_BYTES
    ):
        raise Invalid(
            "image.unreadable", _("This is not a JPEG, PNG or WebP picture of at most 10 MB.")
        )
    return str(picture.image.format).lower()


def _fact(product: Product, event_type: str, actor: Actor, **payload: Any) -> Fact:
    return Fact(
        stream=("product", product.pk),
        shard_key=gene(product.pk),
        type=event_type,
        object_id=product.pk,
        payload={
            "product_id": str(product.pk),
            "merchant_id": str(product.merchant_id),
            "actor": str(actor),
            **payload,
        },
    )
