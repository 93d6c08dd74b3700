"""What shoppers see: only what is published, of merchants that may sell."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import IntegerField, Prefetch, Q, QuerySet, Subquery, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from accounts.models import Merchant
from catalog.models import Category, Product, Sku, TaxRate
from core.errors import NotFound

PRODUCTS_PER_PAGE = 24

Position = tuple[datetime, int]


@dataclass(frozen=True, slots=True)
class ProductPage:
    """Some products, newest first, and where the next ones begin (None at the end)."""

    products: list[Product]
    after: Position | None


def published_products(
    *,
    merchant_id: int | None = None,
    category: Category | None = None,
    after: Position | None = None,
    limit: int = PRODUCTS_PER_PAGE,
) -> ProductPage:
    """One page of the list, its SKUs for sale and pictures fetched with it: three queries.

    A category includes those below it. `after` is what the page before answered.
    """
    rows = published().order_by("-published_at", "-id")
    if merchant_id is not None:
        rows = rows.filter(merchant_id=merchant_id)
    if category is not None:
        rows = rows.filter(category__path__startswith=category.path)
    if after is not None:
        moment, last_id = after
        # The first condition alone lets the index begin at the right place.
        rows = rows.filter(published_at__lte=moment).filter(
            Q(published_at__lt=moment) | Q(id__lt=last_id)
        )
    found = list(rows[: limit + 1])
    products = found[:limit]
    return ProductPage(products, _position(products[-1]) if len(found) > limit else None)


def product_page(*, slug: str) -> Product:
    """The published product with its merchant, category, SKUs for sale and pictures.

    Raises NotFound `product.unknown`.
    """
    product = published().filter(slug=slug).first()
    if product is None:
        raise NotFound("product.unknown", _("There is no such product."), slug=slug)
    return product


def published_product(product_id: int) -> Product | None:
    """The same by its id; None where shoppers can't see it."""
    return published().filter(pk=product_id).first()


def skus_for_sale(sku_ids: Iterable[int]) -> dict[int, Sku]:
    """Those of the SKUs that may be sold now, by id, with product and merchant: one query."""
    return (
        Sku.objects.filter(
            active=True,
            product__published_at__isnull=False,
            product__archived_at=None,
            merchant__state=Merchant.State.ACTIVE,
        )
        .select_related("product", "merchant")
        .in_bulk(list(sku_ids))
    )


def published() -> QuerySet[Product]:
    """What shoppers may see, with merchant, category, SKUs for sale and pictures."""
    for_sale = Sku.objects.filter(active=True).order_by("id")
    return (
        Product.objects.filter(
            published_at__isnull=False,
            archived_at=None,
            merchant__state=Merchant.State.ACTIVE,
        )
        .select_related("merchant", "category")
        .prefetch_related(Prefetch("skus", for_sale), "images")
    )


def _position(product: Product) -> Position:
    assert product.published_at is not None, "only published products stand in the list"
    return product.published_at, product.pk


def tax_ppm(tax_class: Combinable, *, country: str, region: str) -> Coalesce:
    """To annotate rows with the tax of what goes there, in parts per million.

    The region's rate of the class, else the country's, else 0. `tax_class` gives its code.
    """
    rates = TaxRate.objects.filter(
        Q(region="") | Q(region__iexact=region), tax_class=tax_class, country=country
    )
    found = rates.order_by("-region").values("parts_per_million")[:1]
    return Coalesce(Subquery(found), Value(0), output_field=IntegerField())
