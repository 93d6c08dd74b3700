"""Reads the whole data and checks it before anything is changed. Amounts are in minor units."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from catalog.models import HEAVIEST_G, HIGHEST_PRICE_MINOR
from orders.management.replay.table import BrokenInput, Row, rows
from orders.management.replay.targets import TARGETS

__all__ = ["BrokenInput", "Buyer", "Line", "Marketplace", "Order", "Product", "Seller", "read"]

ORDERS = "olist_orders_dataset.csv"
ITEMS = "olist_order_items_dataset.csv"
PAYMENTS = "olist_order_payments_dataset.csv"
CUSTOMERS = "olist_customers_dataset.csv"
SELLERS = "olist_sellers_dataset.csv"
PRODUCTS = "olist_products_dataset.csv"
CATEGORIES = "product_category_name_translation.csv"

TIMES_ALWAYS = ("order_purchase_timestamp", "order_estimated_delivery_date")
TIMES_PERHAPS = (
    "order_approved_at",
    "order_delivered_carrier_date",
    "order_delivered_customer_date",
)

SkuKey = tuple[str, str]  # product id, seller id


@dataclass(frozen=True, slots=True)
class Buyer:
    """The person who placed an order, and where it goes; `id` is the same in all their orders."""

    id: str
    postcode: str
    city: str
    region: str


@dataclass(frozen=True, slots=True)
class Seller:
    """Who sells; the data has no names."""

    id: str
    city: str


@dataclass(frozen=True, slots=True)
class Product:
    """What is sold; the category is in English, or as the data has it, or empty."""

    id: str
    category: str
    weight_g: int


@dataclass(frozen=True, slots=True)
class Line:
    """Units of one seller's product at one price."""

    sku: SkuKey
    unit_price_minor: int
    quantity: int


@dataclass(frozen=True, slots=True)
class Order:
    """An order of the data: what its buyer places at once. One that never got items has no lines."""

    id: str
    status: str
    buyer: Buyer
    lines: tuple[Line, ...]
    freight_minor: dict[str, int]  # by seller
    paid_minor: int  # what the data says was paid

    @property
    def total_minor(self) -> int:
        """Items and freight."""
        items_minor = sum(line.quantity * line.unit_price_minor for line in self.lines)
        return items_minor + sum(self.freight_minor.values())

    @property
    def target(self) -> str:
        """The state that it is driven to."""
        return TARGETS[self.status]

    @property
    def has_two_prices(self) -> bool:
        """True where one SKU has several prices: a SKU has one at a time."""
        return len({line.sku for line in self.lines}) < len(self.lines)


@dataclass(frozen=True, slots=True)
class Marketplace:
    """The data: orders in the order of their file, and whom and what they name."""

    orders: tuple[Order, ...]
    sellers: dict[str, Seller]
    products: dict[str, Product]
    units: Counter[SkuKey]  # how many units of each SKU the file sells
    digest: str  # of the items' file: names what was received for it

    def with_items(self, limit: int | None = None) -> list[Order]:
        """The first orders that can be placed."""
        return [order for order in self.orders if order.lines][:limit]


@dataclass(frozen=True, slots=True)
class Item:
    """One unit of an order."""

    sku: SkuKey
    price_minor: int
    freight_minor: int


def read(folder: Path) -> Marketplace:
    """The data of that folder. Raises BrokenInput, which names file, line, column and value."""
    buyers = _buyers(folder / CUSTOMERS)
    sellers = _sellers(folder / SELLERS)
    products = _products(folder / PRODUCTS, _categories(folder / CATEGORIES))
    heads = _heads(folder / ORDERS, buyers)
    items = _items(folder / ITEMS, heads, products, sellers)
    paid_minor = _paid_minor(folder / PAYMENTS, heads)
    return Marketplace(
        orders=tuple(
            _order(row, buyers, items[order_id], paid_minor[order_id])
            for order_id, row in heads.items()
        ),
        sellers=sellers,
        products=products,
        units=Counter(item.sku for parts in items.values() for item in parts),
        digest=hashlib.sha256((folder / ITEMS).read_bytes()).hexdigest()[:16],
    )


