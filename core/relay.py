"""Delivers the outbox: claim streams, call their consumers, advance, all of it repeatable.

A claim is a lease with a token, so that two relays share the work and a paused one cannot move a
stream that it lost. Local consumers run here; external streams are handed to Celery and stay in the
database until their task has advanced them, so a wiped broker loses nothing.
"""

import json
import logging
import random
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import wraps
from typing import Any, ParamSpec, TypeVar
from uuid import UUID, uuid4

from django.db import connection, transaction

from core import outbox
from core.command import carrier, repeat
from core.crash import crash_point
from core.origin import coming_from
from core.outbox import Consumer, Event, Mode, Postpone

logger = logging.getLogger(__name__)

HandOver = Callable[[int], object]  # takes the id of an external stream

P = ParamSpec("P")
R = TypeVar("R")

SOURCE = "relay"
LEASE_SECONDS = 30
MOST_DOUBLINGS = 3  # handed over after 30, 60, 120 and then each 240 s
CLAIM_STREAMS = 100
EVENTS_PER_STREAM = 100  # a longer stream goes on in the next round
MOST_ATTEMPTS = 12
LONGEST_BACKOFF_SECONDS = 600

# A task takes its stream although the relay has put it ahead: by the token that handing over leaves
# and setting back takes away, so that a late message never jumps over a wait.
FIND_DUE = """
    SELECT id, external, aggregate_type, delivered_seq, clock_timestamp()
    FROM core_outboxstream
    WHERE last_seq > delivered_seq AND NOT parked
      AND (available_at <= clock_timestamp() OR (id = %(only)s AND lease_token IS NOT NULL))
      AND (lease_until IS NULL OR lease_until < clock_timestamp())
      AND (%(only)s::bigint IS NULL OR id = %(only)s)
    ORDER BY available_at LIMIT %(most)s FOR NO KEY UPDATE SKIP LOCKED
"""
LEASE = """
    UPDATE core_outboxstream SET lease_until = %(until)s, lease_token = %(token)s
    WHERE id = ANY(%(ids)s)
"""
READ = """
    SELECT event.id, event.shard_key, stream_id, aggregate_type, aggregate_id, seq, type, object_id,
           payload, event.created_at
    FROM core_outboxevent event JOIN core_outboxstream stream ON stream.id = stream_id
    WHERE stream_id = ANY(%(ids)s) AND seq > delivered_seq
      AND seq <= delivered_seq + %(most)s AND seq <= last_seq
    ORDER BY stream_id, seq
"""
# Locks in the order in which emit() does.
STILL_MINE = """
    SELECT id, clock_timestamp(), attempts, delivered_seq FROM core_outboxstream
    WHERE id = ANY(%(ids)s) AND lease_token = %(token)s AND lease_until > clock_timestamp()
    ORDER BY shard_key, aggregate_type, aggregate_id FOR NO KEY UPDATE
"""
ADVANCE = """
    UPDATE core_outboxstream stream
    SET delivered_seq = done.seq, attempts = 0, handed_over = 0, available_at = %(now)s, lease_until = %(until)s,
        last_error = ''
    FROM unnest(%(ids)s::bigint[], %(seqs)s::int[]) AS done (id, seq)
    WHERE stream.id = done.id
"""
SET_BACK = """
    UPDATE core_outboxstream
    SET delivered_seq = %(seq)s, attempts = %(attempts)s, handed_over = 0, parked = %(parked)s,
        available_at = %(at)s, lease_until = NULL, lease_token = NULL, last_error = %(error)s
    WHERE id = %(id)s
"""
# The next time waits twice as long: a queue that is minutes behind must not fill with repeats.
HAND_OVER = """
    UPDATE core_outboxstream
    SET available_at = %(now)s + %(seconds)s * (1 << least(handed_over, %(doublings)s)) * interval '1 s',
        handed_over = least(handed_over + 1, %(doublings)s), lease_until = NULL
    WHERE id = ANY(%(ids)s)
"""
# A broker that is away does not count: after its return all of it is soon due.
STILL_AHEAD = """
    SELECT id, clock_timestamp() FROM core_outboxstream
    WHERE id = ANY(%(ids)s) AND lease_token = %(token)s AND lease_until IS NULL
    ORDER BY shard_key, aggregate_type, aggregate_id FOR NO KEY UPDATE
"""
NOT_TAKEN = """
    UPDATE core_outboxstream SET available_at = %(at)s, handed_over = 0 WHERE id = ANY(%(ids)s)
"""
DONE = """
    INSERT INTO core_inboxeffect (shard_key, consumer, event_id, stream_id, seq, applied_at)
    SELECT shard_key, %(consumer)s, event_id, stream_id, seq, clock_timestamp()
    FROM unnest(%(shards)s::smallint[], %(events)s::uuid[], %(streams)s::bigint[], %(seqs)s::int[])
         AS given (shard_key, event_id, stream_id, seq)
    ORDER BY stream_id, seq
    ON CONFLICT DO NOTHING RETURNING event_id
"""


