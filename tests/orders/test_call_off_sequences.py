"""Whatever is called off, in whatever order, before and after payment: the books are exact."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.actors import Actor, Role
from core.errors import Conflict
from inventory.models import StockItem
from orders.models import CancelRequest, Order, OrderGroup, OrderLine
from orders.pricing import units_share_minor
from orders.services.cancel import order_cancel, order_group_cancel
from orders.services.fulfil import order_acknowledge, order_ship, order_start_packing
from orders.services.request import (
    cancel_request_approve,
    cancel_request_decline,
    cancel_request_open,
)
from payments.selectors import balance_minor
from tests.audit.plant import broken
from tests.factories.story import (
    BUYER,
    MERCHANT,
    capture,
    deliver_events,
    fresh_row,
    make_delivering_merchant,
    make_stocked_sku,
    payment_of,
    place,
    start_payment,
)

STAFF = Actor(Role.STAFF, "test")
UNITS = 9


@given(
    minor=st.integers(0, 10**9),
    quantity=st.integers(1, 50),
    dice=st.randoms(use_true_random=False),
)
@settings(max_examples=300, derandomize=True)
def test_any_way_through_the_units_of_a_line_ends_at_its_amount(
    minor: int, quantity: int, dice: random.Random
) -> None:
    gone, shares = 0, []
    while gone < quantity:
        units = dice.randint(1, quantity - gone)
        shares.append(units_share_minor(minor=minor, quantity=quantity, gone=gone, units=units))
        assert abs(shares[-1] * quantity - minor * units) < quantity  # never a whole unit off
        gone += units
    assert sum(shares) == minor
    assert min(shares) >= 0


@pytest.mark.parametrize(("gone", "units"), [(-1, 1), (2, -1), (2, 2)])
def test_more_units_than_there_are_have_no_share(gone: int, units: int) -> None:
    with pytest.raises(ValueError, match="units"):
        units_share_minor(minor=100, quantity=3, gone=gone, units=units)


@pytest.mark.django_db
@given(dice=st.randoms(use_true_random=False))
@settings(
    max_examples=12,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_no_way_of_calling_off_loses_a_cent_or_a_unit(dice: random.Random) -> None:
    group = place_anything(dice)
    for _ in range(dice.randint(0, 3)):
        step(dice, group, [call_off_some, call_off_some, call_off_order])
    if fresh_row(group).status == "pending_payment":
        attempt = start_payment(group)
        if dice.random() < 0.1:
            order_group_cancel(group_id=group.id, actor=BUYER, reason="mind")
        capture(attempt)
        deliver_events()
        assert_all(group)
    for _ in range(dice.randint(0, 8)):
        step(dice, group, [call_off_some, call_off_some, call_off_order, go_on, go_on, go_on, ask])
    call_off_rest(group)


def place_anything(dice: random.Random) -> OrderGroup:
    wants = []
    for _ in range(dice.randint(1, 3)):
        seller = make_delivering_merchant(commission_basis_points=dice.randint(0, 3000))
        for _ in range(dice.randint(1, 2)):
            price_minor = dice.choice((1, 333, 1999, dice.randint(1, 10**6)))
            sku = make_stocked_sku(seller, units=UNITS, price_minor=price_minor)
            wants.append((sku, dice.randint(1, 4)))
    return place(wants)


def step(
    dice: random.Random,
    group: OrderGroup,
    steps: list[Callable[[random.Random, Order], None]],
) -> None:
    live = list(group.orders.exclude(status__in=["cancelled", "shipped"]).order_by("id"))
    if live:
        dice.choice(steps)(dice, dice.choice(live))
        deliver_events()
        assert_all(group)


def some_units(dice: random.Random, order: Order) -> dict[int, int]:
    lines = [line for line in order.lines.order_by("id") if line.open_quantity]
    chosen = dice.sample(lines, dice.randint(1, len(lines)))
    return {line.id: dice.randint(1, line.open_quantity) for line in chosen}


def someone(dice: random.Random, order: Order) -> Actor:
    return dice.choice([MERCHANT, STAFF] if order.status == "packing" else [BUYER, MERCHANT, STAFF])


def call_off_some(dice: random.Random, order: Order) -> None:
    chosen: dict[str, Any] = {
        "order_id": order.id,
        "quantities": some_units(dice, order),
        "restock": dice.random() < 0.7,
    }
    actor = someone(dice, order)
    told = order_cancel(**chosen, actor=actor, reason="some", dry_run=True)
    assert order_cancel(**chosen, actor=actor, reason="some") == told


def call_off_order(dice: random.Random, order: Order) -> None:
    order_cancel(order_id=order.id, actor=someone(dice, order), reason="all")


def go_on(dice: random.Random, order: Order) -> None:
    if order.status == "paid":
        order_acknowledge(order_id=order.id, actor=MERCHANT)
    elif order.status == "acknowledged":
        order_start_packing(order_id=order.id, actor=MERCHANT)
    elif order.cancel_requested_until:
        with pytest.raises(Conflict, match=r"cancel\.requested"):
            order_ship(order_id=order.id, actor=MERCHANT)
    else:
        units = some_units(dice, order)
        order_ship(order_id=order.id, actor=MERCHANT, quantities=units, carrier="manual")


def ask(dice: random.Random, order: Order) -> None:
    if order.status != "packing":
        return
    for request in CancelRequest.objects.filter(order=order, status="requested"):
        if dice.random() < 0.5:
            cancel_request_approve(request_id=request.id, actor=MERCHANT)
        else:
            cancel_request_decline(request_id=request.id, answer="no", actor=MERCHANT)
        return
    quantities = None if dice.random() < 0.3 else some_units(dice, order)
    cancel_request_open(order_id=order.id, reason="ask", actor=BUYER, quantities=quantities)


def call_off_rest(group: OrderGroup) -> None:
    """What never left costs nothing in the end: neither goods nor delivery."""
    if fresh_row(group).status != "paid":
        return
    for order in group.orders.exclude(status__in=["cancelled", "shipped"]).order_by("id"):
        order_cancel(order_id=order.id, actor=STAFF, reason="end")
    deliver_events()
    assert_all(group)
    sold = OrderLine.objects.filter(order__group=group).values("sku_id")
    assert not StockItem.objects.filter(sku_id__in=sold, reserved__gt=0).exists()


def assert_all(group: OrderGroup) -> None:
    assert broken(final=True) <= {"inv_21_outbox_undelivered"}  # external streams have no worker
    group = fresh_row(group)
    for order in group.orders.all():
        if group.status == "paid":
            assert_order(order)
    payment = payment_of(group)
    refunded_minor = sum(payment.refunds.values_list("amount_minor", flat=True))
    assert payment.refunded_minor == refunded_minor


def assert_order(order: Order) -> None:
    """What was kept for an order is what its units that are left cost, and delivery unless all went."""
    left_minor = order.delivery_minor if order.status != "cancelled" else 0
    for line in order.lines.all():
        left_minor += line.total_minor - line.unit_price_minor * line.cancelled_quantity
    assert -balance_minor("escrow", order.currency, order_id=order.id) == left_minor
