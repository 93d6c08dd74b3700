"""Promised money: taken as goods leave, let go where they do not, missed where it lapses."""

from datetime import timedelta

import pytest
from django.db import connection
from pytest_django import Settings

from core import audit, clock
from core.errors import Conflict, Invalid
from core.models import OutboxEvent
from orders.models import Order, OrderGroup
from orders.selectors import completable_order_ids
from orders.services.call_off import Cancellation
from orders.services.cancel import order_cancel, order_group_cancel
from orders.services.capture import order_capture, order_captured, order_group_lapse
from orders.services.complete import order_complete
from orders.services.fulfil import order_deliver, order_ship
from orders.services.refund import order_refund
from payments.models import Capture, Payment, PaymentShare, Refund
from payments.selectors import balance_minor, money_of
from payments.services.capture import capture_request, capture_retry, share_void
from tests.factories import TESTER
from tests.factories.money import in_command, locked_payment, say
from tests.factories.story import (
    BUYER,
    MERCHANT,
    answer_capture,
    authorise,
    capture,
    deliver_events,
    fresh_row,
    make_group,
    make_paid_group,
    make_promised_group,
    only_order,
    pack,
    payment_of,
    ship,
    start_payment,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _later(settings: Settings) -> None:
    settings.PAYMENT_CAPTURE_AT = {"sandbox": "shipment"}


# Mails that no worker sends here, and what was left alone for the days that a test lets pass.
WHAT_AGES = {"inv_19_stuck", "inv_21_outbox_undelivered"}


def broken() -> dict[str, list[tuple[object, ...]]]:
    """Every view of the audit that is not empty once all news have arrived."""
    deliver_events()
    found = {}
    with connection.cursor() as cursor:
        for name in set(audit.views) - WHAT_AGES:
            cursor.execute(f"SELECT * FROM audit.{name}")
            if rows := cursor.fetchall():
                found[name] = rows
    return found


def shipped(order: Order) -> Order:
    ship(order)
    deliver_events()
    return fresh_row(order)


def share_of(order: Order) -> PaymentShare:
    return PaymentShare.objects.get(order_id=order.id)


def sums(order: Order) -> tuple[int, int, int]:
    """Taken, let go and given back of an order's share."""
    share = share_of(order)
    return share.captured_minor, share.voided_minor, share.refunded_minor


def status(row: Order | OrderGroup | Payment | Capture) -> str:
    now: str = fresh_row(row).status
    return now


def test_promised_money_pays_a_group_and_nothing_is_taken() -> None:
    group = make_promised_group(orders=2)
    assert (group.status, group.payment_summary) == ("paid", "authorised")
    assert money_of(group.id).authorised_minor == group.total_minor
    assert balance_minor("channel_clearing", "EUR") == 0
    assert broken() == {}


def test_an_order_s_money_is_taken_once_all_of_it_has_left() -> None:
    group = make_promised_group(orders=2, units=2)
    first, second = group.orders.order_by("id")
    pack(first)
    [line] = first.lines.all()
    order_ship(order_id=first.id, actor=MERCHANT, carrier="manual", quantities={line.id: 1})
    deliver_events()
    assert not Capture.objects.exists()
    order_ship(order_id=first.id, actor=MERCHANT, carrier="manual")
    deliver_events()

    [asked] = Capture.objects.all()
    assert (asked.order_id, asked.amount_minor, asked.is_last) == (
        first.id,
        first.total_minor,
        False,
    )
    answer_capture(first)
    assert sums(first) == (first.total_minor, 0, 0)
    assert sums(second) == (0, 0, 0)
    assert balance_minor("escrow", "EUR", order_id=first.id) == -first.total_minor
    assert broken() == {}
    assert fresh_row(group).payment_summary == "partly_paid"

    shipped(second)
    answer_capture(second)
    assert broken() == {}
    assert fresh_row(group).payment_summary == "paid"
    assert status(payment_of(group)) == "captured"


def test_shipping_heard_of_twice_asks_once() -> None:
    order = shipped(only_order(make_promised_group()))
    order_capture(order_id=order.id, actor=TESTER)
    assert Capture.objects.count() == 1
    answer_capture(order)
    assert order_capture(order_id=order.id, actor=TESTER) == []
    assert sums(order) == (order.total_minor, 0, 0)


def test_an_order_at_home_is_not_asked_for() -> None:
    order = only_order(make_promised_group())
    assert order_capture(order_id=order.id, actor=TESTER) == []


def test_money_taken_at_once_is_not_asked_for_again(settings: Settings) -> None:
    settings.PAYMENT_CAPTURE_AT = {}
    order = shipped(only_order(make_paid_group()))
    assert order_capture(order_id=order.id, actor=TESTER) == []
    assert not Capture.objects.exists()


def test_what_is_not_shipped_is_let_go_and_never_charged() -> None:
    group = make_promised_group(orders=2)
    first, second = group.orders.order_by("id")
    shipped(first)
    answer_capture(first)

    told = order_cancel(order_id=second.id, actor=MERCHANT, reason="sold out")

    assert (told.refund_minor, told.let_go_minor) == (0, second.total_minor)
    assert sums(second) == (0, second.total_minor, 0)
    assert not Refund.objects.exists()
    payment = payment_of(group)
    assert payment.status == "captured"
    ended = OutboxEvent.objects.filter(type="payment.captured").latest("created_at")
    assert ended.payload["open_attempt_id"] == str(payment.attempts.get().id)
    assert broken() == {}
    assert fresh_row(group).payment_summary == "paid"


def test_a_group_that_is_called_off_whole_is_never_charged() -> None:
    group = make_promised_group(orders=2)
    rehearsed = order_group_cancel(group_id=group.id, actor=BUYER, reason="mind", dry_run=True)
    assert money_of(group.id).authorised_minor == group.total_minor
    done = order_group_cancel(group_id=group.id, actor=BUYER, reason="mind")
    assert rehearsed == done
    assert (done.let_go_minor, done.refund_minor) == (group.total_minor, 0)
    assert status(payment_of(group)) == "closed"
    say(payment_of(group).attempts.get(), "closed")
    assert broken() == {}
    assert fresh_row(group).payment_summary == "unpaid"


def test_units_that_are_called_off_are_let_go_and_the_rest_is_taken() -> None:
    order = only_order(make_promised_group(units=3))
    [line] = order.lines.all()
    told = order_cancel(order_id=order.id, actor=BUYER, reason="mind", quantities={line.id: 1})
    assert told == Cancellation(
        order.number, "EUR", {line.id: 1}, 0, 0, is_whole=False, let_go_minor=line.unit_price_minor
    )
    shipped(order)
    answer_capture(order)
    assert sums(order) == (order.total_minor - line.unit_price_minor, line.unit_price_minor, 0)
    assert broken() == {}


def test_the_rest_of_a_parcel_s_order_is_taken_when_its_other_units_are_called_off() -> None:
    order = only_order(make_promised_group(units=2))
    pack(order)
    [line] = order.lines.all()
    order_ship(order_id=order.id, actor=MERCHANT, carrier="manual", quantities={line.id: 1})
    order_cancel(order_id=order.id, actor=MERCHANT, reason="broken")
    deliver_events()
    assert status(order) == "shipped"
    answer_capture(order)
    assert sums(order) == (order.total_minor - line.unit_price_minor, line.unit_price_minor, 0)
    assert broken() == {}


def test_what_was_taken_goes_back_also_after_the_rest_was_let_go() -> None:
    group = make_promised_group(orders=2)
    first, second = group.orders.order_by("id")
    shipped(first)
    answer_capture(first)
    order_cancel(order_id=second.id, actor=MERCHANT, reason="sold out")
    say(payment_of(group).attempts.get(), "closed")

    [refund] = order_refund(
        order_id=first.id, amount_minor=100, reason="scratch", request_key="k", actor=MERCHANT
    ).refunds
    assert refund.attempt == payment_of(group).attempts.get()
    assert sums(first) == (first.total_minor, 0, 100)
    assert broken() == {}


def test_a_capture_that_fails_is_retried_and_completion_waits_for_it() -> None:
    group = make_promised_group()
    order = shipped(only_order(group))
    answer_capture(order, "failed")
    deliver_events()
    order_deliver(order_id=order.id, actor=BUYER)
    clock.advance(timedelta(days=15))
    assert completable_order_ids(most=10) == []
    with pytest.raises(Conflict) as refusal:
        order_complete(order_id=order.id, actor=TESTER)
    assert refusal.value.code == "order.not_captured"
    assert status(order) == "delivered"

    [failed] = Capture.objects.all()
    capture_retry(capture_id=failed.id, actor=TESTER)
    assert fresh_row(failed).channel_key == f"{failed.id}.2"
    answer_capture(order)
    deliver_events()
    assert completable_order_ids(most=10) == [order.id]
    order_complete(order_id=order.id, actor=TESTER)
    assert balance_minor("escrow", "EUR") == 0
    assert broken() == {}


def test_completion_waits_while_the_channel_has_not_answered() -> None:
    order = shipped(only_order(make_promised_group()))
    order_deliver(order_id=order.id, actor=BUYER)
    clock.advance(timedelta(days=15))
    with pytest.raises(Conflict) as refusal:
        order_complete(order_id=order.id, actor=TESTER)
    assert refusal.value.code == "order.not_captured"


def test_more_than_is_promised_cannot_be_let_go_or_taken() -> None:
    group = make_promised_group()
    order, payment = only_order(group), payment_of(group)
    more = order.total_minor + 1
    with pytest.raises(Invalid) as refusal:
        in_command(
            lambda: share_void(
                payment=locked_payment(payment), order_id=order.id, amount_minor=more, actor=TESTER
            )
        )
    assert refusal.value.code == "capture.exceeds_authorised"
    with pytest.raises(Invalid):
        in_command(
            lambda: capture_request(
                payment=locked_payment(payment),
                order_id=order.id,
                amount_minor=more,
                request_key="more",
                actor=TESTER,
            )
        )
    assert sums(order) == (0, 0, 0)


def test_nothing_is_taken_of_money_that_was_never_promised() -> None:
    group = make_group()
    order, payment = only_order(group), payment_of(group)
    with pytest.raises(Conflict) as refusal:
        in_command(
            lambda: capture_request(
                payment=locked_payment(payment),
                order_id=order.id,
                amount_minor=1,
                request_key="one",
                actor=TESTER,
            )
        )
    assert refusal.value.code == "payment.not_authorised"


def test_a_promise_that_lapses_ends_what_has_not_left() -> None:
    group = make_promised_group(orders=3)
    gone, packed, new = group.orders.order_by("id")
    shipped(gone)
    answer_capture(gone)
    pack(packed)

    say(payment_of(group).attempts.get(), "closed")
    deliver_events()

    assert [status(order) for order in (gone, packed, new)] == ["shipped", "cancelled", "cancelled"]
    assert sums(packed) == (0, packed.total_minor, 0)
    [told] = OutboxEvent.objects.filter(type="order.cancelled", object_id=new.id)
    assert told.payload["cause"] == "authorisation lapsed"
    assert broken() == {}


def test_a_promise_that_lapses_after_the_goods_left_stays_owed() -> None:
    group = make_promised_group()
    order = shipped(only_order(group))
    answer_capture(order, "failed")
    say(payment_of(group).attempts.get(), "closed")
    deliver_events()
    assert status(order) == "shipped"
    order_deliver(order_id=order.id, actor=BUYER)
    clock.advance(timedelta(days=15))
    with pytest.raises(Conflict) as refusal:
        order_complete(order_id=order.id, actor=TESTER)
    assert refusal.value.code == "order.not_captured"
    assert order_group_lapse(group_id=group.id, actor=TESTER) == []
    assert broken() == {}


def test_money_that_comes_after_its_promise_lapsed_counts() -> None:
    group = make_promised_group()
    order = shipped(only_order(group))
    say(payment_of(group).attempts.get(), "closed")
    assert status(payment_of(group)) == "closed"
    answer_capture(order)
    assert status(payment_of(group)) == "captured"
    assert sums(order) == (order.total_minor, 0, 0)
    assert broken() == {}


def test_a_promise_that_comes_after_the_group_ended_is_let_go() -> None:
    group = make_group()
    attempt = start_payment(group)
    order_group_cancel(group_id=group.id, actor=BUYER, reason="mind")
    authorise(attempt)
    assert OutboxEvent.objects.filter(type="attempt.close_requested").count() == 1
    say(attempt, "closed")
    assert status(payment_of(group)) == "closed"
    assert broken() == {}


def test_a_promise_that_orders_hear_of_after_they_were_called_off_is_let_go() -> None:
    group = make_group()
    attempt = start_payment(group)
    authorise(attempt)
    order_group_cancel(group_id=group.id, actor=BUYER, reason="mind")
    deliver_events()
    assert fresh_row(group).status == "cancelled"
    assert not Refund.objects.exists()
    say(attempt, "closed")
    assert broken() == {}


def test_a_lapse_of_a_promise_that_nobody_waits_for_changes_nothing() -> None:
    group = make_promised_group()
    assert order_group_lapse(group_id=group.id, actor=TESTER) == []
    assert order_group_lapse(group_id=make_group().id, actor=TESTER) == []


def test_a_channel_that_takes_all_at_once_all_the_same_has_the_money() -> None:
    group = make_group(orders=2)
    attempt = start_payment(group)
    authorise(attempt)
    capture(attempt)
    deliver_events()
    assert fresh_row(group).payment_summary == "paid"
    order = group.orders.order_by("id")[0]
    shipped(order)
    assert not Capture.objects.exists()
    assert broken() == {}


def test_a_capture_heard_of_twice_is_settled_once() -> None:
    order = shipped(only_order(make_promised_group()))
    taken = answer_capture(order)
    for _ in range(2):
        order_captured(order_id=order.id, capture_id=taken.id, actor=TESTER)
    assert not Refund.objects.exists()
