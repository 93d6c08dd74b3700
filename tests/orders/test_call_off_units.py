"""Calling off some units: before and after payment, down to the last one, and what it would do."""

from datetime import timedelta
from typing import Any

import pytest

from accounts.actors import Actor, Role
from core import clock
from core.errors import Conflict, Invalid
from core.models import OutboxEvent, StateChange
from delivery.models import Shipment
from inventory.models import Reservation, StockItem, StockMovement
from orders.models import Order, OrderGroup, OrderLine
from orders.services.call_off import Cancellation
from orders.services.cancel import order_cancel, order_group_cancel
from orders.services.complete import order_complete
from orders.services.fulfil import order_deliver, order_ship
from orders.services.refund import order_refund
from payments.channels import sandbox
from payments.channels.base import Answer
from payments.models import Refund
from payments.selectors import balance_minor
from payments.services.collect import attempt_answer_record
from tests.audit.plant import broken
from tests.factories import TESTER
from tests.factories.money import say
from tests.factories.parcels import scan
from tests.factories.story import (
    BUYER,
    DELIVERY_MINOR,
    MERCHANT,
    capture,
    deliver_events,
    fresh_row,
    make_delivering_merchant,
    make_stocked_sku,
    pack,
    pay,
    payment_of,
    place,
    start_payment,
)

pytestmark = pytest.mark.django_db
PRICE = 1000
STAFF = Actor(Role.STAFF, "test")


def make_order(units: int = 3, others: int = 0, **merchant: Any) -> Order:
    """An unpaid order of some units at 10.00, beside orders of other merchants."""
    seller = make_delivering_merchant(**merchant)
    wants = [(make_stocked_sku(seller, price_minor=PRICE), units)]
    wants += [(make_stocked_sku(price_minor=PRICE), 1) for _ in range(others)]
    return place(wants).orders.order_by("id")[0]


def paid(order: Order) -> Order:
    pay(order.group)
    return fresh_row(order)


def line_of(order: Order) -> OrderLine:
    return order.lines.get()


def cut(order: Order, units: int | None, *, actor: Actor = BUYER, **choice: bool) -> Cancellation:
    """That many units of the order's one line; None: all that has not left."""
    quantities = None if units is None else {line_of(order).id: units}
    return order_cancel(
        order_id=order.id, actor=actor, reason="why", quantities=quantities, **choice
    )


def ship_one(order: Order) -> None:
    one = {line_of(order).id: 1}
    order_ship(order_id=order.id, actor=MERCHANT, quantities=one, carrier="manual")


def stock_of(order: Order) -> tuple[int, int]:
    return StockItem.objects.values_list("on_hand", "reserved").get(sku_id=line_of(order).sku_id)


def rows() -> tuple[int, ...]:
    models = (StateChange, OutboxEvent, Refund, StockMovement)
    return tuple(model.objects.count() for model in models)


def test_unpaid_units_are_never_asked_for() -> None:
    order = make_order()
    done = order_cancel(
        order_id=order.id, actor=BUYER, reason="too many", quantities={line_of(order).id: 1}
    )
    assert (done.called_off_minor, done.refund_minor, done.is_whole) == (PRICE, 0, False)
    assert (done.number, done.currency) == (order.number, "EUR")
    order, group = fresh_row(order), fresh_row(order.group)
    assert (order.status, group.status) == ("pending_payment", "pending_payment")
    assert order.called_off_minor == group.called_off_minor == PRICE
    assert payment_of(group).amount_minor == group.payable_minor == 2 * PRICE + DELIVERY_MINOR
    assert stock_of(order) == (10, 2)
    event = OutboxEvent.objects.get(type="order.reduced")
    assert event.payload["units"] == {str(line_of(order).id): 1}
    assert event.payload["called_off_minor"] == PRICE
    assert pay(group).payment_summary == "paid"
    assert payment_of(group).captured_minor == 2 * PRICE + DELIVERY_MINOR
    assert broken() == set()


def test_one_unpaid_order_is_called_off_and_the_other_is_paid() -> None:
    order = make_order(others=1)
    assert cut(order, None) == order_cancel_answer(order, called_off_minor=order.total_minor)
    group = pay(order.group)
    assert {each.status for each in group.orders.all()} == {"cancelled", "paid"}
    assert payment_of(group).captured_minor == group.payable_minor
    assert group.payment_summary == "paid"
    assert broken() == set()


def order_cancel_answer(order: Order, **amounts: int) -> Cancellation:
    """What calling the whole of an order off answers."""
    units = {line.id: line.quantity for line in order.lines.all()}
    sums = {"refund_minor": 0, "called_off_minor": 0, **amounts}
    return Cancellation(order.number, "EUR", units, is_whole=True, **sums)


