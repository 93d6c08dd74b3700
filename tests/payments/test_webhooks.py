"""The sandbox's notifications: only what it signed, once, and only what fits, becomes a fact."""

import base64
import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings
from standardwebhooks import Webhook

from core import clock, relay
from core.models import Hook, OutboxStream
from core.outbox import Postpone
from payments.channels import base
from payments.channels.base import Notice
from payments.channels.sandbox import Sandbox
from payments.models import Attempt, ChannelFact, Chargeback, Refund
from payments.services.hooks import hook_process
from tests.factories import TESTER
from tests.factories.money import (
    fresh_row,
    make_attempt,
    make_captured,
    make_payment,
    make_sent_refund,
    say,
)
from tests.payments.books import broken

pytestmark = pytest.mark.django_db

ENDPOINT = "0f" * 16
OLD_SECRET, SECRET = (
    "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode() for _ in range(2)
)


@pytest.fixture(autouse=True)
def _endpoint(settings: Settings) -> None:
    settings.SANDBOX_ENDPOINT_ID = ENDPOINT
    settings.SANDBOX_PAYMENT_SECRETS = [SECRET, OLD_SECRET]


def notice(subject: Attempt | Refund, kind: object, **members: object) -> dict[str, Any]:
    return {
        "id": f"evt_{secrets.token_hex(8)}",
        "kind": kind,
        "key": subject.channel_key,
        "ref": f"ref_{subject.pk}",
        "amount_minor": subject.amount_minor,
        "currency": subject.currency,
        "at": datetime.now(UTC).isoformat(),
        **members,
    }


def send(
    told: Any,
    *,
    secret: str = SECRET,
    age: timedelta = timedelta(0),
    endpoint: str = ENDPOINT,
    tamper: Callable[[str], str] = str,
    event_id: str = "",
) -> int:
    body = told if isinstance(told, str) else json.dumps(told)
    event_id = event_id or (told["id"] if isinstance(told, dict) else "evt_raw")
    sent = datetime.now(UTC) - age
    answer = Client().post(
        f"/hooks/sandbox/{endpoint}",
        data=tamper(body),
        content_type="application/json",
        headers={
            "webhook-id": event_id,
            "webhook-timestamp": str(int(sent.timestamp())),
            "webhook-signature": Webhook(secret).sign(event_id, sent, body),
        },
    )
    return answer.status_code


def take_in() -> Hook:
    """Processes the one hook that is there, as the relay would."""
    hook = Hook.objects.get()
    return hook_process(hook_id=hook.pk, actor=TESTER)


def test_a_signed_capture_is_stored_answered_and_then_paid() -> None:
    payment = make_payment()
    attempt = make_attempt(payment)

    assert send(notice(attempt, "payment.captured")) == 204
    assert fresh_row(payment).status == "open"

    assert take_in().state == "processed"
    assert fresh_row(payment).status == "captured"
    assert ChannelFact.objects.get().origin == "webhook"
    assert broken() == []


def test_the_secret_of_yesterday_is_good_while_it_is_named() -> None:
    assert send(notice(make_attempt(make_payment()), "payment.failed"), secret=OLD_SECRET) == 204


def test_a_notification_sent_twice_is_stored_once() -> None:
    told = notice(make_attempt(make_payment()), "payment.captured")
    assert [send(told), send(told)] == [204, 204]
    assert Hook.objects.count() == 1


def test_a_notification_under_a_new_id_is_the_same_fact() -> None:
    payment = make_payment()
    attempt = make_attempt(payment)
    for _ in range(2):
        send(notice(attempt, "payment.captured"))
    for hook in Hook.objects.all():
        assert hook_process(hook_id=hook.pk, actor=TESTER).state == "processed"

    assert fresh_row(payment).captured_minor == payment.amount_minor


def test_processing_a_hook_again_is_quiet() -> None:
    payment = make_payment()
    send(notice(make_attempt(payment), "payment.captured"))
    take_in()
    at = Hook.objects.get().processed_at
    assert take_in().processed_at == at


FORGED = {
    "another secret": {"secret": "whsec_" + base64.b64encode(b"0" * 32).decode()},
    "too old": {"age": timedelta(minutes=6)},
    "from the future": {"age": -timedelta(minutes=2)},
    "changed amount": {"tamper": lambda body: body.replace("10000", "10001")},
    "cut short": {"tamper": lambda body: body[:-1]},
}


@pytest.mark.parametrize("how", FORGED.values(), ids=FORGED)
def test_a_forged_or_stale_notification_is_refused_and_leaves_nothing(how: dict[str, Any]) -> None:
    assert send(notice(make_attempt(make_payment()), "payment.captured"), **how) == 400
    assert not Hook.objects.exists()


def test_a_signed_body_that_is_no_json_is_refused() -> None:
    assert send('{"kind": ') == 400
    assert not Hook.objects.exists()


def test_an_unsigned_notification_is_refused() -> None:
    told = notice(make_attempt(make_payment()), "payment.captured")
    answer = Client().post(f"/hooks/sandbox/{ENDPOINT}", data=told, content_type="application/json")
    assert answer.status_code == 400


