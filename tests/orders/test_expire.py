"""Expiring: never early, once, and only what is really unpaid."""

from datetime import timedelta

import pytest

from core import clock
from core.models import OutboxEvent
from inventory.models import Reservation, StockItem
from orders.models import OrderGroup, OrderLine
from orders.services.expire import expire_due, order_group_expire
from payments.models import Attempt
from tests.factories import TESTER
from tests.factories.story import (
    capture,
    deliver_events,
    fresh_row,
    make_group,
    make_paid_group,
    payment_of,
    start_payment,
)

pytestmark = pytest.mark.django_db


def expire(group: OrderGroup) -> bool:
    return order_group_expire(group_id=group.id, actor=TESTER)


def test_nothing_expires_before_its_deadline() -> None:
    group = make_group()
    clock.advance(timedelta(minutes=29, seconds=58))
    assert not expire(group)
    assert expire_due() == 0
    assert fresh_row(group).status == "pending_payment"


def test_an_overdue_group_gives_everything_back() -> None:
    group = make_group(orders=2, units=4)
    clock.advance(timedelta(minutes=30))
    assert expire(group)
    assert fresh_row(group).status == "expired"
    assert {order.status for order in group.orders.all()} == {"cancelled"}
    assert payment_of(group).status == "closed"
    assert set(Reservation.objects.values_list("status", flat=True)) == {"released"}
    assert set(StockItem.objects.values_list("on_hand", "reserved")) == {(10, 0)}


def test_expiring_twice_is_quiet() -> None:
    group = make_group()
    clock.advance(timedelta(minutes=30))
    assert expire(group)
    assert not expire(group)


def test_a_paid_group_never_expires() -> None:
    group = make_paid_group()
    clock.advance(timedelta(minutes=31))
    assert not expire(group)
    assert fresh_row(group).status == "paid"


def test_a_group_whose_money_has_come_waits_for_the_event() -> None:
    group = make_group()
    attempt = start_payment(group)
    clock.advance(timedelta(minutes=31))
    capture(attempt)
    assert not expire(group)
    assert expire_due() == 0
    deliver_events()
    assert fresh_row(group).status == "paid"


def test_the_scan_expires_all_that_are_due_and_no_other() -> None:
    due = [make_group(), make_group()]
    clock.advance(timedelta(minutes=15))
    later = make_group()
    clock.advance(timedelta(minutes=15))
    assert expire_due() == 2
    assert {fresh_row(group).status for group in due} == {"expired"}
    assert fresh_row(later).status == "pending_payment"


def test_an_open_attempt_is_asked_to_close_at_the_channel() -> None:
    group = make_group()
    attempt = start_payment(group)
    clock.advance(timedelta(minutes=31))
    expire(group)
    deliver_events()
    asked = OutboxEvent.objects.get(type="channel.close_requested")
    assert asked.object_id == attempt.id
    assert Attempt.objects.get(pk=attempt.pk).is_live  # until the channel answers


def test_an_expired_group_tells_why() -> None:
    group = make_group()
    clock.advance(timedelta(minutes=30))
    expire(group)
    told = OutboxEvent.objects.filter(shard_key=group.shard_key).values_list("type", flat=True)
    assert {"order_group.expired", "order.cancelled", "payment.closed"} <= set(told)


def test_a_group_that_can_not_expire_does_not_stop_the_others() -> None:
    broken, sound = make_group(), make_group()
    line = OrderLine.objects.get(order__group=broken)
    StockItem.objects.filter(sku=line.sku).update(reserved=0)  # somebody wrote behind our back
    clock.advance(timedelta(minutes=30))
    assert expire_due() == 1
    assert fresh_row(sound).status == "expired"
    assert fresh_row(broken).status == "pending_payment"