@pytest.mark.parametrize("actor", [BUYER, MERCHANT, STAFF])
def test_with_the_last_unit_of_its_last_order_an_unpaid_group_is_cancelled(actor: Actor) -> None:
    order = make_order(units=2, others=1)
    other = order.group.orders.latest("id")
    for each, units in ((order, 1), (other, None), (order, 1)):
        cut(each, units, actor=actor)
    group = fresh_row(order.group)
    assert (group.status, payment_of(group).status) == ("cancelled", "closed")
    assert {each.status for each in group.orders.all()} == {"cancelled"}
    assert set(StockItem.objects.values_list("reserved", flat=True)) == {0}
    assert broken() == set()


def test_while_somebody_pays_only_the_whole_group_can_be_called_off() -> None:
    order = make_order()
    start_payment(order.group)
    with pytest.raises(Conflict) as refusal:
        cut(order, 1)
    assert refusal.value.code == "payment.in_progress"
    assert cut(order, None).is_whole
    assert fresh_row(order.group).status == "cancelled"


def test_money_that_has_come_before_its_event_can_not_be_asked_for_less() -> None:
    order = make_order()
    capture(start_payment(order.group))
    with pytest.raises(Conflict) as refusal:
        cut(order, 1)
    assert refusal.value.code == "payment.in_progress"


def test_a_refused_attempt_that_takes_its_money_later_keeps_only_what_is_to_be_paid() -> None:
    order = make_order()
    refused = say(start_payment(order.group), "failed")
    cut(order, 1)
    say(refused, "captured")
    deliver_events()
    group = fresh_row(order.group)
    assert (group.status, group.payment_summary) == ("paid", "paid")
    assert [refund.amount_minor for refund in Refund.objects.all()] == [PRICE]
    assert balance_minor("escrow", "EUR", order_id=order.id) == -group.payable_minor
    assert broken() == set()


@pytest.mark.parametrize("is_whole_order", [False, True])
def test_of_what_is_paid_by_transfer_units_can_be_called_off_all_the_days(
    is_whole_order: bool,
) -> None:
    order = make_order(others=1)
    attempt = start_payment(order.group, channel=sandbox.TRANSFER)
    answer = Answer(
        status="processing", amount_minor=attempt.amount_minor, currency=attempt.currency
    )
    attempt_answer_record(attempt_id=attempt.id, answer=answer, actor=TESTER)
    called_off = cut(order, None if is_whole_order else 1).called_off_minor
    capture(attempt)
    deliver_events()
    group = fresh_row(order.group)
    assert (group.status, group.payment_summary) == ("paid", "paid")
    assert fresh_row(order).status == ("cancelled" if is_whole_order else "paid")
    assert [refund.amount_minor for refund in Refund.objects.all()] == [called_off]
    assert payment_of(group).captured_minor == attempt.amount_minor == group.total_minor
    assert -balance_minor("escrow", "EUR") == group.payable_minor
    assert broken() == set()


def test_the_money_of_a_called_off_group_goes_back_though_its_attempt_was_for_more() -> None:
    order = make_order()
    refused = say(start_payment(order.group), "failed")
    cut(order, 1)
    cut(order, None)
    say(refused, "captured")
    deliver_events()
    assert sum(refund.amount_minor for refund in Refund.objects.all()) == refused.amount_minor
    assert broken() == set()


def test_an_overdue_order_is_not_called_off() -> None:
    order = make_order()
    clock.advance(timedelta(minutes=31))
    with pytest.raises(Conflict) as refusal:
        cut(order, 1)
    assert refusal.value.code == "payment.expired"


def test_paid_units_go_back_one_by_one_and_delivery_with_the_last() -> None:
    order = paid(make_order())
    back = [cut(order, 1).refund_minor for _ in range(3)]
    assert back == [PRICE, PRICE, PRICE + DELIVERY_MINOR]
    assert fresh_row(order).status == "cancelled"
    assert fresh_row(order.group).payment_summary == "refunded"
    keys = {refund.request_key for refund in Refund.objects.all()}
    assert keys == {f"cancel:{order.id}:{gone}" for gone in (1, 2, 3)}
    assert stock_of(order) == (10, 0)
    assert broken() == set()


def test_what_went_back_by_hand_does_not_go_back_again() -> None:
    order = paid(make_order(units=2))
    order_refund(
        order_id=order.id, amount_minor=1800, reason="sorry", request_key="k", actor=MERCHANT
    )
    assert [cut(order, 1).refund_minor for _ in range(2)] == [700, 0]
    assert fresh_row(order).status == "cancelled"
    assert broken() == set()


def test_broken_units_are_taken_off_the_shelf() -> None:
    order = paid(make_order())
    cut(order, 1, actor=MERCHANT, restock=False)
    cut(order, None, actor=MERCHANT, restock=False)
    assert stock_of(order) == (7, 0)
    assert StockMovement.objects.filter(reason="write_off").count() == 2
    assert broken() == set()


