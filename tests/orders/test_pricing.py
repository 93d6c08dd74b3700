"""What an order costs: discounts, tax and commission, exact to the minor unit."""

from collections.abc import Mapping
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.pricing import Item, Seller, VoucherTerms, order_prices, price_of, totals_of
from tests.orders.carts import check_cart, check_money, draw_cart

PLAIN = Seller(commission_basis_points=1000)


def priced(
    *items: tuple[int, int], voucher: Mapping[str, Any] | None = None, **seller: Any
) -> list[Any]:
    """Single units by merchant and price; every merchant sells by the same terms."""
    terms = Seller(**{"commission_basis_points": 1000, **seller})
    vouchers = [VoucherTerms(code="V", **voucher)] if voucher else []
    rows = [
        Item(merchant_id, 1, price_minor, seller.get("delivery_tax_ppm", 0))
        for merchant_id, price_minor in items
    ]
    return order_prices(rows, {merchant_id: terms for merchant_id, _ in items}, vouchers)


@pytest.mark.parametrize(
    ("total", "discount", "ppm", "contained", "added"),
    [
        (11900, 0, 190_000, 1900, 2261),
        (1000, 0, 190_000, 160, 190),
        (1000, 500, 190_000, 80, 95),
        (1000, 0, 88_750, 82, 89),  # 81.5…, 88.75
        (10, 0, 50_000, 0, 1),  # 0.476…, 0.5
        (105, 0, 50_000, 5, 5),  # 5, 5.25
        (21, 0, 1_000_000, 11, 21),  # 10.5
        (1000, 1000, 190_000, 0, 0),
        (1000, 0, 0, 0, 0),
    ],
)
def test_the_tax_of_a_line_is_a_share_of_what_is_left_of_it_half_up(
    total: int, discount: int, ppm: int, contained: int, added: int
) -> None:
    price = price_of(total, discount_minor=discount, tax_ppm=ppm, includes_tax=True)
    assert (price.tax_minor, price.added_tax_minor) == (contained, 0)
    assert price.payable_minor == total - discount
    price = price_of(total, discount_minor=discount, tax_ppm=ppm, includes_tax=False)
    assert (price.tax_minor, price.added_tax_minor) == (added, added)
    assert price.payable_minor == total - discount + added


def test_tax_on_top_is_of_goods_and_delivery_and_tax_contained_changes_no_total() -> None:
    terms: dict[str, Any] = {"delivery_minor": 500, "delivery_tax_ppm": 200_000}
    [price] = priced((1, 1000), (1, 333), prices_include_tax=False, **terms)
    assert (price.tax_minor, price.added_tax_minor) == (200 + 67 + 100, 200 + 67 + 100)
    assert price.total_minor == 1833 + 367
    [price] = priced((1, 1000), (1, 333), **terms)
    assert (price.tax_minor, price.added_tax_minor) == (167 + 56 + 83, 0)
    assert price.total_minor == 1833


def test_a_percentage_is_rounded_once_and_split_over_orders_and_lines_to_the_unit() -> None:
    ten: dict[str, Any] = {"kind": "percentage", "basis_points": 1000}
    first, second = priced((1, 333), (1, 333), (2, 339), voucher=ten)
    assert [line.discount_minor for line in first.lines] == [34, 33]
    assert [line.discount_minor for line in second.lines] == [34]
    assert first.discount_minor + second.discount_minor == 101  # 100.5, half up


def test_a_fixed_amount_takes_at_most_the_goods() -> None:
    [price] = priced((1, 300), delivery_minor=500, voucher={"kind": "fixed", "amount_minor": 1000})
    assert (price.discount_minor, price.total_minor) == (300, 500)


@pytest.mark.parametrize(("most", "off"), [(0, 1000), (700, 700), (5000, 1000)])
def test_free_delivery_takes_the_delivery_of_all_that_it_touches(most: int, off: int) -> None:
    prices = priced(
        (1, 300),
        (2, 300),
        delivery_minor=500,
        voucher={"kind": "free_delivery", "amount_minor": most},
    )
    assert totals_of(prices).discount_minor == off
    assert [price.delivery.discount_minor for price in prices] == [off // 2, off // 2]
    assert all(line.discount_minor == 0 for price in prices for line in price.lines)


def test_a_merchants_voucher_touches_the_merchants_own_lines() -> None:
    own: dict[str, Any] = {
        "kind": "percentage",
        "basis_points": 5000,
        "merchant_id": 2,
        "funded_by": "merchant",
    }
    first, second = priced((1, 1000), (2, 1000), voucher=own)
    assert (first.discount_minor, second.discount_minor) == (0, 500)
    # Who gives the discount pays no commission of it, and nobody else pays it.
    assert (first.commission_minor, second.commission_minor) == (100, 50)
    assert (first.subsidy_minor, second.subsidy_minor) == (0, 0)


def test_what_the_platform_pays_is_its_subsidy_and_lowers_no_commission() -> None:
    [price] = priced((1, 1000), delivery_minor=500, voucher={"kind": "fixed", "amount_minor": 400})
    assert (price.subsidy_minor, price.commission_minor) == (400, 100)


@pytest.mark.parametrize(("minimum", "off"), [(1000, 100), (1001, 0)])
def test_below_its_minimum_a_voucher_takes_nothing_off(minimum: int, off: int) -> None:
    terms = {"kind": "fixed", "amount_minor": 100, "minimum_minor": minimum}
    assert totals_of(priced((1, 700), (2, 300), voucher=terms)).discount_minor == off


def test_a_second_voucher_takes_of_what_the_first_has_left() -> None:
    half = VoucherTerms(code="HALF", kind="percentage", basis_points=5000)
    [price] = order_prices([Item(1, 1, 1000)], {1: PLAIN}, [half, half])
    assert price.discount_minor == 750


def test_commission_is_of_goods_without_delivery_and_tax_and_its_tax_is_frozen_with_it() -> None:
    terms: dict[str, Any] = {
        "delivery_minor": 500,
        "delivery_tax_ppm": 190_000,
        "commission_tax_ppm": 190_000,
    }
    [contained] = priced((1, 11900), **terms)
    [on_top] = priced((1, 10000), prices_include_tax=False, **terms)
    assert contained.commission_minor == on_top.commission_minor == 1000
    assert contained.commission_tax_minor == on_top.commission_tax_minor == 190


@given(st.data())
def test_any_cart_sums_exactly_and_its_money_goes_back_to_nothing(data: st.DataObject) -> None:
    def draw(low: int, high: int) -> int:
        return data.draw(st.integers(low, high))

    cart = draw_cart(draw)
    prices = cart.prices()
    check_cart(cart, prices)
    for price in prices:
        check_money(price, draw)


def check_carts(carts: int, seed: int) -> None:
    """So many of the same, without shrinking."""
    random = Random(seed).random

    def draw(low: int, high: int) -> int:
        return low + int(random() * (high - low + 1))

    for _ in range(carts):
        cart = draw_cart(draw)
        prices = cart.prices()
        check_cart(cart, prices)
        for price in prices:
            check_money(price, draw)


def test_three_thousand_carts_are_exact() -> None:
    check_carts(3_000, seed=5)


@pytest.mark.long
def test_a_million_carts_are_exact() -> None:
    check_carts(1_000_000, seed=6)