def test_another_endpoint_is_nowhere() -> None:
    told = notice(make_attempt(make_payment()), "payment.captured")
    assert send(told, endpoint="0e" * 16) == 404


def test_without_an_endpoint_id_there_is_no_endpoint(settings: Settings) -> None:
    settings.SANDBOX_ENDPOINT_ID = ""
    told = notice(make_attempt(make_payment()), "payment.captured")
    assert send(told, endpoint="x") == 404


@pytest.mark.parametrize("channel", ["sandbox_transfer", "barter"])
def test_a_channel_without_an_endpoint_of_its_own_has_none(channel: str) -> None:
    answer = Client().post(f"/hooks/{channel}/{ENDPOINT}", data={})
    assert answer.status_code == 404


def test_the_sandboxs_transfers_are_told_at_its_one_endpoint() -> None:
    payment = make_payment()
    attempt = make_attempt(payment, channel="sandbox_transfer", token="")
    send(notice(attempt, "payment.captured"))
    assert take_in().state == "processed"
    assert fresh_row(payment).status == "captured"


class Telling(Sandbox):
    """Another provider, whose notifications look alike."""


@pytest.fixture
def _other_channel() -> Iterator[None]:
    base.register("other", Telling())
    yield
    del base._channels["other"]


@pytest.mark.usefixtures("_other_channel")
@pytest.mark.parametrize("kind", ["payment.captured", "refund.succeeded", "chargeback.opened"])
def test_a_channel_has_no_say_in_what_is_another_channels(kind: str) -> None:
    payment = make_captured(10000)
    subject: Attempt | Refund = make_attempt(make_payment())
    if kind.startswith("refund"):
        subject = make_sent_refund(payment, 4000)
    send(notice(subject, kind))
    Hook.objects.update(channel="other")

    assert take_in().state == "review"
    assert "hook.other_channel" in Hook.objects.get().note
    assert not subject.facts.exists()


def test_what_a_channel_told_that_is_not_in_use_any_more_is_put_up_for_review() -> None:
    send(notice(make_attempt(make_payment()), "payment.captured"))
    Hook.objects.update(channel="gone")
    assert take_in().state == "review"


def test_reading_the_endpoint_is_not_allowed() -> None:
    assert Client().get(f"/hooks/sandbox/{ENDPOINT}").status_code == 405


def test_a_huge_body_is_refused() -> None:
    told = {**notice(make_attempt(make_payment()), "payment.captured"), "pad": "x" * 300_000}
    assert send(told) == 400
    assert not Hook.objects.exists()


def test_csrf_does_not_stop_a_notification() -> None:
    told = notice(make_attempt(make_payment()), "payment.captured")
    sent = datetime.now(UTC)
    answer = Client(enforce_csrf_checks=True).post(
        f"/hooks/sandbox/{ENDPOINT}",
        data=json.dumps(told),
        content_type="application/json",
        headers={
            "webhook-id": told["id"],
            "webhook-timestamp": str(int(sent.timestamp())),
            "webhook-signature": Webhook(SECRET).sign(told["id"], sent, json.dumps(told)),
        },
    )
    assert answer.status_code == 204


MISFITS: dict[str, dict[str, Any]] = {
    "less": {"amount_minor": 5},
    "more": {"amount_minor": 10001},
    "another currency": {"currency": "VND"},
    "no amount": {"amount_minor": None},
    "a text amount": {"amount_minor": "10000"},
    "a fraction": {"amount_minor": 10000.0},
    "yes": {"amount_minor": True},
    "no reference": {"ref": ""},
    "a reference that no database takes": {"ref": "pay\0"},
    "no key": {"key": None},
}


@pytest.mark.parametrize("misfit", MISFITS.values(), ids=MISFITS)
def test_what_does_not_fit_is_put_up_for_review_and_never_paid(misfit: dict[str, Any]) -> None:
    payment = make_payment(10000)
    send(notice(make_attempt(payment), "payment.captured", **misfit))

    hook = take_in()

    assert hook.state == "review"
    assert Hook.objects.get().note
    assert fresh_row(payment).status == "open"
    assert not ChannelFact.objects.exists()


@pytest.mark.parametrize("body", ["[]", "1", '"text"', "null"])
def test_a_body_that_is_no_object_is_put_up_for_review(body: str) -> None:
    assert send(body) == 204
    assert take_in().state == "review"


@pytest.mark.parametrize("kind", ["payment.requires_action", "dispute.opened", "", None, 7])
def test_a_kind_that_says_nothing_to_us_is_ignored(kind: object) -> None:
    send(notice(make_attempt(make_payment()), kind))
    assert take_in().state == "ignored"


UNKNOWN_KEYS = ["4096", "no number", "12.2", "²", str(2**64), "-1"]


@pytest.mark.parametrize("key", UNKNOWN_KEYS)
def test_an_unknown_payment_waits_ten_minutes_and_is_then_unmatched(key: str) -> None:
    send(notice(make_attempt(make_payment()), "payment.captured", key=key))
    with pytest.raises(Postpone):
        take_in()
    assert Hook.objects.get().state == "received"

    clock.advance(timedelta(minutes=10))
    assert take_in().state == "unmatched"