def test_what_is_left_of_a_partly_shipped_order_is_called_off_and_it_has_shipped() -> None:
    order = paid(make_order())
    pack(order)
    ship_one(order)
    assert cut(order, 1, actor=MERCHANT).refund_minor == PRICE
    assert fresh_row(order).status == "packing"
    done = cut(order, None, actor=MERCHANT)
    assert (done.refund_minor, done.is_whole) == (PRICE, False)
    assert (fresh_row(order).status, fresh_row(order.group).fulfilment_summary) == (
        "shipped",
        "shipped",
    )
    assert Reservation.objects.get().status == "shipped"
    assert stock_of(order) == (9, 0)
    deliver_events()
    assert broken() == set()


def test_an_order_whose_parcels_have_all_arrived_is_delivered_with_its_last_unit() -> None:
    order = paid(make_order(units=2))
    pack(order)
    ship_one(order)
    scan(Shipment.objects.get(), "delivered")
    deliver_events()
    assert fresh_row(order).status == "packing"
    cut(order, None, actor=MERCHANT)
    assert fresh_row(order).status == "delivered"
    assert fresh_row(order).return_until is not None


@pytest.mark.parametrize("before_payment", [True, False])
def test_commission_is_taken_of_what_is_left(before_payment: bool) -> None:
    order = make_order(units=2, commission_basis_points=1000)
    if before_payment:
        cut(order, 1)
    order = paid(order)
    if not before_payment:
        cut(order, 1)
    pack(order)
    order_ship(order_id=order.id, actor=MERCHANT, carrier="manual")
    order_deliver(order_id=order.id, actor=BUYER)
    clock.advance(timedelta(days=15))
    order_complete(order_id=order.id, actor=TESTER)
    # 10 % of the one unit that is left; of delivery nothing is taken.
    assert balance_minor("commission_income", "EUR", order_id=order.id) == -100
    assert balance_minor("merchant_payable", "EUR", order_id=order.id) == -1400
    deliver_events()
    # For two weeks no worker has sent a mail, nor the refund.
    assert broken() <= {"inv_19_stuck", "inv_21_outbox_undelivered"}


@pytest.mark.parametrize("is_paid", [False, True])
@pytest.mark.parametrize("units", [1, None])
def test_a_rehearsal_says_what_would_happen_and_leaves_nothing(
    is_paid: bool, units: int | None
) -> None:
    order = make_order()
    if is_paid:
        order = paid(order)
    before = rows()
    told = cut(order, units, dry_run=True)
    assert (rows(), stock_of(order)) == (before, (10, 3))
    assert fresh_row(order).version == order.version
    assert cut(order, units) == told


def test_a_group_is_rehearsed_too() -> None:
    group = paid(make_order(others=1)).group
    given: dict[str, Any] = {"group_id": group.id, "actor": BUYER, "reason": "mind"}
    told = order_group_cancel(**given, dry_run=True)
    assert (told.number, told.refund_minor, told.is_whole) == (
        group.number,
        group.total_minor,
        True,
    )
    assert not Refund.objects.exists()
    assert order_group_cancel(**given) == told


@pytest.mark.parametrize("quantities", [{}, {0: 1}, {-1: 0}, {-1: 4}, {-1: -1}])
def test_only_units_that_are_open_can_be_called_off(quantities: dict[int, int]) -> None:
    order = paid(make_order())
    given = {line_of(order).id if id_ < 0 else id_: units for id_, units in quantities.items()}
    with pytest.raises(Invalid) as refusal:
        order_cancel(order_id=order.id, actor=BUYER, reason="why", quantities=given)
    assert refusal.value.code == "cancel.quantity"


def test_of_what_has_left_whole_nothing_can_be_called_off() -> None:
    order = paid(make_order(units=1))
    pack(order)
    ship_one(order)
    for actor, code in ((MERCHANT, "cancel.nothing_open"), (BUYER, "cancel.too_late")):
        with pytest.raises(Conflict) as refusal:
            cut(order, None, actor=actor)
        assert refusal.value.code == code


def test_from_packing_on_a_buyer_can_not_call_a_unit_off() -> None:
    order = pack(paid(make_order()))
    with pytest.raises(Conflict) as refusal:
        cut(order, 1)
    assert refusal.value.code == "cancel.too_late"
    assert cut(order, 1, actor=MERCHANT).refund_minor == PRICE


def test_what_is_called_off_already_is_called_off_quietly() -> None:
    order = paid(make_order())
    cut(order, None)
    done = cut(order, None)
    assert (done.units, done.refund_minor) == ({}, 0)
    group: OrderGroup = order.group
    assert order_group_cancel(group_id=group.id, actor=BUYER, reason="").units == {}
    assert Refund.objects.count() == 1
