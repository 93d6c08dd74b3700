"""Payouts with the real sandbox process and its notifications, and with processes that die."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from pytest_django import Settings

from config.celery import app
from core import clock
from core.models import OutboxStream
from payments import tasks
from payments.models import Payout, PayoutFact
from payments.selectors import balance_minor
from payments.services.payee import payout_hold, payout_release
from payments.services.payout import payout_approve, payout_retry, payout_send
from tests.factories import TESTER, make_merchant
from tests.factories.money import fresh_row
from tests.factories.settlement import (
    ANNA,
    CLOSED_IBAN,
    IBAN,
    SILENT_IBAN,
    approved,
    give_account,
    make_payout,
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


def scheduled(iban: str = IBAN) -> Payout:
    merchant = make_merchant()
    give_account(merchant, iban)
    return make_payout(merchant)


def status(payout: Payout) -> str:
    now: str = fresh_row(payout).status
    return now


def paid_at_channel(channel: Sandbox) -> list[tuple[str, int, str]]:
    with sqlite3.connect(channel.book) as book:
        rows = book.execute("SELECT key, amount_minor, status FROM payout ORDER BY key")
        return rows.fetchall()


def test_an_approved_payout_is_sent_paid_notified_and_booked(
    channel: Sandbox, delivered: Until
) -> None:
    payout = approved(scheduled())
    delivered(lambda: status(payout) == "paid")
    assert paid_at_channel(channel) == [(str(payout.pk), 90_000, "paid")]
    found = channel.get(f"/payouts/{payout.pk}")
    assert (found["iban"], found["holder"]) == (IBAN, "Ada Łukasz & Σία")
    assert fresh_row(payout).channel_ref == found["ref"]
    assert broken() == []


def test_a_closed_account_fails_it_and_another_one_takes_it(
    channel: Sandbox, delivered: Until
) -> None:
    payout = approved(scheduled(CLOSED_IBAN))
    delivered(lambda: status(payout) == "failed")
    assert fresh_row(payout).failure_code == "account_closed"
    assert balance_minor("merchant_payable", "EUR") == -90_000

    give_account(payout.merchant)
    payout_retry(payout_id=payout.pk, actor=ANNA)
    approved(payout)

    delivered(lambda: status(payout) == "paid")
    assert [row[2] for row in paid_at_channel(channel)] == ["failed", "paid"]
    assert broken() == []


def test_what_the_channel_says_nothing_of_is_asked_for_by_the_same_key(
    channel: Sandbox, delivered: Until, settings: Settings, eager: None
) -> None:
    payout = approved(scheduled(SILENT_IBAN))
    delivered(lambda: status(payout) == "sent")
    settings.SANDBOX_ENDPOINT_ID = "gone"
    clock.advance(timedelta(minutes=3))
    tasks.ask_channels()
    assert status(payout) == "sent"
    channel.post("/control/release_payout", key=payout.channel_key)

    tasks.ask_channels()

    assert status(payout) == "paid"
    assert PayoutFact.objects.get().origin == "query"
    assert len(paid_at_channel(channel)) == 1
    assert broken() == []


def test_a_channel_that_was_down_is_asked_when_it_is_back(
    channel: Sandbox, delivered: Until
) -> None:
    payout = scheduled()
    channel.kill()
    approved(payout)
    delivered(lambda: OutboxStream.objects.filter(aggregate_type="payout_channel", attempts__gt=0))
    assert status(payout) == "sent"

    channel.start()

    delivered(lambda: status(payout) == "paid")
    assert len(paid_at_channel(channel)) == 1


def test_what_the_channel_refuses_to_read_has_failed(
    channel: Sandbox, delivered: Until, stubborn: Callable[[int], None]
) -> None:
    payout = scheduled()
    stubborn(403)
    approved(payout)
    delivered(lambda: status(payout) == "failed")
    assert fresh_row(payout).failure_code == "forbidden"


def test_a_hold_after_the_approval_keeps_it_here_until_it_is_released(
    channel: Sandbox, delivered: Until, eager: None
) -> None:
    payout = scheduled()
    payout_approve(payout_id=payout.pk, actor=ANNA)
    merchant_id = payout.merchant_id
    payout_hold(merchant_id=merchant_id, reason="a dispute", until=None, actor=ANNA)
    delivered(lambda: not OutboxStream.objects.filter(aggregate_type="payout", delivered_seq=0))
    tasks.send_payout(payout.pk)
    assert status(payout) == "approved"
    assert paid_at_channel(channel) == []

    payout_release(merchant_id=merchant_id, actor=ANNA)
    tasks.send_payout(payout.pk)

    assert status(payout) == "paid"


def test_a_crash_between_the_channel_and_our_commit_pays_once(
    channel: Sandbox,
    delivered: Until,
    settings: Settings,
    process_environment: dict[str, str],
) -> None:
    payout = approved(scheduled())
    endpoint, settings.SANDBOX_ENDPOINT_ID = settings.SANDBOX_ENDPOINT_ID, "gone"

    for _ in range(2):  # once for the event, once for the stream to the channel
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
    assert status(payout) == "sent"
    assert len(paid_at_channel(channel)) == 1
    OutboxStream.objects.update(lease_until=None)  # as when the lease has run out
    settings.SANDBOX_ENDPOINT_ID = endpoint

    delivered(lambda: status(payout) == "paid")

    assert paid_at_channel(channel) == [(str(payout.pk), 90_000, "paid")]
    assert broken() == []


def test_the_same_key_is_answered_the_same_and_another_amount_is_refused(channel: Sandbox) -> None:
    body = {"key": "k1", "amount_minor": 5, "currency": "EUR", "holder": "Ada", "iban": IBAN}
    first, second = (channel.http.post("/payouts", json=body) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()
    code, refusal = channel.refused("/payouts", **(body | {"amount_minor": 6}))
    assert (code, refusal["error"]) == (409, "key_reused")
    for path in ("/payouts/unknown", "/payouts/"):
        assert channel.http.get(path).status_code == 404
    assert channel.refused("/control/release_payout", key="unknown")[0] == 404
    assert channel.post("/control/release_payout", key="k1")["status"] == "paid"


@pytest.mark.parametrize(
    "wrong", [{"amount_minor": 0}, {"iban": "de89 3704"}, {"holder": ""}, {"currency": "EURO"}]
)
def test_the_channel_refuses_bad_input_by_name(channel: Sandbox, wrong: dict[str, object]) -> None:
    body = {"key": "k2", "amount_minor": 5, "currency": "EUR", "holder": "Ada", "iban": IBAN}
    code, refusal = channel.refused("/payouts", **(body | wrong))
    assert code == 400
    assert refusal["message"].startswith(f"{next(iter(wrong))} must be ")


def test_a_notification_that_came_first_spares_the_call(channel: Sandbox, delivered: Until) -> None:
    """Another worker has sent it; its answer is lost, its notification is not."""
    payout = payout_send(payout_id=approved(scheduled()).pk, actor=TESTER)
    channel.post(
        "/payouts",
        key=payout.channel_key,
        amount_minor=payout.amount_minor,
        currency=payout.currency,
        holder="Ada Łukasz & Σία",
        iban=IBAN,
    )
    delivered(lambda: status(payout) == "paid")
    assert len(paid_at_channel(channel)) == 1
