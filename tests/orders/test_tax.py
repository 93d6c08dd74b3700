"""Tax of an order: by where it goes, in the price or on top, and what becomes of it afterwards."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from catalog.models import Sku
from core import clock
from core.errors import Conflict, Invalid
from orders.models import Order, OrderGroup
from orders.pricing import VoucherTerms
from orders.services.cancel import order_cancel
from orders.services.complete import order_complete
from orders.services.fulfil import order_deliver
from orders.services.place import order_group_place
from orders.services.refund import order_refund
from orders.services.voucher import cart_voucher_set
from payments.selectors import balance_minor
from tests.audit import plant
from tests.factories import TESTER, fresh
from tests.factories.story import (
    BUYER,
    DELIVERY_MINOR,
    MERCHANT,
    fill_cart,
    fresh_row,
    make_checkout,
    make_delivering_merchant,
    make_stocked_sku,
    only_order,
    pay,
    ship,
)
from tests.factories.taxes import make_rates
from tests.factories.vouchers import voucher_of

pytestmark = pytest.mark.django_db

HELD = ("escrow", "merchant_payable", "commission_income", "tax_payable", "voucher_cost")
NOT_OF_MONEY = ("inv_19", "inv_2", "inv_30")
TEN_PER_CENT = VoucherTerms(code="TEN", kind="percentage", basis_points=1000)


def place_for(
    wants: Sequence[tuple[Sku, int]],
    total_minor: int,
    *,
    voucher: VoucherTerms | None = None,
    **address: str,
) -> OrderGroup:
    """A group that goes to this address, for the total that its shopper has seen."""
    basket = fill_cart(wants)
    checkout = make_checkout(
        basket, expected_total_minor=total_minor, shipping_address={"country": "DE", **address}
    )
    if voucher:
        code = voucher_of(voucher).code
        cart_voucher_set(cart_id=basket.cart_id, code=code, actor=BUYER)
    return order_group_place(cart_id=basket.cart_id, checkout=checkout, actor=BUYER)


def amounts(row: Any, *names: str) -> tuple[int, ...]:
    return tuple(getattr(row, f"{name}_minor") for name in names)


def broken() -> set[str]:
    """What is wrong with money and totals; the clock has run, and nobody has delivered mails."""
    return {name for name in plant.broken() if not name.startswith(NOT_OF_MONEY)}


def held(order: Order) -> dict[str, int]:
    """The order's balances, credit positive, without those of nothing."""
    found = {code: -balance_minor(code, "EUR", order_id=order.id) for code in HELD}
    return {code: minor for code, minor in found.items() if minor}


def completed(order: Order) -> Order:
    ship(order)
    order_deliver(order_id=order.id, actor=BUYER)
    clock.advance(timedelta(days=15))
    return order_complete(order_id=order.id, actor=TESTER)


def refund(order: Order, amount_minor: int) -> None:
    order_refund(
        order_id=order.id,
        amount_minor=amount_minor,
        reason="scratched",
        request_key=fresh("refund-{}"),
        actor=TESTER,
    )


def test_tax_in_the_price_changes_no_total_and_is_kept_by_line_order_and_group() -> None:
    make_rates(standard=19, food=7, delivery=19)
    seller = make_delivering_merchant()
    wants = [
        (make_stocked_sku(seller, price_minor=1190), 1),
        (make_stocked_sku(seller, price_minor=1070, tax_class_id="food"), 2),
    ]
    group = place_for(wants, 1190 + 2140 + DELIVERY_MINOR)
    order = only_order(group)

    lines = list(order.lines.order_by("id"))
    assert [line.tax_ppm for line in lines] == [190_000, 70_000]
    assert [amounts(line, "tax", "added_tax") for line in lines] == [(190, 0), (140, 0)]
    assert (order.delivery_tax_ppm, order.delivery_tax_minor) == (190_000, 80)
    assert amounts(order, "tax", "added_tax") == amounts(group, "tax", "added_tax") == (410, 0)
    assert broken() == set()


def test_tax_on_top_is_paid_with_the_rest() -> None:
    make_rates("US", region="New York", standard=8.875)
    make_rates("US", standard=0.5)
    seller = make_delivering_merchant(prices_include_tax=False)
    wants = [(make_stocked_sku(seller, price_minor=999), 3)]

    group = place_for(wants, 2997 + 266 + DELIVERY_MINOR, country="US", region="new york")
    assert amounts(group, "tax", "added_tax", "total") == (266, 266, 3763)
    group = place_for(wants, 2997 + 15 + DELIVERY_MINOR, country="US", region="Ohio")
    assert amounts(group, "tax", "added_tax") == (15, 15)
    group = place_for(wants, 2997 + DELIVERY_MINOR, country="CA", region="New York")
    assert amounts(group, "tax", "added_tax") == (0, 0)
    assert broken() == set()


def test_a_total_without_the_tax_on_top_is_refused_with_the_new_one() -> None:
    make_rates(standard=19)
    sku = make_stocked_sku(make_delivering_merchant(prices_include_tax=False))
    with pytest.raises(Conflict) as refusal:
        place_for([(sku, 1)], 1000 + DELIVERY_MINOR)
    assert refusal.value.code == "price.changed"
    assert refusal.value.facts["total_minor"] == 1190 + DELIVERY_MINOR


