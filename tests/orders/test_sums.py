"""Discount and tax as people and programs read them: page, mail, API, before and after placing."""

import pytest
from django.test import Client

from orders.letters import parts_of
from orders.links import link_path
from orders.models import Order
from orders.pricing import VoucherTerms
from orders.selectors.checkout import checkout_view
from orders.services.cancel import order_cancel
from orders.services.checkout import checkout_complete, checkout_update
from orders.services.voucher import cart_voucher_set
from orders.sums import printed
from tests.factories.story import (
    BUYER,
    DELIVERY_MINOR,
    MERCHANT,
    fill_cart,
    make_delivering_merchant,
    make_stocked_sku,
    only_order,
    pay,
)
from tests.factories.taxes import make_rates
from tests.factories.vouchers import voucher_of
from tests.orders.test_tax import place_for

pytestmark = pytest.mark.django_db

ANSWERS = {
    "email": "ada@example.com",
    "name": "Ada",
    "line1": "Am Kai 1",
    "city": "Bremen",
    "postcode": "28195",
    "country": "DE",
}
THIRD = VoucherTerms(code="THIRD", kind="percentage", basis_points=3333)


def sold_for(total_minor: int) -> Order:
    """Three units at 10.00 with a third off, tax on top."""
    make_rates(standard=19, delivery=19)
    merchant = make_delivering_merchant(prices_include_tax=False)
    sku = make_stocked_sku(merchant, price_minor=1000)
    return only_order(place_for([(sku, 3)], total_minor, voucher=THIRD))


TOTAL_MINOR = 3000 - 1000 + 380 + DELIVERY_MINOR + 95


def test_the_checkout_shows_the_total_that_placing_asks_for() -> None:
    make_rates(standard=19)
    sku = make_stocked_sku(make_delivering_merchant(prices_include_tax=False))
    basket = fill_cart([(sku, 2)])
    record = checkout_update(
        cart_id=basket.cart_id,
        answers={**ANSWERS, "country": "FR", "postcode": "75001"},
        actor=BUYER,
    )
    assert checkout_view(record).sums.tax == ""
    record = checkout_update(cart_id=basket.cart_id, answers=ANSWERS, actor=BUYER)
    view = checkout_view(record)
    assert (view.sums.tax, view.total_minor) == ("3.80 EUR", 2380 + DELIVERY_MINOR)
    code = voucher_of(THIRD).code
    cart_voucher_set(cart_id=basket.cart_id, code=code, actor=BUYER)
    view = checkout_view(record)
    assert view.sums.discount == "-6.67 EUR"

    group = checkout_complete(
        token=record.token, expected_total_minor=view.total_minor, actor=BUYER
    )
    assert printed(group, group.currency) == view.sums


def test_the_orders_page_prints_what_stands_between_goods_and_total() -> None:
    order = sold_for(TOTAL_MINOR)
    words = Client().get(link_path(order.group)).content.decode()
    for told in ("-10.00 EUR", "4.75 EUR", "29.75 EUR", "Discount"):
        assert told in words
    assert "Tax included" not in words


def test_a_mail_tells_what_the_units_that_are_left_cost() -> None:
    order = sold_for(TOTAL_MINOR)
    [part] = parts_of(order.group)
    assert (part.sums.discount, part.sums.tax) == ("-10.00 EUR", "4.75 EUR")
    assert part.sums.total == "29.75 EUR"

    pay(order.group)
    line = order.lines.get()
    done = order_cancel(order_id=order.id, quantities={line.id: 2}, actor=MERCHANT, reason="out")
    assert done.refund_minor == 1586  # two thirds of 23.80, rounded down
    [part] = parts_of(order.group)
    assert part.sums.items == "10.00 EUR"
    assert part.sums.total == "13.89 EUR"
    assert part.sums.tax == "2.22 EUR"
    assert part.sums.discount == "-3.33 EUR"
    [part] = parts_of(order.group, as_placed=True)
    assert part.sums.total == "29.75 EUR"
