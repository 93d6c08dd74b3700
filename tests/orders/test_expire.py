"""Expiring: never early, once, only what is really unpaid, and not before the channel was asked."""

import logging
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core import audit, clock
from core.models import OutboxEvent
from inventory.models import Reservation, StockItem
from orders.models import OrderGroup, OrderLine
from orders.services import expire as expiry
from orders.services.expire import expire_due, order_group_expire, order_groups_expire
from payments.models import Attempt
from tests.factories import TESTER
from tests.factories.money import say
from tests.factories.story import (
    capture,
    deliver_events,
    expire_for_good,
    fresh_row,
    make_group,
    make_paid_group,
    payment_of,
    start_payment,
)

pytestmark = pytest.mark.django_db


def expire(group: OrderGroup) -> bool:
    return order_group_expire(group_id=group.id, actor=TESTER)


def expire_many(*groups: OrderGroup) -> int:
    return order_groups_expire(group_ids=[group.id for group in groups], actor=TESTER)


def status_of(group: OrderGroup) -> str:
    return fresh_row(group).status


def told(event_type: str) -> int:
    return OutboxEvent.objects.filter(type=event_type).count()


def break_stock(group: OrderGroup) -> None:
    """Somebody wrote behind our back: the group can't give back what the counter does not hold."""
    line = OrderLine.objects.get(order__group=group)
    StockItem.objects.filter(sku=line.sku).update(reserved=0)


@pytest.fixture
def frozen(monkeypatch: pytest.MonkeyPatch) -> Callable[[OrderGroup, timedelta], None]:
    """Lets the clock that is read under the lock stand so far from a group's deadline."""

    def freeze(group: OrderGroup, after_deadline: timedelta) -> None:
        monkeypatch.setattr(clock, "now", lambda: group.pay_before + after_deadline)

    return freeze


def test_nothing_expires_before_its_deadline() -> None:
    group = make_group()
    clock.advance(timedelta(minutes=29, seconds=58))
    assert not expire(group)
    assert not expire_many(group)
    assert expire_due() == 0
    assert status_of(group) == "pending_payment"


def test_the_deadline_is_kept_to_the_microsecond(
    frozen: Callable[[OrderGroup, timedelta], None],
) -> None:
    one, other = make_group(), make_group()
    for group, service in ((one, expire), (other, expire_many)):
        frozen(group, -timedelta(microseconds=1))
        assert not service(group)
        frozen(group, timedelta(0))
        assert service(group)


def test_an_overdue_group_gives_everything_back() -> None:
    group = make_group(orders=2, units=4)
    clock.advance(timedelta(minutes=30))
    assert expire(group)
    assert_all_is_back(group)


@pytest.mark.django_db(transaction=True)
def test_a_batch_gives_everything_back() -> None:
    groups = [make_group(orders=2, units=4) for _ in range(3)]
    clock.advance(timedelta(minutes=30))
    assert expire_many(*groups) == 3
    for group in groups:
        assert_all_is_back(group)
    deliver_events()
    assert audit.run() == []


def assert_all_is_back(group: OrderGroup) -> None:
    assert status_of(group) == "expired"
    assert {order.status for order in group.orders.all()} == {"cancelled"}
    assert payment_of(group).status == "closed"
    assert set(Reservation.objects.values_list("status", flat=True)) == {"released"}
    assert set(StockItem.objects.values_list("on_hand", "reserved")) == {(10, 0)}


def test_a_batch_of_twenty_needs_as_many_statements_as_one_of_two() -> None:
    groups = [make_group(orders=2) for _ in range(22)]
    clock.advance(timedelta(minutes=30))
    counted = []
    for batch in (groups[:2], groups[2:]):
        with CaptureQueriesContext(connection) as queries:
            assert expire_many(*batch) == len(batch)
        counted.append(len(queries))
    assert counted[0] == counted[1]


def test_expiring_twice_is_quiet() -> None:
    group = make_group()
    clock.advance(timedelta(minutes=30))
    assert expire(group)
    assert not expire(group)
    assert not expire_many(group)
    assert told("order_group.expired") == 1


def test_a_paid_group_never_expires() -> None:
    group = make_paid_group()
    clock.advance(timedelta(minutes=31))
    assert not expire(group)
    assert not expire_many(group)
    assert status_of(group) == "paid"


def test_a_group_whose_money_has_come_waits_for_the_event() -> None:
    group = make_group()
    attempt = start_payment(group)
    clock.advance(timedelta(minutes=31))
    capture(attempt)
    assert not expire(group)
    assert expire_due() == 0
    deliver_events()
    assert status_of(group) == "paid"


