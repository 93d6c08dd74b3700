"""Notifications from outside: only what was signed in time is stored, once, before it is answered."""

import json
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from standardwebhooks import Webhook

from core import clock
from core.hooks import LARGEST_BODY_BYTES, hook_settle, receive, verify_standard
from core.management.environment import webhook_secret
from core.models import Hook, OutboxEvent, OutboxStream
from tests.threads import succeeded, together

pytestmark = pytest.mark.django_db

OLD, NEW, FOREIGN = webhook_secret(), webhook_secret(), webhook_secret()
BODY = json.dumps({"kind": "payment.captured", "key": "1"}).encode()


def notification(
    *,
    body: bytes = BODY,
    sent: bytes | None = None,
    secret: str = NEW,
    event_id: str = "evt_1",
    age_seconds: float = 0,
    **headers: str,
) -> HttpRequest:
    """A signed notification; `sent` travels in place of the body that was signed."""
    at = datetime.now(UTC) - timedelta(seconds=age_seconds)
    signed = {
        "webhook-id": event_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(event_id, at, body.decode()),
    }
    return RequestFactory().post(
        "/hooks/test",
        body if sent is None else sent,
        content_type="application/json",
        headers=signed | headers,
    )


def answer(request: HttpRequest) -> HttpResponse:
    return receive(
        request,
        channel="test",
        verify=partial(verify_standard, secrets=[NEW, OLD]),
        event_type="test_hook.received",
    )


def test_a_notification_is_stored_as_it_came_and_told_on() -> None:
    before = clock.now()

    assert answer(notification()).status_code == 204

    hook = Hook.objects.get()
    assert (hook.channel, hook.event_id, hook.state) == ("test", "evt_1", Hook.State.RECEIVED)
    assert bytes(hook.payload) == BODY
    assert hook.headers["webhook-id"] == "evt_1"
    assert "webhook-signature" not in hook.headers
    assert before <= hook.received_at <= clock.now()
    event = OutboxEvent.objects.get()
    assert (event.type, event.object_id) == ("test_hook.received", hook.id)
    assert OutboxStream.objects.get().aggregate_type == "hook"


def test_a_repeated_notification_is_answered_and_stored_once() -> None:
    assert answer(notification()).status_code == 204

    assert answer(notification(body=b'{"other": 1}')).status_code == 204

    assert bytes(Hook.objects.get().payload) == BODY
    assert OutboxEvent.objects.count() == 1


def test_the_same_id_from_another_channel_is_another_notification() -> None:
    answer(notification())
    verify = partial(verify_standard, secrets=[NEW])
    receive(notification(), channel="other", verify=verify, event_type="other_hook.received")

    assert Hook.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_a_notification_that_comes_many_times_at_once_is_stored_once() -> None:
    answers = succeeded(together(*[lambda: answer(notification()).status_code] * 8))

    assert answers == [204] * 8
    assert Hook.objects.count() == OutboxEvent.objects.count() == 1


def test_each_active_secret_serves_while_they_rotate() -> None:
    assert answer(notification(secret=NEW)).status_code == 204
    assert answer(notification(secret=OLD, event_id="evt_2")).status_code == 204


@pytest.mark.parametrize(
    ("age_seconds", "status"),
    [(290, 204), (310, 400), (86_400, 400), (-50, 204), (-70, 400), (-290, 400)],
)
def test_only_a_recent_notification_is_taken(age_seconds: float, status: int) -> None:
    assert answer(notification(age_seconds=age_seconds)).status_code == status
    assert Hook.objects.exists() is (status == 204)


@pytest.mark.parametrize(
    "forged",
    [
        {"secret": FOREIGN},
        {"sent": BODY.replace(b"captured", b"refunded")},
        {"sent": BODY + b" "},
        {"sent": b""},
        {"webhook-id": "evt_9"},
        {"webhook-timestamp": str(int(datetime.now(UTC).timestamp()) - 60)},
        {"webhook-timestamp": "soon"},
        {"webhook-timestamp": ""},
        {"webhook-signature": ""},
        {"webhook-signature": "v1,"},
        {"webhook-signature": "v1,%%%%"},
        {"webhook-signature": "v2," + "A" * 44},
    ],
    ids=lambda forged: next(iter(forged)),
)
def test_a_forged_notification_is_refused_and_nothing_is_stored(forged: dict[str, Any]) -> None:
    assert answer(notification(**forged)).status_code == 400

    assert not Hook.objects.exists()


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_notification_without_a_header_is_refused(missing: str) -> None:
    request = notification()
    del request.META[f"HTTP_{missing.upper().replace('-', '_')}"]

    assert answer(request).status_code == 400


def test_without_a_secret_nothing_is_believed() -> None:
    verify = partial(verify_standard, secrets=[])
    response = receive(notification(), channel="test", verify=verify, event_type="x")

    assert response.status_code == 400


@pytest.mark.parametrize("body", [b"not json", b"[" * 100_000, b"\x00"])
def test_what_is_signed_but_no_json_is_refused(body: bytes) -> None:
    assert answer(notification(body=body)).status_code == 400


@pytest.mark.parametrize(("excess", "status"), [(0, 204), (1, 400)])
def test_a_body_has_its_limit(excess: int, status: int) -> None:
    room = LARGEST_BODY_BYTES + excess - len(b'{"a": ""}')
    request = notification(body=b'{"a": "' + b"x" * room + b'"}')

    assert answer(request).status_code == status


@pytest.mark.parametrize("length", ["many", "-5", ""])
def test_a_length_that_is_none_is_refused(length: str) -> None:
    request = notification()
    request.META["CONTENT_LENGTH"] = length

    assert answer(request).status_code in (204, 400)


@pytest.mark.parametrize("method", ["get", "put", "head", "options", "delete"])
def test_only_a_post_is_taken(method: str) -> None:
    assert answer(getattr(RequestFactory(), method)("/hooks/test")).status_code == 405


@pytest.mark.django_db(transaction=True)
def test_while_the_database_is_away_the_sender_is_told_to_come_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connection.close()
    with monkeypatch.context() as away:
        away.setitem(connection.settings_dict, "HOST", "127.0.0.1")
        away.setitem(connection.settings_dict, "PORT", "1")
        assert answer(notification()).status_code == 503

    assert answer(notification()).status_code == 204


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_was_lost_in_silence_is_no_server_error() -> None:
    Hook.objects.count()
    connection.connection.pgconn.finish()

    assert answer(notification()).status_code == 503
    connection.close()


def test_what_became_of_a_hook_is_kept_with_it() -> None:
    answer(notification())
    hook = Hook.objects.get()

    hook_settle(hook, Hook.State.REVIEW, "n" * 300)

    settled = Hook.objects.get()
    assert (settled.state, settled.note) == ("review", "n" * 200)
    assert settled.processed_at is not None