def test_a_notification_that_was_faster_than_our_commit_is_taken_in_later() -> None:
    payment = make_payment()
    attempt = make_attempt(payment)
    send(notice(attempt, "payment.captured", key="4096"))
    with pytest.raises(Postpone):
        take_in()

    body = json.dumps(notice(attempt, "payment.captured")).encode()
    Hook.objects.update(payload=body)
    assert take_in().state == "processed"


def test_refund_notifications_are_folded_likewise() -> None:
    refund = make_sent_refund(make_captured(10000), 4000)
    send(notice(refund, "refund.succeeded"))

    assert take_in().state == "processed"
    assert fresh_row(refund).status == "succeeded"
    assert broken() == []


@pytest.mark.parametrize("outcome", ["won", "lost"])
def test_dispute_notifications_are_folded_likewise(outcome: str) -> None:
    payment = make_captured(10000)
    attempt = payment.attempts.get()
    for kind in (outcome, "opened", outcome):
        send(notice(attempt, f"chargeback.{kind}", ref="dp_1"))
    for hook in Hook.objects.order_by("pk"):
        assert hook_process(hook_id=hook.pk, actor=TESTER).state == "processed"
    assert Chargeback.objects.get(channel_ref="dp_1").status == outcome
    assert fresh_row(payment).charged_back_minor == (0 if outcome == "won" else 10000)
    assert broken() == []


def test_a_dispute_of_more_than_was_taken_is_put_up_for_review() -> None:
    payment = make_captured(10000)
    send(notice(payment.attempts.get(), "chargeback.opened", amount_minor=10001))
    assert take_in().state == "review"
    assert not Chargeback.objects.exists()
    assert broken() == []


class Naming(Sandbox):
    """A provider that calls payments by its own names alone when it tells of disputes."""

    def notice(self, body: bytes) -> Notice | None:
        told = super().notice(body)
        return replace(told, key="", payment_ref=told.key) if told else None


@pytest.fixture
def _naming(monkeypatch: pytest.MonkeyPatch) -> None:
    known = base._channels["sandbox"]
    monkeypatch.setitem(base._channels, "sandbox", replace(known, channel=Naming()))


@pytest.mark.usefixtures("_naming")
@pytest.mark.parametrize("channel", ["sandbox", "sandbox_transfer"])
def test_a_dispute_finds_its_payment_by_the_name_that_the_channel_gave_it(channel: str) -> None:
    attempt = say(make_attempt(make_payment(), channel=channel), "captured")
    named = attempt.facts.get().channel_ref
    send(notice(attempt, "chargeback.opened", key=named, ref="dp_1"))
    assert take_in().state == "processed"
    assert Chargeback.objects.get().attempt == attempt
    assert broken() == []


@pytest.mark.usefixtures("_naming")
@pytest.mark.parametrize("whose", ["nobody's", "another channel's"])
def test_a_dispute_of_a_payment_that_nobody_here_knows_waits_and_is_unmatched(whose: str) -> None:
    attempt = say(make_attempt(make_payment(), channel="cash_on_delivery"), "captured")
    named = attempt.facts.get().channel_ref
    send(notice(attempt, "chargeback.opened", key=named if whose != "nobody's" else "pi_1"))
    with pytest.raises(Postpone):
        take_in()
    clock.advance(timedelta(minutes=11))
    assert take_in().state == "unmatched"
    assert not Chargeback.objects.exists()


def test_a_refund_notification_of_another_amount_is_put_up_for_review() -> None:
    refund = make_sent_refund(make_captured(10000), 4000)
    send(notice(refund, "refund.failed", amount_minor=1))

    assert take_in().state == "review"
    assert fresh_row(refund).status == "sent"


def test_a_refund_that_comes_through_after_its_money_went_elsewhere_is_put_up_for_review() -> None:
    payment = make_captured(10000)
    refund = make_sent_refund(payment, 6000)
    send(notice(refund, "refund.failed"))
    take_in()
    make_sent_refund(payment, 6000)
    Hook.objects.all().delete()

    send(notice(refund, "refund.succeeded"))

    assert take_in().state == "review"
    assert fresh_row(refund).status == "failed"
    assert fresh_row(payment).refunded_minor == 6000
    assert broken() == []


@pytest.mark.django_db(transaction=True)
def test_the_relay_takes_notifications_in_and_lets_unknown_ones_wait() -> None:
    payment = make_payment()
    send(notice(make_attempt(payment), "payment.captured"))
    send(notice(make_attempt(make_payment()), "payment.captured", key="4096"))

    while relay.deliver(lambda stream_id: None):
        pass

    assert fresh_row(payment).status == "captured"
    assert sorted(Hook.objects.values_list("state", flat=True)) == ["processed", "received"]
    waiting = OutboxStream.objects.get(aggregate_type="hook", delivered_seq=0)
    assert (waiting.attempts, waiting.parked) == (0, False)
