"""Events: recorded inside the transaction that makes them true, delivered after it.

`emit()` appends facts to streams, one stream per row that events are about; the stream's row lock,
held to commit, makes sequence order equal commit order. `@on` is the registry of local consumers,
`@external` that of the handlers of external streams. `core/relay.py` delivers.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.db import connection

from core.clock import now as business_time
from core.command import running
from core.ids import new_id, uuid7
from core.models import OutboxEvent, OutboxStream
from core.write import Write

StreamKey = tuple[str, int]
EachHandler = Callable[["Event"], object]
BatchHandler = Callable[[list["Event"]], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Something that has become true: in whose stream, of which row, in past tense."""

    stream: StreamKey
    shard_key: int
    type: str
    object_id: int
    payload: dict[str, Any] = field(default_factory=dict)
    external: bool = False


@dataclass(frozen=True, slots=True)
class Event:
    """A recorded fact as a consumer sees it."""

    id: UUID
    shard_key: int
    stream_id: int
    aggregate_type: str
    aggregate_id: int
    seq: int
    type: str
    object_id: int
    payload: dict[str, Any]
    created_at: datetime


class Mode(StrEnum):
    """How a local consumer takes its events."""

    EACH = "each"  # an event, a transaction, one service
    BATCH = "batch"  # a list, one transaction, no service and no lock outside its own rows


@dataclass(frozen=True, slots=True)
class Consumer:
    """A local consumer: its name in the inbox, what it takes, and how."""

    name: str
    types: frozenset[str]
    mode: Mode
    handle: Callable[[Any], object]


class Postpone(Exception):
    """A consumer says: not now, and it is not a failure; deliver again in some seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"again in {seconds} s")
        self.seconds = seconds


consumers: list[Consumer] = []
external_handlers: dict[str, EachHandler] = {}
patient_types: set[str] = set()  # the external streams that others may overtake


def on(*types: str) -> Callable[[EachHandler], EachHandler]:
    """Registers a function for one event at a time; it may call exactly one service."""

    def register(handle: EachHandler) -> EachHandler:
        _register(handle, types, Mode.EACH)
        return handle

    return register


def on_batch(*types: str) -> Callable[[BatchHandler], BatchHandler]:
    """Registers a function for a list of events in one transaction; it calls no service."""

    def register(handle: BatchHandler) -> BatchHandler:
        _register(handle, types, Mode.BATCH)
        return handle

    return register


def _register(handle: Callable[[Any], object], types: Iterable[str], mode: Mode) -> None:
    name = f"{handle.__module__}.{handle.__name__}"
    if all(known.name != name for known in consumers):
        consumers.append(Consumer(name, frozenset(types), mode, handle))


def external(aggregate_type: str, *, patient: bool = False) -> Callable[[EachHandler], EachHandler]:
    """Registers the handler of the external streams of that type.

    `patient`: many at a time, and nobody waits for them at a counter; they have a queue of their own.

    It runs in a Celery task outside any transaction, may call the world with the event's id as its
    key, and records the outcome by a service. It may be called again for the same event.
    """

    def register(handle: EachHandler) -> EachHandler:
        external_handlers[aggregate_type] = handle
        if patient:
            patient_types.add(aggregate_type)
        return handle

    return register


def emit(
    facts: Sequence[Fact], *, at: datetime | None = None, write: Write | None = None
) -> list[OutboxEvent]:
    """Records facts in their streams, in the order given, within the running transaction.

    Locks the streams to commit, in the order of their keys. With `write` the rows are added to that
    statement, and every stream must be new.
    """
    running()
    if not facts:
        return []
    moment = at or business_time()
    by_stream: dict[tuple[int, StreamKey], list[Fact]] = defaultdict(list)
    for fact in facts:
        by_stream[fact.shard_key, fact.stream].append(fact)
    ends = _new_streams(by_stream, write) if write else _extend_streams(by_stream)
    events = []
    for fact in facts:
        key = fact.shard_key, fact.stream
        stream_id, next_seq = ends[key]
        ends[key] = stream_id, next_seq + 1
        events.append(_event(fact, stream_id, next_seq, moment))
    if write:
        write.insert(*events)
    else:
        OutboxEvent.objects.bulk_create(events)
    return events


def _event(fact: Fact, stream_id: int, seq: int, moment: datetime) -> OutboxEvent:
    return OutboxEvent(
        id=uuid7(),
        shard_key=fact.shard_key,
        stream_id=stream_id,
        seq=seq,
        type=fact.type,
        object_id=fact.object_id,
        payload=fact.payload,
        created_at=moment,
    )


Grouped = dict[tuple[int, StreamKey], list[Fact]]
Ends = dict[tuple[int, StreamKey], tuple[int, int]]


def _new_streams(by_stream: Grouped, write: Write) -> Ends:
    """Adds the streams to the statement; each begins at sequence 1."""
    ends: Ends = {}
    for (shard_key, (aggregate_type, aggregate_id)), facts in by_stream.items():
        stream = OutboxStream.build(
            shard_key,
            aggregate_type=aggregate_type,
            aggregate_id=aggregate_id,
            external=facts[0].external,
            last_seq=len(facts),
        )
        write.insert(stream)
        ends[shard_key, (aggregate_type, aggregate_id)] = stream.id, 1
    return ends


EXTEND = """
    INSERT INTO core_outboxstream AS stream
        (id, shard_key, aggregate_type, aggregate_id, external, last_seq, delivered_seq, attempts,
         available_at, parked, last_error)
    SELECT given.id, shard_key, aggregate_type, aggregate_id, external, n, 0, 0,
           'epoch', false, ''
    FROM unnest(%s::bigint[], %s::smallint[], %s::text[], %s::bigint[], %s::boolean[], %s::int[])
         AS given (id, shard_key, aggregate_type, aggregate_id, external, n)
    ORDER BY shard_key, aggregate_type, aggregate_id
    ON CONFLICT (shard_key, aggregate_type, aggregate_id)
    DO UPDATE SET last_seq = stream.last_seq + excluded.last_seq
    RETURNING shard_key, aggregate_type, aggregate_id, id, last_seq
"""


def _extend_streams(by_stream: Grouped) -> Ends:
    """Takes the next sequence numbers of the streams, creating those that are new."""
    rows = [
        (new_id(shard), shard, kind, number, facts[0].external, len(facts))
        for (shard, (kind, number)), facts in by_stream.items()
    ]
    with connection.cursor() as cursor:
        cursor.execute(EXTEND, [list(column) for column in zip(*rows, strict=True)])
        return {
            (shard, (kind, number)): (id_, last - len(by_stream[shard, (kind, number)]) + 1)
            for shard, kind, number, id_, last in cursor.fetchall()
        }
