"""External streams: handed to a worker, delivered in order, and never out of the database."""

import logging
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone

from core import outbox, relay
from core.errors import Conflict
from core.models import OutboxStream
from core.outbox import Event, Postpone
from core.relay import LEASE_SECONDS, MOST_ATTEMPTS, deliver_external
from tests.core.outbox_parts import (
    consume,
    deliver,
    fact,
    make_due,
    numbers,
    registry,
    stream,
    tell,
    tell_each,
)


@pytest.fixture(autouse=True)
def own_registry(transactional_db: None) -> Iterator[None]:
    with registry():
        yield


class World:
    """What a handler calls. It refuses as often as told, and remembers what it was asked."""

    def __init__(self, *, refusals: int = 0, error: Exception | None = None) -> None:
        self.refusals = refusals
        self.error = error or Conflict("test.away", "The world is away.")
        self.asked: list[Event] = []
        outbox.external_handlers["channel"] = self.call

    def call(self, event: Event) -> None:
        if self.refusals:
            self.refusals -= 1
            raise self.error
        self.asked.append(event)


def wait_seconds() -> float:
    return (stream().available_at - timezone.now()).total_seconds()


def test_the_relay_hands_a_stream_over_and_leaves_it_where_it_is() -> None:
    world = World()
    tell_each(1, 2, external=True)

    assert deliver() == [stream().id]

    assert world.asked == []
    assert (stream().delivered_seq, stream().lease_until) == (0, None)
    assert LEASE_SECONDS - 5 < wait_seconds() <= LEASE_SECONDS
    assert deliver() == []


def test_a_lost_message_is_sent_again() -> None:
    World()
    tell_each(1, 1, external=True)
    deliver()
    make_due()  # those 30 s later

    assert deliver() == [stream().id]


def test_a_stream_that_nobody_takes_is_handed_over_less_and_less_often() -> None:
    """Else a queue that is minutes behind fills with repeats, and its workers with finding them done."""
    World()
    tell_each(1, 2, external=True)
    waits = []
    for _ in range(5):
        make_due()
        deliver()
        waits.append(round(wait_seconds() / LEASE_SECONDS))

    assert waits == [1, 2, 4, 8, 8]


@pytest.mark.parametrize("refusals", [0, 1], ids=["delivered", "set back"])
def test_a_stream_that_a_task_has_taken_is_soon_handed_over_again(refusals: int) -> None:
    World(refusals=refusals)
    tell_each(1, 1, external=True)
    for _ in range(3):
        make_due()
        deliver()
    deliver_external(stream().id)
    tell_each(1, 1, external=True)
    make_due()

    deliver()

    assert 0 < wait_seconds() <= LEASE_SECONDS


def test_what_is_patient_is_handed_over_on_a_way_of_its_own() -> None:
    World()
    outbox.external("letter", patient=True)(lambda event: None)
    tell_each(1, 1, external=True)
    tell_each(2, 1, external=True)
    OutboxStream.objects.filter(aggregate_id=2).update(aggregate_type="letter")
    quick: list[int] = []
    patient: list[int] = []

    relay.deliver(quick.append, patient=patient.append)

    assert quick == [OutboxStream.objects.get(aggregate_type="channel").id]
    assert patient == [OutboxStream.objects.get(aggregate_type="letter").id]


def test_a_broker_that_is_away_makes_no_wait_longer() -> None:
    World()
    tell_each(1, 1, external=True)

    def away(stream_id: int) -> None:
        raise ConnectionError

    for _ in range(4):
        make_due()
        relay.deliver(away)

    assert 0 < wait_seconds() <= LEASE_SECONDS


def test_a_task_delivers_a_stream_in_order_and_to_its_end() -> None:
    world = World()
    tell_each(1, 3, external=True)
    [stream_id] = deliver()

    assert deliver_external(stream_id) == 3

    assert numbers(world.asked) == [(1, 1), (1, 2), (1, 3)]
    assert (stream().delivered_seq, stream().lease_until) == (3, None)
    assert deliver() == []


def test_a_repeated_message_does_nothing() -> None:
    world = World()
    tell_each(1, 1, external=True)
    [stream_id] = deliver()
    deliver_external(stream_id)

    assert deliver_external(stream_id) == 0

    assert len(world.asked) == 1


