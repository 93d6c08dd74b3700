"""Promised money from the pay page to the last merchant, with the real sandbox process."""

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta

import pytest
from pytest_django import Settings

from core import audit, clock
from core.models import OutboxStream
from orders.models import Order, OrderGroup
from orders.services.cancel import order_cancel
from orders.services.capture import order_capture
from orders.services.complete import order_complete
from orders.services.fulfil import order_deliver
from orders.services.refund import order_refund
from payments import tasks
from payments.models import Capture, PaymentShare, Refund
from payments.selectors import balance_minor
from tests.concurrency.threads import at_once
from tests.factories import TESTER
from tests.factories.story import (
    BUYER,
    MERCHANT,
    fresh_row,
    make_group,
    payment_of,
    ship,
    start_payment,
)
from tests.payments.test_sandbox_end_to_end import IN_ANOTHER_PROCESS, eager
from tests.sandboxes.conftest import Sandbox

__all__ = ["eager"]  # a fixture

pytestmark = pytest.mark.django_db(transaction=True)

Until = Callable[[Callable[[], object]], object]


@pytest.fixture(autouse=True)
def _later(settings: Settings) -> None:
    settings.PAYMENT_CAPTURE_AT = {"sandbox": "shipment"}


def promised(delivered: Until, orders: int = 1, token: str = "tok_ok") -> OrderGroup:
    """A group whose money the sandbox has authorised, and not taken."""
    group = make_group(orders)
    start_payment(group, token=token)
    delivered(lambda: fresh_row(group).status == "paid")
    return fresh_row(group)


def key_of(group: OrderGroup) -> str:
    return payment_of(group).attempts.get().channel_key


def taken(order: Order) -> int:
    return PaymentShare.objects.get(order_id=order.id).captured_minor


def book(channel: Sandbox) -> list[tuple[str, int]]:
    return [(row["kind"], row["amount_minor"]) for row in channel.get("/transactions")["data"]]


def test_one_merchant_ships_and_the_other_is_never_paid(channel: Sandbox, delivered: Until) -> None:
    group = promised(delivered, orders=2)
    assert channel.get(f"/payments/{key_of(group)}")["status"] == "authorised"
    first, second = group.orders.order_by("id")

    ship(first)
    delivered(lambda: taken(first))
    order_cancel(order_id=second.id, actor=BUYER, reason="mind")
    delivered(lambda: fresh_row(payment_of(group).attempts.get()).status == "closed")

    assert book(channel) == [("capture", first.total_minor)]
    theirs = channel.get(f"/payments/{key_of(group)}")
    assert (theirs["status"], theirs["captured_minor"]) == ("closed", first.total_minor)
    assert balance_minor("channel_clearing", "EUR") == first.total_minor
    assert balance_minor("escrow", "EUR", order_id=first.id) == -first.total_minor
    assert balance_minor("escrow", "EUR", order_id=second.id) == 0
    assert fresh_row(group).payment_summary == "paid"
    assert not Refund.objects.exists()

    order_deliver(order_id=first.id, actor=BUYER)
    clock.advance(timedelta(days=15))
    order_complete(order_id=first.id, actor=TESTER)
    assert balance_minor("escrow", "EUR") == 0
    delivered(lambda: audit.run(final=True) == [])


def test_both_ship_and_the_promise_is_used_up(channel: Sandbox, delivered: Until) -> None:
    group = promised(delivered, orders=2)
    orders = list(group.orders.order_by("id"))
    for order in orders:
        ship(order)
    delivered(lambda: all(taken(order) for order in orders))
    assert book(channel) == [("capture", order.total_minor) for order in orders]
    assert fresh_row(payment_of(group)).status == "captured"
    delivered(lambda: audit.run(final=True) == [])


def test_eight_hands_take_an_order_s_money_once(channel: Sandbox, delivered: Until) -> None:
    group = promised(delivered)
    [order] = group.orders.all()
    ship(order)
    ask = lambda: order_capture(order_id=order.id, actor=TESTER)  # noqa: E731
    assert at_once([ask] * 8) == {"done": 8}
    delivered(lambda: taken(order))
    assert Capture.objects.count() == 1
    assert book(channel) == [("capture", order.total_minor)]
    delivered(lambda: audit.run(final=True) == [])


