"""Money from the first try to the last refund, with the real sandbox process and its notifications."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta

import httpx
import pytest
from pytest_django import Settings

from config.celery import app
from core import clock
from core.models import OutboxStream
from payments import tasks
from payments.models import Attempt, ChannelFact, Payment, Refund
from payments.selectors import balance_minor
from payments.services.collect import payment_close
from payments.services.refund import refund_retry, refund_send
from tests.factories import TESTER
from tests.factories.money import (
    fresh_row,
    in_command,
    make_attempt,
    make_payment,
    request_refund,
    shares_of,
)
from tests.payments.books import broken
from tests.sandboxes.conftest import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)

Until = Callable[[Callable[[], object]], object]

IN_ANOTHER_PROCESS = """
import django
django.setup()
from core import relay
relay.deliver(relay.deliver_external)
"""


@pytest.fixture
def eager() -> Iterator[None]:
    """Tasks run where they are sent: no worker is needed to ask after an outcome."""
    app.conf.task_always_eager = True
    yield
    app.conf.task_always_eager = False


def close(payment: Payment) -> None:
    in_command(lambda: payment_close(reference=payment.reference, actor=TESTER, reason="timeout"))


def status(row: Attempt | Payment | Refund) -> str:
    now: str = fresh_row(row).status
    return now


def captured(payment: Payment, delivered: Until, token: str = "tok_ok") -> Attempt:
    attempt = make_attempt(payment, token=token)
    delivered(lambda: status(payment) == "captured")
    return attempt


def test_a_payment_is_tried_captured_notified_and_booked(
    channel: Sandbox, delivered: Until
) -> None:
    payment = make_payment(700, 300)
    attempt = captured(payment, delivered)

    assert status(attempt) == "succeeded"
    assert channel.get(f"/payments/{attempt.pk}")["captured_minor"] == 1000
    assert balance_minor("channel_clearing", "EUR") == 1000
    assert balance_minor("escrow", "EUR", order_id=shares_of(payment)[0].order_id) == -700
    assert broken() == []


@pytest.mark.parametrize("token", ["tok_slow", "tok_double_webhook"])
def test_a_slow_or_repeating_channel_pays_once(
    channel: Sandbox, delivered: Until, token: str
) -> None:
    payment = make_payment(1000)
    captured(payment, delivered, token)
    assert fresh_row(payment).captured_minor == 1000
    assert broken() == []


def test_after_a_refusal_the_second_try_pays(channel: Sandbox, delivered: Until) -> None:
    payment = make_payment(1000)
    first = make_attempt(payment, token="tok_insufficient")
    delivered(lambda: status(first) == "failed")
    assert fresh_row(first).failure_code == "insufficient_funds"

    captured(payment, delivered)
    assert status(first) == "failed"
    assert broken() == []


def test_a_token_that_the_channel_does_not_know_fails_the_attempt(
    channel: Sandbox, delivered: Until
) -> None:
    attempt = make_attempt(make_payment(), token="tok_nonsense")
    delivered(lambda: status(attempt) == "failed")
    assert fresh_row(attempt).failure_code == "bad_request"


def test_the_shopper_pays_on_the_channels_page(channel: Sandbox, delivered: Until) -> None:
    payment = make_payment(1000)
    attempt = make_attempt(payment, token="")
    delivered(lambda: status(attempt) == "requires_action")

    page = fresh_row(attempt).action_url
    assert httpx.get(page, trust_env=False).is_success
    assert status(payment) == "open"
    httpx.post(page, data={"button": "pay"}, trust_env=False)

    delivered(lambda: status(payment) == "captured")
    assert broken() == []


def test_a_channel_that_never_answers_is_asked_and_closed(
    channel: Sandbox, delivered: Until, eager: None
) -> None:
    payment = make_payment()
    attempt = make_attempt(payment, token="tok_timeout")
    delivered(lambda: status(attempt) == "processing")
    clock.advance(timedelta(minutes=3))
    tasks.ask_channels()
    assert status(attempt) == "processing"

    close(payment)

    delivered(lambda: status(attempt) == "closed")
    assert status(payment) == "closed"
    assert broken() == []


def test_a_capture_whose_notification_is_lost_is_asked_for(
    channel: Sandbox, delivered: Until, settings: Settings, eager: None
) -> None:
    settings.SANDBOX_ENDPOINT_ID = "gone"
    payment = make_payment()
    attempt = make_attempt(payment)
    delivered(lambda: channel.get(f"/payments/{attempt.pk}")["status"] == "captured")
    assert status(attempt) == "processing"
    tasks.ask_channels()
    assert status(attempt) == "processing"

    clock.advance(timedelta(minutes=3))
    tasks.ask_channels()

    assert status(payment) == "captured"
    assert ChannelFact.objects.get().origin == "query"
    assert broken() == []


def test_a_refund_whose_outcome_nobody_took_in_is_asked_for(
    channel: Sandbox, delivered: Until, eager: None
) -> None:
    payment = make_payment(1000)
    attempt = captured(payment, delivered)
    refund = refund_send(refund_id=request_refund(payment, 400).pk, actor=TESTER)
    channel.post(
        "/refunds", key=refund.channel_key, payment_key=attempt.channel_key, amount_minor=400
    )

    clock.advance(timedelta(minutes=3))
    tasks.ask_channels()

    assert status(refund) == "succeeded"
    assert refund.facts.get().origin == "query"
    assert broken() == []


def test_a_close_that_comes_too_late_learns_of_the_money(
    channel: Sandbox, delivered: Until, settings: Settings
) -> None:
    settings.SANDBOX_ENDPOINT_ID = "gone"
    payment = make_payment()
    attempt = make_attempt(payment)
    delivered(lambda: channel.get(f"/payments/{attempt.pk}")["status"] == "captured")

    close(payment)

    delivered(lambda: status(payment) == "captured")
    assert ChannelFact.objects.get().origin == "answer"
    assert broken() == []


def test_money_after_the_close_is_booked_and_can_go_back(
    channel: Sandbox, delivered: Until
) -> None:
    payment = make_payment(700, 300)
    attempt = make_attempt(payment, token="tok_late_45m")
    delivered(lambda: status(attempt) == "processing")
    close(payment)
    delivered(lambda: status(attempt) == "closed")
    assert status(payment) == "closed"

    channel.post("/control/release", key=attempt.channel_key)
    delivered(lambda: status(payment) == "captured")

    refund = request_refund(payment, 1000, shares=None, request_key=f"late:{payment.pk}")
    delivered(lambda: status(refund) == "succeeded")
    assert balance_minor("channel_clearing", "EUR") == 0
    assert balance_minor("escrow", "EUR") == 0
    assert broken() == []


def test_what_is_called_off_before_the_channel_knows_is_never_charged(
    channel: Sandbox, delivered: Until
) -> None:
    payment = make_payment()
    attempt = make_attempt(payment)
    close(payment)

    delivered(lambda: status(attempt) == "closed")

    assert channel.refused("/payments/" + attempt.channel_key + "/close")[0] == 404
    assert channel.get("/transactions")["data"] == []


def test_a_refund_that_the_channel_refuses_is_flagged_and_can_be_retried(
    channel: Sandbox, delivered: Until
) -> None:
    payment = make_payment(1000)
    captured(payment, delivered, "tok_refund_fails")
    refund = request_refund(payment, 400)
    delivered(lambda: status(refund) == "failed")
    assert fresh_row(payment).refunded_minor == 0

    refund_retry(refund_id=refund.pk, actor=TESTER)

    delivered(lambda: fresh_row(refund).status == "failed" and refund.facts.count() == 2)
    assert channel.get(f"/refunds/{refund.pk}.2")["status"] == "failed"
    assert balance_minor("escrow", "EUR") == -1000
    assert broken() == []


def test_a_channel_that_is_down_is_asked_again_when_it_is_back(
    channel: Sandbox, delivered: Until
) -> None:
    payment = make_payment()
    channel.kill()
    attempt = make_attempt(payment)
    delivered(lambda: OutboxStream.objects.filter(aggregate_type="channel", attempts__gt=0))
    assert status(attempt) == "created"

    channel.start()

    delivered(lambda: status(payment) == "captured")
    assert broken() == []


@pytest.mark.parametrize("crashing", ["attempt", "refund"])
def test_a_crash_between_the_channel_and_our_commit_does_nothing_twice(
    channel: Sandbox, delivered: Until, process_environment: dict[str, str], crashing: str
) -> None:
    payment = make_payment(1000)
    if crashing == "refund":
        captured(payment, delivered)
        request_refund(payment, 400)
    else:
        make_attempt(payment)

    for _ in range(2):  # once for the events, once for the stream to the channel
        run = subprocess.run(
            [sys.executable, "-c", IN_ANOTHER_PROCESS],
            env={
                **process_environment,
                "DJANGO_SETTINGS_MODULE": "config.settings",
                "PYTHONPATH": os.curdir,
                "SANDBOX_PAYMENT_URL": channel.url,
                "CRASH_AT": "after_channel_before_commit",
            },
            check=False,
        )
    assert run.returncode == 137
    OutboxStream.objects.update(lease_until=None)  # as when the lease has run out

    delivered(lambda: status(payment) == "captured")
    if crashing == "refund":
        delivered(lambda: Refund.objects.get().status == "succeeded")
    kinds = [line["kind"] for line in channel.get("/transactions")["data"]]
    assert kinds == (["capture", "refund"] if crashing == "refund" else ["capture"])
    assert broken() == []
