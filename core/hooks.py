"""Notifications from outside: verify over the raw bytes, store, answer; processing comes later.

The payment channels' and the carriers' receivers share this edge and its inbox; each app processes
its own hooks as a consumer of the event that storing one emits.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from standardwebhooks import Webhook, WebhookVerificationError

from core import clock
from core.command import command
from core.ids import new_id
from core.models import Hook
from core.outbox import Fact, emit

LARGEST_BODY_BYTES = 256 * 1024
OLDEST_SECONDS, MOST_FUTURE_SECONDS = 300, 60
WRONG = "signature or time is wrong"  # not which of them: that would help to forge
KEPT_HEADERS = ("webhook-id", "webhook-timestamp", "content-type", "user-agent")


class HookRefused(Exception):
    """The notification is not from whom it says, or too old, too new or too large."""


# Answers the notification's id, or raises HookRefused.
Verify = Callable[[bytes, Mapping[str, str]], str]


def receive(request: HttpRequest, *, channel: str, verify: Verify, event_type: str) -> HttpResponse:
    """Answers a notification: 204 stored (or known), 400 refused, 503 the database is away."""
    if request.method != "POST":
        return HttpResponse(status=405)
    try:
        body = _body(request)
        event_id = verify(body, request.headers)
        kept = {name: request.headers.get(name, "") for name in KEPT_HEADERS}
        hook_store(
            channel=channel, event_id=event_id, payload=body, headers=kept, event_type=event_type
        )
    except HookRefused as refusal:
        return HttpResponse(str(refusal), status=400, content_type="text/plain")
    except DatabaseError:
        return HttpResponse(status=503)
    return HttpResponse(status=204)


def _body(request: HttpRequest) -> bytes:
    body = request.read(LARGEST_BODY_BYTES + 1)
    if len(body) > LARGEST_BODY_BYTES:
        raise HookRefused("too large")
    return body


def verify_standard(body: bytes, headers: Mapping[str, str], secrets: Iterable[str]) -> str:
    """The id of a notification in the manner of Standard Webhooks, signed with any of the secrets.

    Raises HookRefused for another signature, and for what is too old or too new.
    """
    given = {name.lower(): value for name, value in headers.items()}
    if not any(_signed_by(secret, body, given) for secret in secrets):
        raise HookRefused(WRONG)
    require_recent(int(given["webhook-timestamp"]))
    return given["webhook-id"][:100]


def require_recent(sent_at_seconds: int) -> None:
    """Raises HookRefused for what was signed more than 300 s ago, or more than 60 s ahead.

    By the machine's clock: the sender knows no other.
    """
    age_seconds = datetime.now(UTC).timestamp() - sent_at_seconds
    if not -MOST_FUTURE_SECONDS <= age_seconds <= OLDEST_SECONDS:
        raise HookRefused(WRONG)


def _signed_by(secret: str, body: bytes, headers: dict[str, str]) -> bool:
    try:
        Webhook(secret).verify(body, headers)
    except (WebhookVerificationError, ValueError, RecursionError):  # signed, but no sane JSON
        return False
    return True


@command
def hook_store(
    *, channel: str, event_id: str, payload: bytes, headers: dict[str, str], event_type: str
) -> bool:
    """Stores a notification once; False where it is known. Emits `event_type` on its own stream."""
    moment = clock.now()
    hook = Hook(
        id=new_id(0),
        channel=channel,
        event_id=event_id,
        headers=headers,
        payload=payload,
        received_at=moment,
    )
    [stored] = Hook.objects.bulk_create([hook], ignore_conflicts=True)
    if not Hook.objects.filter(pk=stored.pk).exists():
        return False
    emit([Fact(stream=("hook", hook.id), shard_key=0, type=event_type, object_id=hook.id)])
    return True


def hook_settle(hook: Hook, state: Hook.State, note: str = "") -> None:
    """Says what became of a hook; part of the transaction that processed it."""
    Hook.objects.filter(pk=hook.pk).update(state=state, note=note[:200], processed_at=clock.now())