def test_an_order_that_a_discount_pays_for_whole_is_refused_and_changes_nothing() -> None:
    sku = make_stocked_sku(make_delivering_merchant())
    goods = VoucherTerms(code="ALL", kind="fixed", amount_minor=10**6)
    group = place_for([(sku, 1)], DELIVERY_MINOR, voucher=goods)
    assert group.discount_minor == 1000
    sku.merchant.delivery_methods.update(price_minor=0)
    with pytest.raises(Invalid) as refusal:
        place_for([(sku, 1)], 0, voucher=goods)
    assert refusal.value.code == "order.nothing_to_pay"
    assert OrderGroup.objects.count() == 1


def test_a_discount_is_kept_by_line_and_taxed_is_what_is_left() -> None:
    make_rates(standard=19)
    first, second = make_delivering_merchant(), make_delivering_merchant()
    wants = [
        (make_stocked_sku(first, price_minor=1190), 1),
        (make_stocked_sku(second, price_minor=595), 2),
    ]
    group = place_for(wants, 2380 - 238 + 2 * DELIVERY_MINOR, voucher=TEN_PER_CENT)
    orders = list(group.orders.order_by("id"))
    lines = [order.lines.get() for order in orders]

    assert [amounts(line, "discount", "tax") for line in lines] == [(119, 171), (119, 171)]
    assert [amounts(order, "discount", "subsidy") for order in orders] == [(119, 119)] * 2
    # 10 % of what is left with the platform's part, without the tax that is contained in it
    assert [order.commission_minor for order in orders] == [102, 102]
    assert broken() == set()


def test_units_that_are_called_off_give_back_their_price_less_discount_plus_tax() -> None:
    make_rates(standard=10, delivery=10)
    seller = make_delivering_merchant(prices_include_tax=False)
    total_minor = 3000 - 300 + 270 + DELIVERY_MINOR + 50
    group = place_for(
        [(make_stocked_sku(seller, price_minor=1000), 3)], total_minor, voucher=TEN_PER_CENT
    )
    order = only_order(pay(group))
    line = order.lines.get()

    done = order_cancel(order_id=order.id, quantities={line.id: 1}, actor=MERCHANT, reason="out")
    assert done.refund_minor == 990
    done = order_cancel(order_id=order.id, actor=MERCHANT, reason="out")
    assert done.refund_minor == total_minor - 990
    assert held(order) == {}
    assert broken() == set()


def test_completion_pays_the_merchant_what_is_left_and_the_subsidy_less_commission_and_its_tax() -> (
    None
):
    make_rates(standard=19)
    seller = make_delivering_merchant(commission_tax_ppm=190_000)
    group = place_for(
        [(make_stocked_sku(seller, price_minor=11900), 1)],
        10710 + DELIVERY_MINOR,
        voucher=TEN_PER_CENT,
    )
    order = only_order(pay(group))
    assert amounts(order, "subsidy", "commission", "commission_tax") == (1190, 1019, 194)

    completed(order)
    assert held(order) == {
        "merchant_payable": 10710 + DELIVERY_MINOR + 1190 - 1019 - 194,
        "commission_income": 1019,
        "tax_payable": 194,
        "voucher_cost": -1190,
    }
    assert broken() == set()


@pytest.mark.parametrize("before", [[], [3333], [10710]])
@pytest.mark.parametrize("after", [[], [1], [5000, 333], [500]])
def test_any_way_of_giving_all_back_ends_at_nothing(before: list[int], after: list[int]) -> None:
    make_rates(standard=19)
    seller = make_delivering_merchant(commission_tax_ppm=190_000)
    group = place_for(
        [(make_stocked_sku(seller, price_minor=11900), 1)],
        10710 + DELIVERY_MINOR,
        voucher=TEN_PER_CENT,
    )
    order = only_order(pay(group))
    left_minor = order.total_minor
    for amount_minor in before:
        refund(order, amount_minor)
        left_minor -= amount_minor
    completed(order)
    for amount_minor in after:
        if amount_minor < left_minor:
            refund(order, amount_minor)
            left_minor -= amount_minor
        assert sum(held(order).values()) == left_minor
    refund(order, left_minor)
    assert held(order) == {}
    assert broken() == set()


def test_goods_that_were_free_take_their_part_of_the_subsidy_along_when_called_off() -> None:
    seller = make_delivering_merchant()
    free = VoucherTerms(code="ALL", kind="percentage", basis_points=10_000)
    group = place_for(
        [(make_stocked_sku(seller, price_minor=1000), 4)], DELIVERY_MINOR, voucher=free
    )
    order = only_order(pay(group))
    line = order.lines.get()
    done = order_cancel(order_id=order.id, quantities={line.id: 1}, actor=MERCHANT, reason="out")
    assert done.refund_minor == 0
    completed(fresh_row(order))
    assert held(order) == {
        "merchant_payable": DELIVERY_MINOR + 3000 - 300,
        "commission_income": 300,
        "voucher_cost": -3000,
    }
    assert broken() == set()


def test_an_order_of_nothing_beside_a_paid_one_is_paid_by_the_platform() -> None:
    free, paid = make_delivering_merchant(), make_delivering_merchant()
    free.delivery_methods.update(price_minor=0)
    wants = [(make_stocked_sku(free, price_minor=1000), 1), (make_stocked_sku(paid), 1)]
    all_of_it = VoucherTerms(code="ALL", kind="fixed", amount_minor=1000, merchant_id=free.pk)
    group = pay(place_for(wants, 1000 + DELIVERY_MINOR, voucher=all_of_it))
    order = group.orders.get(merchant=free)
    assert (order.total_minor, order.status) == (0, "paid")
    completed(order)
    assert held(order) == {
        "merchant_payable": 900,
        "commission_income": 100,
        "voucher_cost": -1000,
    }
    assert broken() == set()