def test_groups_whose_money_has_come_never_hold_up_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(expiry, "SINGLE_GROUPS", 2)
    waiting = [make_group() for _ in range(2)]
    for group in waiting:
        capture(start_payment(group))
    refused = make_group()
    say(start_payment(refused), "failed")
    clock.advance(timedelta(minutes=40))
    expire_due()
    assert status_of(refused) == "expired"
    assert {status_of(group) for group in waiting} == {"pending_payment"}


def test_the_scan_expires_all_that_are_due_and_no_other() -> None:
    due = [make_group(), make_group()]
    clock.advance(timedelta(minutes=15))
    later = make_group()
    clock.advance(timedelta(minutes=15))
    assert expire_due() == 2
    assert {status_of(group) for group in due} == {"expired"}
    assert status_of(later) == "pending_payment"


def test_a_group_that_was_tried_meanwhile_is_left_out_of_a_batch() -> None:
    tried, untried = make_group(), make_group()
    say(start_payment(tried), "failed")
    clock.advance(timedelta(minutes=31))
    assert expire_many(tried, untried) == 1
    assert (status_of(tried), status_of(untried)) == ("pending_payment", "expired")


def test_the_scan_goes_on_until_nothing_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expiry, "BATCH_GROUPS", 2)
    groups = [make_group() for _ in range(5)]
    clock.advance(timedelta(minutes=30))
    assert expire_due() == 5
    assert {status_of(group) for group in groups} == {"expired"}


def test_a_scan_that_takes_too_long_leaves_the_rest_to_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(expiry, "BATCH_GROUPS", 1)
    monkeypatch.setattr(expiry, "SCAN_SECONDS", 0)
    make_group(), make_group()
    clock.advance(timedelta(minutes=30))
    assert [expire_due(), expire_due(), expire_due()] == [1, 1, 0]


def test_a_group_that_can_not_expire_is_found_alone_and_stops_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    groups = [make_group() for _ in range(5)]
    broken = groups[3]
    break_stock(broken)
    clock.advance(timedelta(minutes=30))
    with caplog.at_level(logging.ERROR, logger="core.sweep"):
        assert expire_due() == 4
    assert {status_of(group) for group in groups if group != broken} == {"expired"}
    assert status_of(broken) == "pending_payment"
    assert {record.getMessage() for record in caplog.records} == {f"{broken.id} failed"}


def test_an_open_attempt_is_asked_to_close_before_the_stock_is_let_go() -> None:
    group = make_group()
    attempt = start_payment(group)
    clock.advance(timedelta(minutes=30))
    assert expire(group)
    deliver_events()
    asked = OutboxEvent.objects.get(type="channel.close_requested")
    assert asked.object_id == attempt.id
    assert Attempt.objects.get(pk=attempt.pk).is_live  # until the channel answers
    assert status_of(group) == "expiring"
    assert payment_of(group).status == "open"
    assert set(Reservation.objects.values_list("status", flat=True)) == {"held"}


@pytest.mark.parametrize("answer", ["closed", "failed"])
def test_with_the_channels_answer_the_group_expires(answer: str) -> None:
    group = make_group()
    attempt = start_payment(group)
    clock.advance(timedelta(minutes=30))
    expire(group)
    say(attempt, answer)
    deliver_events()
    assert_all_is_back(group)


def test_a_channel_that_had_taken_the_money_pays_the_expiring_group() -> None:
    group = make_group()
    attempt = start_payment(group)
    clock.advance(timedelta(minutes=30))
    expire(group)
    capture(attempt)
    deliver_events()
    assert status_of(group) == "paid"
    assert set(Reservation.objects.values_list("status", flat=True)) == {"committed"}


def test_a_try_that_fails_in_time_expires_nothing() -> None:
    group = make_group()
    say(start_payment(group), "failed")
    deliver_events()
    assert status_of(group) == "pending_payment"


def test_a_silent_channel_is_waited_for_until_the_hold_limit_and_no_longer() -> None:
    group = make_group()
    start_payment(group)
    clock.advance(timedelta(minutes=30))
    assert [expire_due(), expire_due()] == [1, 0]
    clock.advance(timedelta(minutes=4, seconds=58))
    assert expire_due() == 0
    assert status_of(group) == "expiring"
    clock.advance(timedelta(seconds=2))
    assert expire_due() == 1
    assert_all_is_back(group)


@pytest.mark.django_db(transaction=True)
def test_money_of_an_attempt_that_never_closed_brings_the_group_back() -> None:
    group = make_group()
    attempt = start_payment(group)
    expire_for_good(group)
    capture(attempt)
    deliver_events()
    assert status_of(group) == "paid"
    assert payment_of(group).status == "captured"
    assert audit.run() == []


def test_an_expired_group_tells_why() -> None:
    group = make_group()
    clock.advance(timedelta(minutes=30))
    expire(group)
    told = OutboxEvent.objects.filter(shard_key=group.shard_key).values_list("type", flat=True)
    assert {"order_group.expired", "order.cancelled", "payment.closed"} <= set(told)
