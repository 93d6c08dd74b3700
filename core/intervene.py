"""What a person may do about a stream that stands still, or a notification that was not taken in.

Each leaves a row with the reason.
"""

from collections.abc import Iterable

from django.utils.translation import gettext_lazy as _

from core import clock
from core.command import command
from core.errors import Conflict, Invalid, NotFound
from core.locks import locked
from core.models import EPOCH, Hook, OutboxEvent, OutboxIntervention, OutboxStream
from core.outbox import Fact, emit

Action = OutboxIntervention.Action


@command
def stream_retry(*, stream_id: int, reason: str, actor: object) -> OutboxStream:
    """Lets a parked or waiting stream be delivered again at once. Locks the stream.

    Raises NotFound `stream.unknown`, Invalid `stream.reason_missing`.
    """
    stream = _lock(stream_id, reason)
    OutboxStream.objects.filter(pk=stream.pk).update(parked=False, attempts=0, available_at=EPOCH)
    _note(stream, None, Action.RETRY, reason, actor)
    return stream


@command
def stream_skip(*, stream_id: int, reason: str, actor: object) -> OutboxStream:
    """Gives up the first undelivered event of a parked stream, and goes on behind it.

    Consumers that have not taken the event never will. Locks the stream.
    Raises NotFound `stream.unknown`, Invalid `stream.reason_missing`, Conflict `stream.not_parked`.
    """
    stream = _lock(stream_id, reason)
    if not stream.parked:
        raise Conflict("stream.not_parked", _("Only an event of a parked stream can be skipped."))
    event = OutboxEvent.objects.get(stream=stream, seq=stream.delivered_seq + 1)
    OutboxStream.objects.filter(pk=stream.pk).update(
        delivered_seq=event.seq, parked=False, attempts=0, available_at=EPOCH
    )
    _note(stream, event, Action.SKIP, reason, actor)
    return stream


@command
def hook_replay(*, hook_id: int, reason: str, actor: object) -> Hook:
    """Has a stored notification processed once more; quiet while it still waits for the first time.

    What it says is a fact that is kept once, so what was taken in before changes nothing. Locks the
    hook. Emits the event that storing it emitted. Raises NotFound `hook.unknown`, Invalid
    `stream.reason_missing`, Conflict `hook.untold` where that event is not kept any more.
    """
    _require(reason)
    for hook in locked(Hook.objects.filter(pk=hook_id)):
        if hook.state != Hook.State.RECEIVED:
            _tell_again(hook, reason, actor)
        return hook
    raise NotFound("hook.unknown", _("There is no such notification."), id=str(hook_id))


def _tell_again(hook: Hook, reason: str, actor: object) -> None:
    told = OutboxEvent.objects.filter(
        stream__aggregate_type="hook", stream__aggregate_id=hook.pk
    ).first()
    if told is None:
        raise Conflict("hook.untold", _("This notification is too old to be processed again."))
    stream = OutboxStream.objects.get(pk=told.stream_id)
    Hook.objects.filter(pk=hook.pk).update(state=Hook.State.RECEIVED, note="", processed_at=None)
    [again] = emit([Fact(stream=("hook", hook.pk), shard_key=0, type=told.type, object_id=hook.pk)])
    _note(stream, again, Action.REPLAY, reason, actor)


def _require(reason: str) -> None:
    if not reason.strip():
        raise Invalid("stream.reason_missing", _("Say why."))


def _lock(stream_id: int, reason: str) -> OutboxStream:
    _require(reason)
    streams: Iterable[OutboxStream] = locked(OutboxStream.objects.filter(pk=stream_id))
    for stream in streams:
        return stream
    raise NotFound("stream.unknown", _("There is no such stream."), id=str(stream_id))


def _note(
    stream: OutboxStream, event: OutboxEvent | None, action: Action, reason: str, actor: object
) -> None:
    OutboxIntervention.objects.create(
        stream_id=stream.pk,
        event_id=event.pk if event else None,
        action=action,
        reason=reason[:200],
        actor=str(actor)[:80],
        at=clock.now(),
    )
