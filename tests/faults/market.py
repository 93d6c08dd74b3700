"""Made-up marketplace data of any size, in the format that the replay reads."""

import csv
import random
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

SELLERS = [f"seller-{number}" for number in range(5)]
PRODUCTS = {f"product-{number}": f"{10 + number}.00" for number in range(4)}
FREIGHT = "7.10"
MOMENT = "2017-01-02 09:00:00"
# Of each ten two are called off after they were paid, one by its buyer, one by its merchants.
STATUSES = (
    *("delivered", "canceled", "delivered", "shipped", "delivered"),
    *("delivered", "unavailable", "approved", "delivered", "processing"),
)
ORDER_COLUMNS = (
    "order_id customer_id order_status order_purchase_timestamp order_approved_at"
    " order_delivered_carrier_date order_delivered_customer_date order_estimated_delivery_date"
)

Row = Sequence[object]


def write_market(folder: Path, *, name: str, orders: int, unpaid: int = 0) -> Path:
    """Writes the files. `name` seeds what is in them; the first `unpaid` orders are left to expire."""
    folder.mkdir()
    ids = [f"{name}-{number}" for number in range(orders)]
    statuses = ["created"] * unpaid + [STATUSES[n % len(STATUSES)] for n in range(orders - unpaid)]
    items = list(_items(ids, random.Random(name)))
    heads = [
        (i, i, status, MOMENT, "", "", "", MOMENT) for i, status in zip(ids, statuses, strict=True)
    ]
    buyers = [(i, f"buyer-{i}", "01001", "são paulo", "SP") for i in ids]
    sheets: dict[str, tuple[str, Iterable[Row]]] = {
        "olist_orders_dataset": (
            ORDER_COLUMNS,
            heads,
        ),
        "olist_customers_dataset": (
            "customer_id customer_unique_id customer_zip_code_prefix customer_city customer_state",
            buyers,
        ),
        "olist_order_items_dataset": (
            "order_id order_item_id product_id seller_id shipping_limit_date price freight_value",
            items,
        ),
        "olist_order_payments_dataset": ("order_id payment_sequential payment_value", []),
        "olist_sellers_dataset": ("seller_id seller_city", [(i, "rio") for i in SELLERS]),
        "olist_products_dataset": (
            "product_id product_category_name product_weight_g",
            [(i, "toys", 250) for i in PRODUCTS],
        ),
        "product_category_name_translation": (
            "product_category_name product_category_name_english",
            [("toys", "toys")],
        ),
    }
    for file, (header, rows) in sheets.items():
        with (folder / f"{file}.csv").open("w", newline="") as sheet:
            csv.writer(sheet).writerows([header.split(), *rows])
    return folder


def _items(ids: Sequence[str], chance: random.Random) -> Iterator[Row]:
    """Of one to three sellers one or two units of a product each."""
    for order_id in ids:
        goods = [
            (product, seller)
            for seller in chance.sample(SELLERS, chance.choice((1, 2, 3)))
            for product in [chance.choice(list(PRODUCTS))] * chance.choice((1, 2))
        ]
        for number, (product, seller) in enumerate(goods, start=1):
            yield order_id, number, product, seller, MOMENT, PRODUCTS[product], FREIGHT
