"""What a person may do about a stream that stands still; each leaves a row with the reason."""

from collections.abc import Iterable

from django.utils.translation import gettext_lazy as _

from core import clock
from core.command import command
from core.errors import Conflict, Invalid, NotFound
from core.locks import locked
from core.models import EPOCH, OutboxEvent, OutboxIntervention, OutboxStream

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


def _lock(stream_id: int, reason: str) -> OutboxStream:
    if not reason.strip():
        raise Invalid("stream.reason_missing", _("Say why."))
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
