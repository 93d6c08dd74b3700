"""The shop that the bench buys in: one merchant, many SKUs, endless stock, carts of two lines."""

import secrets
from dataclasses import dataclass

from accounts.actors import system
from accounts.models import Customer
from accounts.services import NewMerchant, customer_for_email, merchant_activate, merchant_create
from catalog.models import Sku
from catalog.services import NewProduct, NewSku, product_create, product_publish
from delivery.services import method_create
from inventory.services import stock_receive
from orders.models import Cart, CartLine, CheckoutRecord, OrderGroup
from orders.services.place import Checkout, order_group_place

BENCH = system("bench")
SKUS = 200
UNITS = 1_000_000
LINES = 2
PRICE_MINOR, DELIVERY_MINOR = 1999, 500
TOTAL_MINOR = LINES * PRICE_MINOR + DELIVERY_MINOR


@dataclass(frozen=True, slots=True)
class Shop:
    """Who buys, and what there is."""

    customer: Customer
    skus: list[Sku]


def build_shop() -> Shop:
    """A merchant with its products on sale, through the services."""
    given = NewMerchant(
        name="Bench", slug="bench", currency="EUR", country="DE", commission_basis_points=1000
    )
    merchant = merchant_create(merchant=given, actor=BENCH)
    merchant_activate(merchant_id=merchant.pk, actor=BENCH)
    method_create(
        merchant_id=merchant.pk,
        code="flat",
        name="Flat",
        kind="flat",
        price_minor=DELIVERY_MINOR,
        actor=BENCH,
    )
    for number in range(SKUS):
        product = product_create(
            product=NewProduct(
                merchant_id=merchant.pk,
                slug=f"bench-{number}",
                title="Bench",
                skus=[NewSku(code=f"B{number}", price_minor=PRICE_MINOR)],
            ),
            actor=BENCH,
        )
        product_publish(product_id=product.pk, actor=BENCH)
    skus = list(Sku.objects.select_related("product").order_by("pk"))
    for sku in skus:
        stock_receive(
            sku_id=sku.pk, location_id=None, quantity=UNITS, dedup_key=f"b{sku.pk}", actor=BENCH
        )
    return Shop(customer_for_email(email="bench@example.com"), skus)


def build_carts(shop: Shop, count: int) -> list[int]:
    """Carts of two lines each, spread over the SKUs; written in bulk, for they are not measured."""
    carts = Cart.objects.bulk_create(
        Cart(customer=shop.customer, currency="EUR") for _ in range(count)
    )
    CartLine.objects.bulk_create(
        CartLine(
            cart=cart,
            sku=shop.skus[(LINES * position + line) % SKUS],
            quantity=1,
            seen_price_minor=PRICE_MINOR,
        )
        for position, cart in enumerate(carts)
        for line in range(LINES)
    )
    return [cart.pk for cart in carts]


def build_checkouts(shop: Shop, count: int) -> list[int]:
    """Checkouts of such carts, with all that a checkout asks."""
    address = {"line1": "Am Markt 1", "city": "Bremen", "postcode": "28195", "country": "DE"}
    records = CheckoutRecord.objects.bulk_create(
        CheckoutRecord(cart_id=cart_id, email=shop.customer.email, name="Bench", address=address)
        for cart_id in build_carts(shop, count)
    )
    return [record.pk for record in records]


def place(cart_id: int) -> OrderGroup:
    """What is measured."""
    checkout = Checkout(
        token=secrets.token_hex(8),
        expected_total_minor=TOTAL_MINOR,
        shipping_address={"name": "Bench", "city": "Bremen", "country": "DE"},
    )
    return order_group_place(cart_id=cart_id, checkout=checkout, actor=BENCH)