@dataclass(slots=True)
class Claim:
    """Streams leased under one token, and where delivery of each has to stop."""

    token: UUID
    local: dict[int, int]  # stream id → delivered_seq
    external: dict[int, str]  # stream id → aggregate type
    stopped: dict[int, tuple[int, Exception]] = field(default_factory=dict)

    def stop(self, event: Event, error: Exception) -> None:
        """Remembers the first event of a stream that a consumer could not take."""
        known = self.stopped.get(event.stream_id)
        if known is None or event.seq < known[0]:
            self.stopped[event.stream_id] = event.seq, error

    def stops_before(self, event: Event) -> bool:
        """True where the event's stream has stopped at it or at an earlier one."""
        return event.stream_id in self.stopped and self.stopped[event.stream_id][0] <= event.seq


def deliver(hand_over: HandOver, *, patient: HandOver | None = None) -> int:
    """One round: claims due streams, delivers them; answers how many streams it claimed.

    `hand_over` gets the id of each external stream after it was put 30 s ahead, or longer where no
    task has moved it since; `patient`, where given, those that the others may overtake.
    """
    claim = _claim()
    if claim.local:
        _deliver_local(claim)
    if claim.external:
        _put_ahead(claim)
        _hand_over(claim, hand_over, patient or hand_over)
    return len(claim.local) + len(claim.external)


def deliver_external(stream_id: int) -> int:
    """Delivers one external stream, event by event, in order; answers how many it delivered.

    Called by a Celery task. The lease keeps a second task off the stream; a task that dies leaves
    it to the relay, which hands it over again.
    """
    delivered = 0
    while (claim := _claim(only=stream_id)).external:
        handle = outbox.external_handlers[claim.external[stream_id]]
        events = _read([stream_id])
        for event in events:
            try:
                with coming_from(SOURCE, str(event.id)):
                    handle(event)
            except Exception as error:  # noqa: BLE001 whatever it is, the stream waits and says so
                _set_back(claim.token, event, error)
                return delivered
            crash_point("task_before_advance")
            if not _advance(claim.token, {stream_id: event.seq}, keep=event is not events[-1]):
                return delivered  # the lease ran out: the stream is another task's
            delivered += 1
    return delivered


def _own_transaction(step: Callable[P, R]) -> Callable[P, R]:
    """For a step that moves streams: again and whole where a writer of the streams won the race."""

    def once(*args: P.args, **kwargs: P.kwargs) -> R:
        with transaction.atomic():
            return step(*args, **kwargs)

    @wraps(step)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        return repeat(lambda: once(*args, **kwargs))

    return run


@_own_transaction
def _claim(*, only: int | None = None) -> Claim:
    """Leases the streams that are due. Its loss in a crash only repeats work: no wait for the disk."""
    token = uuid4()
    _execute("SET LOCAL synchronous_commit = off")
    rows = _execute(FIND_DUE, most=CLAIM_STREAMS, only=only)
    if rows:
        until = max(row[4] for row in rows) + timedelta(seconds=LEASE_SECONDS)
        _execute(LEASE, ids=[row[0] for row in rows], token=token, until=until)
    return Claim(
        token,
        local={id_: seq for id_, external, _, seq, _ in rows if not external},
        external={id_: kind for id_, external, kind, _, _ in rows if external},
    )


@_own_transaction
def _put_ahead(claim: Claim) -> None:
    """Leaves the external streams alone for as long as a task may need to take them."""
    _execute("SET LOCAL synchronous_commit = off")
    mine = _execute(STILL_MINE, ids=list(claim.external), token=claim.token)
    if mine:
        _execute(
            HAND_OVER,
            ids=[row[0] for row in mine],
            now=mine[0][1],
            seconds=LEASE_SECONDS,
            doublings=MOST_DOUBLINGS,
        )


def _hand_over(claim: Claim, hand_over: HandOver, patient: HandOver) -> None:
    """Sends the external streams on; those that the broker does not take are due again in 30 s."""
    left = deque(claim.external)
    try:
        while left:
            is_patient = claim.external[left[0]] in outbox.patient_types
            (patient if is_patient else hand_over)(left[0])
            left.popleft()
    except Exception as error:  # noqa: BLE001 each broker fails in its own way
        logger.warning("%s streams not handed over: %r", len(left), error)
        _keep(claim.token, list(left))


@_own_transaction
def _keep(token: UUID, ids: list[int]) -> None:
    rows = _execute(STILL_AHEAD, ids=ids, token=token)
    if rows:
        at = rows[0][1] + timedelta(seconds=LEASE_SECONDS)
        _execute(NOT_TAKEN, ids=[row[0] for row in rows], at=at)