def _buyers(path: Path) -> dict[str, Buyer]:
    place = ("customer_zip_code_prefix", "customer_city", "customer_state")
    buyers: dict[str, Buyer] = {}
    for row in rows(path, ("customer_id", "customer_unique_id", *place)):
        buyers[row.new("customer_id", buyers)] = Buyer(
            row.identifier("customer_unique_id"), *(row.text(column) for column in place)
        )
    return buyers


def _sellers(path: Path) -> dict[str, Seller]:
    sellers: dict[str, Seller] = {}
    for row in rows(path, ("seller_id", "seller_city")):
        seller_id = row.new("seller_id", sellers)
        sellers[seller_id] = Seller(seller_id, row.text("seller_city"))
    return sellers


def _categories(path: Path) -> dict[str, str]:
    columns = ("product_category_name", "product_category_name_english")
    return {row.text(columns[0]): row.text(columns[1]) for row in rows(path, columns)}


def _products(path: Path, english: dict[str, str]) -> dict[str, Product]:
    products: dict[str, Product] = {}
    for row in rows(path, ("product_id", "product_category_name", "product_weight_g")):
        product_id = row.new("product_id", products)
        category = row.text("product_category_name")
        weight = "product_weight_g"
        products[product_id] = Product(
            product_id,
            category=english.get(category, category),
            weight_g=row.number(weight, highest=HEAVIEST_G) if row.has(weight) else 0,
        )
    return products


def _heads(path: Path, buyers: dict[str, Buyer]) -> dict[str, Row]:
    """The checked rows of the orders' file."""
    heads: dict[str, Row] = {}
    columns = ("order_id", "customer_id", "order_status", *TIMES_ALWAYS, *TIMES_PERHAPS)
    for row in rows(path, columns):
        row.known("customer_id", buyers)
        row.known("order_status", TARGETS)
        for column in (*TIMES_ALWAYS, *filter(row.has, TIMES_PERHAPS)):
            row.require_moment(column)
        heads[row.new("order_id", heads)] = row
    return heads


def _items(
    path: Path,
    heads: dict[str, Row],
    products: dict[str, Product],
    sellers: dict[str, Seller],
) -> defaultdict[str, list[Item]]:
    items: defaultdict[str, list[Item]] = defaultdict(list)
    names = ("order_id", "order_item_id", "product_id", "seller_id")
    most = {"highest": HIGHEST_PRICE_MINOR}
    for row in _once(path, names[:2], (*names, "shipping_limit_date", "price", "freight_value")):
        row.require_moment("shipping_limit_date")
        items[row.known("order_id", heads)].append(
            Item(
                (row.known("product_id", products), row.known("seller_id", sellers)),
                price_minor=row.amount_minor("price", lowest=1, **most),
                freight_minor=row.amount_minor("freight_value", **most),
            )
        )
    return items


def _paid_minor(path: Path, heads: dict[str, Row]) -> Counter[str]:
    paid_minor: Counter[str] = Counter()
    names = ("order_id", "payment_sequential")
    for row in _once(path, names, (*names, "payment_value")):
        value_minor = row.amount_minor("payment_value", highest=HIGHEST_PRICE_MINOR)
        paid_minor[row.known("order_id", heads)] += value_minor
    return paid_minor


def _once(path: Path, key: tuple[str, str], columns: tuple[str, ...]) -> Iterator[Row]:
    """The rows of a file that numbers what belongs to an order; each number comes once."""
    seen: set[tuple[str, int]] = set()
    for row in rows(path, columns):
        name = row.values[key[0]], row.number(key[1])
        if name in seen:
            raise row.broken(key[1], "comes twice in its order")
        seen.add(name)
        yield row


def _order(row: Row, buyers: dict[str, Buyer], items: list[Item], paid_minor: int) -> Order:
    """Equal items are a quantity; each seller has one parcel."""
    units = Counter((item.sku, item.price_minor) for item in items)
    freight_minor: Counter[str] = Counter()
    for item in items:
        freight_minor[item.sku[1]] += item.freight_minor
    return Order(
        id=row.values["order_id"],
        status=row.values["order_status"],
        buyer=buyers[row.values["customer_id"]],
        lines=tuple(Line(sku, price, quantity) for (sku, price), quantity in units.items()),
        freight_minor=dict(freight_minor),
        paid_minor=paid_minor,
    )