def test_what_was_taken_goes_back_by_the_same_way(channel: Sandbox, delivered: Until) -> None:
    group = promised(delivered, orders=2)
    first, second = group.orders.order_by("id")
    ship(first)
    delivered(lambda: taken(first))
    order_cancel(order_id=second.id, actor=MERCHANT, reason="sold out")
    [refund] = order_refund(
        order_id=first.id, amount_minor=200, reason="scratch", request_key="k", actor=MERCHANT
    ).refunds
    delivered(lambda: fresh_row(refund).status == "succeeded")
    assert book(channel) == [("capture", first.total_minor), ("refund", 200)]
    assert balance_minor("channel_clearing", "EUR") == first.total_minor - 200
    delivered(lambda: audit.run(final=True) == [])


def test_a_capture_that_fails_is_asked_for_again_by_the_clock(
    channel: Sandbox, delivered: Until
) -> None:
    group = promised(delivered, token="tok_capture_fails_once")
    [order] = group.orders.all()
    ship(order)
    delivered(lambda: Capture.objects.filter(status="failed").exists())
    assert tasks.retry_captures() == 0
    clock.advance(timedelta(minutes=61))
    assert tasks.retry_captures() == 1
    delivered(lambda: taken(order))
    assert (Capture.objects.get().tries, book(channel)) == (2, [("capture", order.total_minor)])
    delivered(lambda: audit.run(final=True) == [])


def test_a_promise_that_the_channel_lets_go_ends_the_order(
    channel: Sandbox, delivered: Until
) -> None:
    group = promised(delivered, orders=2)
    first, second = group.orders.order_by("id")
    ship(first)
    delivered(lambda: taken(first))
    channel.post("/control/lapse", key=key_of(group))
    delivered(lambda: fresh_row(second).status == "cancelled")
    assert fresh_row(first).status == "shipped"
    assert book(channel) == [("capture", first.total_minor)]
    delivered(lambda: audit.run(final=True) == [])


def test_a_lapse_that_nobody_told_is_found_by_asking(
    channel: Sandbox, delivered: Until, settings: Settings, eager: None
) -> None:
    group = promised(delivered)
    [order] = group.orders.all()
    settings.SANDBOX_ENDPOINT_ID = "gone"
    channel.post("/control/lapse", key=key_of(group))
    tasks.ask_channels()
    assert fresh_row(payment_of(group)).status == "authorised"
    since = payment_of(group).attempts.get().status_changed_at
    clock.advance(since + timedelta(hours=6, seconds=5) - clock.now())
    tasks.ask_channels()
    delivered(lambda: fresh_row(order).status == "cancelled")
    assert fresh_row(payment_of(group)).status == "closed"


def test_a_capture_whose_answer_nobody_took_in_is_asked_for(
    channel: Sandbox, delivered: Until, eager: None
) -> None:
    group = promised(delivered)
    [order] = group.orders.all()
    ship(order)
    [asked] = order_capture(order_id=order.id, actor=TESTER)
    channel.post(
        f"/payments/{key_of(group)}/captures",
        key=asked.channel_key,
        amount_minor=asked.amount_minor,
    )
    clock.advance(timedelta(minutes=3))
    tasks.ask_channels()
    assert fresh_row(asked).facts.get().origin == "query"
    assert taken(order) == order.total_minor
    assert book(channel) == [("capture", order.total_minor)]


def test_a_capture_that_the_channel_never_heard_of_is_asked_for_then(
    channel: Sandbox, delivered: Until, eager: None
) -> None:
    group = promised(delivered)
    [order] = group.orders.all()
    ship(order)
    order_capture(order_id=order.id, actor=TESTER)
    clock.advance(timedelta(minutes=3))
    tasks.ask_channels()
    assert taken(order) == order.total_minor


def test_a_crash_between_the_channel_and_our_commit_takes_nothing_twice(
    channel: Sandbox, delivered: Until, process_environment: dict[str, str]
) -> None:
    group = promised(delivered)
    [order] = group.orders.all()
    ship(order)
    environment = {
        **process_environment,
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "PYTHONPATH": os.curdir,
        "SANDBOX_PAYMENT_URL": channel.url,
        "CRASH_AT": "after_channel_before_commit",
    }
    codes: list[int] = []
    while 137 not in codes:
        assert len(codes) < 6, codes
        run = subprocess.run(
            [sys.executable, "-c", IN_ANOTHER_PROCESS], env=environment, check=False
        )
        codes.append(run.returncode)
    assert book(channel) == [("capture", order.total_minor)]
    assert taken(order) == 0
    OutboxStream.objects.update(lease_until=None)  # as when the lease has run out

    delivered(lambda: taken(order))
    assert book(channel) == [("capture", order.total_minor)]
    assert balance_minor("channel_clearing", "EUR") == order.total_minor
    delivered(lambda: audit.run(final=True) == [])