def _deliver_local(claim: Claim) -> None:
    events = _read(list(claim.local))
    for consumer in outbox.consumers:
        wanted = [event for event in events if event.type in consumer.types]
        if consumer.mode is Mode.BATCH:
            _take_batch(consumer, wanted, claim)
        else:
            _take_each(consumer, wanted, claim)
    _finish(events, claim)


def _take_each(consumer: Consumer, events: Iterable[Event], claim: Claim) -> None:
    for event in events:
        if claim.stops_before(event):
            continue
        try:
            repeat(lambda: _consume(consumer, [event]))  # noqa: B023 called at once
        except Exception as error:  # noqa: BLE001 one bad event must not stop the others
            claim.stop(event, error)


def _take_batch(consumer: Consumer, events: list[Event], claim: Claim) -> None:
    """Halves a failing batch until the one stream that fails stands alone."""
    events = [event for event in events if not claim.stops_before(event)]
    if not events:
        return
    try:
        repeat(lambda: _consume(consumer, events))
    except Exception as error:  # noqa: BLE001 as above
        streams = list(dict.fromkeys(event.stream_id for event in events))
        if len(streams) == 1:
            claim.stop(events[0], error)
            return
        first = set(streams[: len(streams) // 2])
        _take_batch(consumer, [event for event in events if event.stream_id in first], claim)
        _take_batch(consumer, [event for event in events if event.stream_id not in first], claim)


def _consume(consumer: Consumer, events: list[Event]) -> None:
    """The consumer's work and the proof of it, in one transaction."""
    with carrier():
        new = {
            row[0]
            for row in _execute(
                DONE,
                consumer=consumer.name,
                shards=[event.shard_key for event in events],
                events=[event.id for event in events],
                streams=[event.stream_id for event in events],
                seqs=[event.seq for event in events],
            )
        }
        fresh = [event for event in events if event.id in new]
        if fresh:
            with coming_from(SOURCE, str(fresh[0].id)):
                consumer.handle(fresh if consumer.mode is Mode.BATCH else fresh[0])


def _finish(events: list[Event], claim: Claim) -> None:
    """Advances what was delivered, sets back what was not."""
    by_stream: dict[int, list[Event]] = defaultdict(list)
    for event in events:
        by_stream[event.stream_id].append(event)
    done = {
        id_: by_stream[id_][-1].seq if by_stream[id_] else seq
        for id_, seq in claim.local.items()
        if id_ not in claim.stopped
    }
    crash_point("relay_before_advance")
    _advance(claim.token, done)
    for id_, (seq, error) in claim.stopped.items():
        _set_back(claim.token, next(e for e in by_stream[id_] if e.seq == seq), error)


@_own_transaction
def _advance(token: UUID, done: dict[int, int], *, keep: bool = False) -> bool:
    """Moves on the streams whose lease is still ours; False where that is none of them."""
    _execute("SET LOCAL synchronous_commit = off")
    mine = _execute(STILL_MINE, ids=list(done), token=token)
    if mine:
        ids, now = [row[0] for row in mine], mine[0][1]
        until = now + timedelta(seconds=LEASE_SECONDS) if keep else None
        _execute(ADVANCE, ids=ids, seqs=[done[id_] for id_ in ids], now=now, until=until)
    return bool(mine)


@_own_transaction
def _set_back(token: UUID, event: Event, error: Exception) -> None:
    """Lets a stream wait before the event that failed; parks it after 12 failures in a row."""
    for _, now, attempts, delivered_seq in _execute(STILL_MINE, ids=[event.stream_id], token=token):
        failures = attempts + 1 if delivered_seq == event.seq - 1 else 1
        wait = backoff_seconds(failures)
        if isinstance(error, Postpone):
            failures, wait = 0, error.seconds
        else:
            logger.warning("%s failed (%s in a row): %r", event.type, failures, error)
        _execute(
            SET_BACK,
            id=event.stream_id,
            seq=event.seq - 1,
            attempts=failures,
            parked=failures >= MOST_ATTEMPTS,
            at=now + timedelta(seconds=wait),
            error=repr(error)[:1000] if failures else "",
        )


def backoff_seconds(failures: int) -> float:
    """Full jitter under 2^n seconds, at most 10 minutes, never under 0.1 s."""
    most = min(2**failures, LONGEST_BACKOFF_SECONDS)
    return max(0.1, random.uniform(0, most))  # noqa: S311 jitter


def _read(stream_ids: list[int]) -> list[Event]:
    rows = _execute(READ, ids=stream_ids, most=EVENTS_PER_STREAM)
    return [Event(*(*row[:8], json.loads(row[8]), row[9])) for row in rows]


def _execute(sql: str, **parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters or None)
        return cursor.fetchall() if cursor.description else []
