"""Sets up what the data's orders need: merchants, goods, stock, buyers. In bulk, repeatable."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from django.utils.text import slugify

from accounts.actors import system
from accounts.models import Customer
from accounts.services import NewMerchant, customers_import, merchants_import
from catalog.models import Category, Sku
from catalog.services import NewProduct, NewSku, catalog_import, category_create
from delivery.models import DeliveryMethod
from delivery.services import method_create
from inventory.services import Receipt, stock_receive_many
from orders.management.replay.read import Marketplace, Order, SkuKey
from orders.management.replay.table import CURRENCY

T = TypeVar("T")

REPLAY = system("replay")
AT_ONCE = 1000
COUNTRY = "BR"
COMMISSION_BASIS_POINTS = 1000
METHOD = "quoted"


@dataclass(frozen=True, slots=True)
class Shop:
    """What the data's names have become here. `prices` follows every change of a price."""

    customers: dict[str, Customer]  # by the buyer's id
    merchants: dict[str, int]  # merchant's id by the seller's
    methods: dict[int, int]  # delivery method's id by the merchant's
    skus: dict[SkuKey, int]
    prices: dict[int, int]  # minor units by SKU's id


def set_up(data: Marketplace, orders: Sequence[Order], *, pulse: Callable[[], None]) -> Shop:
    """Everything that these orders need; what is there from an earlier run stays as it is.

    `pulse` is called every now and then.
    """
    first_price: dict[SkuKey, int] = {}
    for order in orders:
        for line in order.lines:
            first_price.setdefault(line.sku, line.unit_price_minor)
    merchants = _merchants(data, sorted({seller_id for _product_id, seller_id in first_price}))
    pulse()
    methods = _methods(list(merchants.values()), pulse)
    categories = _categories({data.products[product_id].category for product_id, _ in first_price})
    goods = [
        _product(data, sku, price_minor, merchants, categories)
        for sku, price_minor in first_price.items()
    ]
    for some in _batches(goods):
        catalog_import(products=some, actor=REPLAY)
        pulse()
    skus, prices = _skus(merchants)
    _receive(data, {key: skus[key] for key in first_price}, pulse)
    customers = _customers({order.buyer.id for order in orders}, pulse)
    return Shop(customers, merchants, methods, skus, prices)


def _merchants(data: Marketplace, seller_ids: Sequence[str]) -> dict[str, int]:
    new = [
        NewMerchant(
            name=f"{seller_id[:8]} ({data.sellers[seller_id].city})",
            slug=seller_id,
            currency=CURRENCY,
            country=COUNTRY,
            commission_basis_points=COMMISSION_BASIS_POINTS,
        )
        for seller_id in seller_ids
    ]
    rows = [row for some in _batches(new) for row in merchants_import(merchants=some, actor=REPLAY)]
    return {row.slug: row.pk for row in rows}


def _methods(merchant_ids: Sequence[int], pulse: Callable[[], None]) -> dict[int, int]:
    known = DeliveryMethod.objects.filter(merchant__in=merchant_ids, code=METHOD)
    methods = dict(known.values_list("merchant_id", "pk"))
    for merchant_id in merchant_ids:
        if merchant_id not in methods:
            methods[merchant_id] = method_create(
                merchant_id=merchant_id,
                code=METHOD,
                name="Carrier",
                kind=DeliveryMethod.Kind.QUOTED,
                actor=REPLAY,
            ).pk
            pulse()
    return methods


def _categories(names: set[str]) -> dict[str, int]:
    """Ids by the data's names. A category that has the address already is the one."""
    slugs = {name: slugify(name.replace("_", " ")) for name in names}
    known = dict(Category.objects.filter(slug__in=slugs.values()).values_list("slug", "pk"))
    for name, slug in sorted(slugs.items()):
        if slug and slug not in known:
            title = name.replace("_", " ").capitalize()
            known[slug] = category_create(name=title, slug=slug, actor=REPLAY).pk
    return {name: known[slug] for name, slug in slugs.items() if slug}


def _product(
    data: Marketplace,
    sku: SkuKey,
    price_minor: int,
    merchants: dict[str, int],
    categories: dict[str, int],
) -> NewProduct:
    """A SKU is a product of a seller; the data has no titles."""
    product_id, seller_id = sku
    product = data.products[product_id]
    title = product.category.replace("_", " ").capitalize() or "Article"
    return NewProduct(
        merchant_id=merchants[seller_id],
        slug=f"{product_id}-{seller_id}",
        title=f"{title} {product_id[:8]}",
        category_id=categories.get(product.category),
        skus=[NewSku(code=product_id, price_minor=price_minor, weight_g=product.weight_g)],
    )


def _skus(merchants: dict[str, int]) -> tuple[dict[SkuKey, int], dict[int, int]]:
    """Ids by the data's names, and the present prices, of all that these merchants sell."""
    sellers = {merchant_id: seller_id for seller_id, merchant_id in merchants.items()}
    rows = Sku.objects.filter(merchant__in=sellers).values_list(
        "code", "merchant_id", "pk", "price_minor"
    )
    skus, prices = {}, {}
    for code, merchant_id, pk, price_minor in rows:
        skus[code, sellers[merchant_id]] = pk
        prices[pk] = price_minor
    return skus, prices


def _receive(data: Marketplace, skus: dict[SkuKey, int], pulse: Callable[[], None]) -> None:
    """Once per SKU and items' file, whichever of its orders are replayed."""
    receipts = [
        Receipt(sku_id=sku_id, quantity=data.units[key], dedup_key=f"olist:{data.digest}:{key[0]}")
        for key, sku_id in skus.items()
    ]
    for some in _batches(receipts):
        stock_receive_many(receipts=some, actor=REPLAY)
        pulse()


def _customers(buyer_ids: set[str], pulse: Callable[[], None]) -> dict[str, Customer]:
    emails = {buyer_id: f"{buyer_id}@olist.invalid".lower() for buyer_id in sorted(buyer_ids)}
    customers: dict[str, Customer] = {}
    for some in _batches(list(emails.values())):
        customers |= {row.email: row for row in Customer.objects.filter(email__in=some)}
        new = [email for email in some if email not in customers]
        customers |= customers_import(emails=new, actor=REPLAY)
        pulse()
    return {buyer_id: customers[email] for buyer_id, email in emails.items()}


def _batches(things: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(things), AT_ONCE):
        yield things[start : start + AT_ONCE]
