"""Cancelling, before and after payment: everything back, once, or refused by name."""

from datetime import timedelta

import pytest

from accounts.actors import Actor, Role
from core import clock
from core.errors import Conflict, NotFound
from inventory.models import Reservation, StockItem
from orders.services.cancel import order_cancel, order_group_cancel
from orders.services.fulfil import order_ship
from payments.models import Refund
from payments.services.refund import refund_retry, refund_send
from tests.factories import TESTER
from tests.factories.money import say_of_refund
from tests.factories.story import (
    BUYER,
    MERCHANT,
    deliver_events,
    fresh_row,
    make_group,
    make_paid_group,
    only_order,
    pack,
    payment_of,
    ship,
)

STAFF = Actor(Role.STAFF, "test")

pytestmark = pytest.mark.django_db


def test_an_unpaid_group_is_cancelled_with_all_it_holds() -> None:
    group = make_group(orders=2, units=2)
    order_group_cancel(group_id=group.id, actor=BUYER, reason="changed my mind")
    assert fresh_row(group).status == "cancelled"
    assert {order.status for order in group.orders.all()} == {"cancelled"}
    assert payment_of(group).status == "closed"
    assert set(StockItem.objects.values_list("on_hand", "reserved")) == {(10, 0)}
    assert not Refund.objects.exists()


def test_place_and_cancel_leave_the_same_balances() -> None:
    group = make_group(units=2)
    before = list(StockItem.objects.values_list("on_hand", "reserved"))
    order_group_cancel(group_id=group.id, actor=BUYER, reason="undo")
    assert before == [(10, 2)]
    assert list(StockItem.objects.values_list("on_hand", "reserved")) == [(10, 0)]


def test_cancelling_twice_is_quiet() -> None:
    group = make_paid_group()
    for _ in range(2):
        order_group_cancel(group_id=group.id, actor=BUYER, reason="changed my mind")
    assert Refund.objects.count() == 1


def test_a_paid_group_is_cancelled_order_by_order_and_refunded() -> None:
    group = make_paid_group(orders=2)
    order_group_cancel(group_id=group.id, actor=BUYER, reason="changed my mind")
    group = fresh_row(group)
    assert (group.status, group.payment_summary) == ("paid", "refunded")
    orders = {order.id: order.total_minor for order in group.orders.all()}
    assert dict(Refund.objects.values_list("reference", "amount_minor")) == orders
    assert set(Reservation.objects.values_list("status", flat=True)) == {"released"}
    assert payment_of(group).refunded_minor == group.total_minor


def test_one_order_is_cancelled_and_the_other_lives() -> None:
    group = make_paid_group(orders=2)
    gone, stays = group.orders.order_by("id")
    order_cancel(order_id=gone.id, actor=MERCHANT, reason="out of stock")
    assert (fresh_row(gone).status, fresh_row(stays).status) == ("cancelled", "paid")
    assert fresh_row(group).payment_summary == "partly_refunded"
    assert [refund.amount_minor for refund in Refund.objects.all()] == [gone.total_minor]


@pytest.mark.parametrize("step", ["paid", "acknowledged_and_packing"])
def test_an_order_can_be_cancelled_until_it_leaves(step: str) -> None:
    order = only_order(make_paid_group())
    if step != "paid":
        pack(order)
    order_cancel(order_id=order.id, actor=MERCHANT, reason="out of stock")
    assert fresh_row(order).status == "cancelled"


def test_a_shipped_order_is_not_cancelled() -> None:
    group = make_paid_group(orders=2)
    first = group.orders.order_by("id")[0]
    ship(first)
    with pytest.raises(Conflict) as refusal:
        order_group_cancel(group_id=group.id, actor=BUYER, reason="changed my mind")
    assert refusal.value.code == "state.conflict"
    assert not Refund.objects.exists()
    assert {order.status for order in group.orders.all()} == {"shipped", "paid"}


def test_a_partly_shipped_group_is_not_cancelled() -> None:
    group = make_paid_group(units=2)
    order = pack(only_order(group))
    line = order.lines.get()
    order_ship(order_id=order.id, quantities={line.id: 1}, carrier="manual", actor=MERCHANT)
    with pytest.raises(Conflict) as refusal:
        order_group_cancel(group_id=group.id, actor=STAFF, reason="out of stock")
    assert refusal.value.code == "state.conflict"
    assert not Refund.objects.exists()


def test_an_overdue_group_is_expired_not_cancelled() -> None:
    group = make_group()
    clock.advance(timedelta(minutes=31))
    with pytest.raises(Conflict) as refusal:
        order_group_cancel(group_id=group.id, actor=BUYER, reason="changed my mind")
    assert refusal.value.code == "payment.expired"


@pytest.mark.parametrize("id_", [0, 2**40])
def test_what_does_not_exist_can_not_be_cancelled(id_: int) -> None:
    with pytest.raises(NotFound):
        order_cancel(order_id=id_, actor=BUYER, reason="no")
    with pytest.raises(NotFound):
        order_group_cancel(group_id=id_, actor=BUYER, reason="no")


def test_the_summary_follows_a_refund_that_fails_and_is_tried_again() -> None:
    group = make_paid_group()
    order_group_cancel(group_id=group.id, actor=BUYER, reason="changed my mind")
    refund = Refund.objects.get()
    refund_send(refund_id=refund.id, actor=TESTER)
    say_of_refund(refund, "refund_failed")
    deliver_events()
    assert fresh_row(group).payment_summary == "paid"
    refund_retry(refund_id=refund.id, actor=TESTER)
    deliver_events()
    assert fresh_row(group).payment_summary == "refunded"