def test_a_handler_runs_outside_of_any_transaction() -> None:
    from django.db import connection

    states: list[bool] = []
    outbox.external_handlers["channel"] = lambda event: states.append(connection.in_atomic_block)
    tell_each(1, 1, external=True)

    deliver_external(stream().id)

    assert states == [False]


def test_what_is_told_meanwhile_is_delivered_by_the_same_task() -> None:
    asked: list[int] = []

    def call(event: Event) -> None:
        asked.append(event.seq)
        if event.seq == 1:
            tell(fact(external=True))

    outbox.external_handlers["channel"] = call
    tell(fact(external=True))

    deliver_external(stream().id)

    assert asked == [1, 2]


def test_a_refusal_leaves_the_rest_waiting() -> None:
    world = World()
    tell_each(1, 3, external=True)
    [stream_id] = deliver()
    world.refusals = 1

    assert deliver_external(stream_id) == 0

    assert world.asked == []
    assert (stream().delivered_seq, stream().attempts) == (0, 1)
    assert "The world is away" in stream().last_error
    assert 0 < wait_seconds() <= 2


def test_a_refused_stream_is_handed_over_again_and_goes_through() -> None:
    world = World(refusals=3)
    tell_each(1, 2, external=True)

    for _ in range(4):
        [stream_id] = deliver()
        deliver_external(stream_id)
        make_due()

    assert numbers(world.asked) == [(1, 1), (1, 2)]
    assert (stream().delivered_seq, stream().attempts, stream().last_error) == (2, 0, "")


def test_a_repeated_message_does_not_cut_the_wait_short() -> None:
    World(refusals=5)
    tell_each(1, 1, external=True)
    [stream_id] = deliver()
    deliver_external(stream_id)
    OutboxStream.objects.update(available_at=timezone.now() + timedelta(seconds=60))

    deliver_external(stream_id)

    assert stream().attempts == 1


def test_a_repeated_message_does_not_cut_a_postponement_short() -> None:
    world = World(refusals=1, error=Postpone(60))
    tell_each(1, 1, external=True)
    [stream_id] = deliver()
    deliver_external(stream_id)

    assert deliver_external(stream_id) == 0

    assert world.asked == []
    assert (stream().attempts, stream().last_error) == (0, "")


def test_twelve_refusals_park_a_stream_and_leave_its_neighbour_alone() -> None:
    world = World(refusals=MOST_ATTEMPTS)
    tell_each(1, 1, external=True)
    for _ in range(MOST_ATTEMPTS):
        [stream_id] = deliver()
        deliver_external(stream_id)
        make_due()
    tell_each(2, 1, external=True)

    assert stream(1).parked
    assert deliver() == [stream(2).id]
    assert deliver_external(stream(1).id) == 0
    assert deliver_external(stream(2).id) == 1
    assert numbers(world.asked) == [(2, 1)]


def test_a_stream_that_a_task_is_just_delivering_is_left_to_it() -> None:
    tries: list[int] = []
    outbox.external_handlers["channel"] = lambda event: tries.append(
        deliver_external(event.stream_id)
    )
    tell_each(1, 2, external=True)

    deliver_external(stream().id)

    assert tries == [0, 0]
    assert stream().delivered_seq == 2


def test_a_task_that_lost_its_lease_stops_and_moves_nothing() -> None:
    asked: list[int] = []

    def call_slowly(event: Event) -> None:
        asked.append(event.seq)
        OutboxStream.objects.update(lease_until=timezone.now() - timedelta(seconds=1))

    outbox.external_handlers["channel"] = call_slowly
    tell_each(1, 3, external=True)

    deliver_external(stream().id)

    assert asked == [1]
    assert stream().delivered_seq == 0


def test_a_broker_that_is_away_stops_no_local_delivery(caplog: pytest.LogCaptureFixture) -> None:
    local: list[Event] = []
    consume("take", local.append)
    tell_each(1, 1, external=True)
    tell_each(2, 1)

    def broker_is_away(stream_id: int) -> None:
        raise ConnectionRefusedError

    with caplog.at_level(logging.WARNING, logger="core.relay"):
        relay.deliver(broker_is_away)

    assert numbers(local) == [(2, 1)]
    assert stream(1).delivered_seq == 0
    assert "ConnectionRefusedError" in caplog.text
    make_due()
    assert deliver() == [stream(1).id]
