"""Paying: an attempt in time, and what the money does when it arrives."""

from datetime import timedelta

import pytest

from core import clock
from core.errors import Conflict, NotFound
from inventory.models import Reservation, StockItem
from orders.models import OrderGroup
from orders.services.cancel import order_group_cancel
from orders.services.pay import order_group_pay
from payments.models import Refund
from tests.factories import TESTER
from tests.factories.story import (
    BUYER,
    capture,
    deliver_events,
    expire_for_good,
    fresh_row,
    make_group,
    make_paid_group,
    pay,
    payment_of,
    start_payment,
)

pytestmark = pytest.mark.django_db


def statuses(group: OrderGroup) -> tuple[str, set[str]]:
    return fresh_row(group).status, {order.status for order in group.orders.all()}


def test_captured_money_pays_the_group_its_orders_and_its_stock() -> None:
    group = pay(make_group(orders=2, units=3))
    assert statuses(group) == ("paid", {"paid"})
    assert group.payment_summary == "paid"
    assert set(Reservation.objects.values_list("status", flat=True)) == {"committed"}
    assert set(StockItem.objects.values_list("on_hand", "reserved")) == {(10, 3)}


def test_paying_twice_is_quiet() -> None:
    group = make_paid_group()
    version = group.version
    order_group_pay(group_id=group.id, payment_id=payment_of(group).id, actor=TESTER)
    assert fresh_row(group).version == version


def test_a_second_attempt_waits_for_the_first() -> None:
    group = make_group()
    start_payment(group)
    with pytest.raises(Conflict) as refusal:
        start_payment(group)
    assert refusal.value.code == "payment.attempt_open"


def test_an_unknown_group_is_refused() -> None:
    group = OrderGroup(id=2**40)
    with pytest.raises(NotFound):
        start_payment(group)


@pytest.mark.parametrize("minutes", [29.5, 30, 31])
def test_nobody_is_sent_to_pay_too_late(minutes: float) -> None:
    group = make_group()
    clock.advance(timedelta(minutes=minutes))
    with pytest.raises(Conflict) as refusal:
        start_payment(group)
    assert refusal.value.code == "payment.expired"


def test_a_paid_group_can_not_be_paid_again() -> None:
    with pytest.raises(Conflict) as refusal:
        start_payment(make_paid_group())
    assert refusal.value.code == "state.conflict"


def test_money_beats_the_clock_while_the_group_waits() -> None:
    group = make_group()
    attempt = start_payment(group)
    clock.advance(timedelta(hours=1))
    capture(attempt)
    deliver_events()
    assert statuses(group) == ("paid", {"paid"})


def test_money_for_an_expired_group_goes_back_in_full() -> None:
    group = make_group(orders=2)
    attempt = start_payment(group)
    expire_for_good(group)
    capture(attempt)
    deliver_events()
    refund = Refund.objects.get(request_key=f"late:{payment_of(group).id}")
    assert statuses(group) == ("expired", {"cancelled"})
    assert (refund.amount_minor, refund.status) == (group.total_minor, "approved")
    assert fresh_row(group).payment_summary == "refunded"


def test_money_for_a_cancelled_group_goes_back_once() -> None:
    group = make_group()
    attempt = start_payment(group)
    order_group_cancel(group_id=group.id, actor=BUYER, reason="changed my mind")
    capture(attempt)
    capture(attempt, origin="query")
    deliver_events()
    order_group_pay(group_id=group.id, payment_id=payment_of(group).id, actor=TESTER)
    assert [refund.amount_minor for refund in Refund.objects.all()] == [group.total_minor]
