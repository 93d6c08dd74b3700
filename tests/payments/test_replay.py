"""Notifications processed once more: after the cause was mended, and without harm at any time."""

import json
from datetime import datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from core import clock, relay
from core.errors import Conflict, Invalid, NotFound
from core.hooks import hook_store
from core.intervene import hook_replay
from core.models import Hook, OutboxEvent, OutboxIntervention
from payments.models import Attempt, ChannelFact
from tests.factories.money import fresh_row, make_attempt, make_payment
from tests.payments.books import broken

pytestmark = pytest.mark.django_db(transaction=True)

STAFF = "staff:ada"


def stored(attempt: Attempt, event_id: str = "evt_1", **members: Any) -> Hook:
    """A capture's notification, in the inbox."""
    notice = {
        "kind": "payment.captured",
        "key": attempt.channel_key,
        "ref": f"ref_{attempt.pk}",
        "amount_minor": attempt.amount_minor,
        "currency": attempt.currency,
        **members,
    }
    hook_store(
        channel="sandbox",
        event_id=event_id,
        payload=json.dumps(notice).encode(),
        headers={},
        event_type="payment_hook.received",
    )
    return Hook.objects.get(event_id=event_id)


def deliver() -> None:
    while relay.deliver(lambda stream_id: None):
        pass


def state(hook: Hook) -> str:
    now: str = fresh_row(hook).state
    return now


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("hooks", *arguments, stdout=out, stderr=out)
    return out.getvalue()


def test_what_was_in_review_is_taken_in_once_its_cause_is_mended() -> None:
    payment = make_payment()
    hook = stored(make_attempt(payment), amount_minor=5)
    deliver()
    assert state(hook) == "review"
    document = json.loads(bytes(hook.payload)) | {"amount_minor": 10000}
    Hook.objects.update(
        payload=json.dumps(document).encode()
    )  # as a reader that was mended sees it

    hook_replay(hook_id=hook.pk, reason="the amount is read rightly now", actor=STAFF)
    deliver()

    assert state(hook) == "processed"
    assert fresh_row(payment).status == "captured"
    assert broken() == []


def test_what_was_taken_in_changes_nothing_when_it_is_replayed() -> None:
    payment = make_payment()
    hook = stored(make_attempt(payment))
    deliver()

    for _ in range(2):
        hook_replay(hook_id=hook.pk, reason="to be sure", actor=STAFF)
        deliver()

    assert state(hook) == "processed"
    assert ChannelFact.objects.count() == 1
    assert fresh_row(payment).captured_minor == payment.amount_minor
    assert broken() == []


def test_who_replays_is_written_down() -> None:
    hook = stored(make_attempt(make_payment()))
    deliver()
    hook_replay(hook_id=hook.pk, reason="asked by the bank", actor=STAFF)

    written = OutboxIntervention.objects.get()
    assert written.event_id
    told = OutboxEvent.objects.get(pk=written.event_id)
    assert (written.action, written.reason, written.actor) == (
        "replay",
        "asked by the bank",
        STAFF,
    )
    assert (told.type, told.object_id, told.seq) == ("payment_hook.received", hook.pk, 2)


def test_what_waits_for_the_first_time_is_left_to_wait() -> None:
    hook = stored(make_attempt(make_payment()))
    hook_replay(hook_id=hook.pk, reason="impatient", actor=STAFF)
    assert OutboxEvent.objects.filter(object_id=hook.pk).count() == 1
    assert not OutboxIntervention.objects.exists()


def test_a_replay_needs_a_notification_and_a_reason() -> None:
    hook = stored(make_attempt(make_payment()))
    with pytest.raises(NotFound):
        hook_replay(hook_id=4096, reason="why", actor=STAFF)
    with pytest.raises(Invalid):
        hook_replay(hook_id=hook.pk, reason=" ", actor=STAFF)


def test_a_notification_whose_event_is_gone_is_not_replayed() -> None:
    hook = stored(make_attempt(make_payment()))
    deliver()
    OutboxEvent.objects.filter(object_id=hook.pk).delete()
    with pytest.raises(Conflict):
        hook_replay(hook_id=hook.pk, reason="why", actor=STAFF)
    assert state(hook) == "processed"


def test_the_command_lists_and_replays_what_somebody_has_to_look_at() -> None:
    early = clock.now()
    attempt = make_attempt(make_payment())
    wrong, right = stored(attempt, "evt_wrong", amount_minor=5), stored(attempt, "evt_right")
    deliver()

    listed = run("list")
    assert str(wrong.pk) in listed
    assert "fact.amount" in listed
    assert str(right.pk) not in listed
    assert run("replay", "--since", early.isoformat(), "--reason", "again").startswith("1 are")
    deliver()
    assert state(wrong) == "review"


@pytest.mark.parametrize("choice", [["--state", "processed"], ["--id"]])
def test_any_state_can_be_named(choice: list[str]) -> None:
    hook = stored(make_attempt(make_payment()))
    deliver()
    if choice == ["--id"]:
        choice = ["--id", str(hook.pk)]
    assert str(hook.pk) in run("list", *choice)
    since = (clock.now() - timedelta(hours=1)).isoformat()
    assert "1 are" in run("replay", "--since", since, "--reason", "why", *choice)
    assert state(hook) == "received"


def test_what_came_before_is_left_alone() -> None:
    stored(make_attempt(make_payment()), amount_minor=5)
    deliver()
    later = clock.now() + timedelta(seconds=1)
    assert "0 are" in run("replay", "--since", later.isoformat(), "--reason", "why")
    naive = datetime(2020, 1, 1).isoformat()  # noqa: DTZ001 what a person types
    assert "1 are" in run("replay", "--since", naive, "--reason", "why")


@pytest.mark.parametrize(
    "arguments",
    [
        ["replay", "--reason", "all of them"],
        ["replay", "--since", "yesterday", "--reason", "why"],
        ["replay", "--since", "2026-01-01"],
        ["replay", "--since", "2026-01-01", "--reason", " "],
    ],
)
def test_a_command_that_does_not_say_enough_is_refused(arguments: list[str]) -> None:
    stored(make_attempt(make_payment()), amount_minor=5)
    deliver()
    with pytest.raises(CommandError):
        run(*arguments)
    assert not OutboxIntervention.objects.exists()


def test_one_that_is_refused_stops_none_of_the_others() -> None:
    attempt = make_attempt(make_payment())
    gone, left = stored(attempt, "evt_1", amount_minor=5), stored(attempt, "evt_2", amount_minor=6)
    deliver()
    OutboxEvent.objects.filter(object_id=gone.pk).delete()

    told = run("replay", "--since", "2020-01-01", "--reason", "why")

    assert f"{gone.pk}: " in told
    assert "1 are" in told
    assert (state(gone), state(left)) == ("review", "received")
