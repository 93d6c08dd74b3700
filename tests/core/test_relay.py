"""Delivery to local consumers: in order, once, and one that fails stops nobody else."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from core import relay
from core.command import command, running
from core.errors import Conflict
from core.models import Heartbeat, InboxEffect, OutboxStream
from core.outbox import Event, Postpone
from core.relay import MOST_ATTEMPTS, backoff_seconds
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


def refuse(*refused: tuple[int, int]):
    """A consumer that takes everything but these (stream, number), and what it has taken."""
    taken: list[Event] = []

    def take(given: Event | list[Event]) -> None:
        events = given if isinstance(given, list) else [given]
        if set(numbers(events)) & set(refused):
            raise Conflict("test.refused", "Not this one.")
        taken.extend(events)

    return take, taken


def test_events_come_in_order_with_all_that_was_told() -> None:
    take, taken = refuse()
    consume("take", take)
    tell_each(1, 3)

    assert deliver() == []

    assert numbers(taken) == [(1, 1), (1, 2), (1, 3)]
    assert [event.seq for event in taken] == [1, 2, 3]
    first = stream().events.get(seq=1)
    assert taken[0] == Event(
        id=first.id,
        shard_key=7,
        stream_id=stream().id,
        aggregate_type="test",
        aggregate_id=1,
        seq=1,
        type="told",
        object_id=1,
        payload={"number": 1},
        created_at=first.created_at,
    )
    assert stream().delivered_seq == 3
    assert stream().lease_until is None


def test_a_round_says_how_many_streams_it_had() -> None:
    for number in (1, 2, 3):
        tell_each(number, 2)

    assert relay.deliver(print) == 3
    assert relay.deliver(print) == 0


def test_a_consumer_gets_what_it_asked_for_only() -> None:
    take, taken = refuse()
    consume("take", take, "wanted")
    tell(fact(type="wanted", number=1), fact(type="other"), fact(type="wanted", number=2))

    deliver()

    assert numbers(taken) == [(1, 1), (1, 2)]
    assert stream().delivered_seq == 3


def test_consumers_are_called_in_the_order_of_registration() -> None:
    calls: list[str] = []
    consume("first", lambda event: calls.append("first"))
    consume("second", lambda events: calls.append("second"), batch=True)
    consume("third", lambda event: calls.append("third"))
    tell(fact())

    deliver()

    assert calls == ["first", "second", "third"]


def test_each_event_has_its_own_transaction_and_one_service() -> None:
    transactions = []

    @command
    def heart_add(*, name: str) -> None:
        transactions.append(running())
        Heartbeat.objects.create(name=name, at=timezone.now())

    consume("take", lambda event: heart_add(name=f"heart {event.seq}"))
    tell_each(1, 2)

    deliver()

    assert len(set(map(id, transactions))) == 2
    assert Heartbeat.objects.count() == 2


def test_a_batch_has_all_events_of_a_round_in_one_transaction() -> None:
    batches: list[list[Event]] = []
    consume("fold", batches.append, batch=True)
    for number in (1, 2, 3):
        tell_each(number, 2)

    deliver()

    [batch] = batches
    assert sorted(numbers(batch)) == [(s, n) for s in (1, 2, 3) for n in (1, 2)]


def test_nothing_is_told_twice() -> None:
    each, taken_each = refuse()
    batch, taken_batch = refuse()
    consume("each", each)
    consume("batch", batch, batch=True)
    tell_each(1, 3)
    deliver()
    OutboxStream.objects.update(delivered_seq=1)  # as after a relay that died before advancing

    deliver()

    assert numbers(taken_each) == numbers(taken_batch) == [(1, 1), (1, 2), (1, 3)]
    assert stream().delivered_seq == 3


def test_the_effect_and_its_proof_stand_or_fall_together() -> None:
    def add_and_fail(event: Event) -> None:
        Heartbeat.objects.create(name="a", at=timezone.now())
        raise Conflict("test.refused", "No.")

    consume("take", add_and_fail)
    tell(fact())

    deliver()

    assert not Heartbeat.objects.exists()
    assert not InboxEffect.objects.exists()


def test_a_failing_event_stops_its_stream_and_no_other() -> None:
    take, taken = refuse((1, 2))
    consume("take", take)
    tell_each(1, 3)
    tell_each(2, 3)

    deliver()

    assert sorted(numbers(taken)) == [(1, 1), (2, 1), (2, 2), (2, 3)]
    assert (stream(1).delivered_seq, stream(1).attempts) == (1, 1)
    assert "Not this one" in stream(1).last_error
    assert (stream(2).delivered_seq, stream(2).attempts) == (3, 0)
    assert relay.deliver(print) == 0  # it waits


@pytest.mark.parametrize("batch", [False, True], ids=["each", "batch"])
def test_what_stands_before_a_failing_event_reaches_every_consumer(batch: bool) -> None:
    picky, _ = refuse((1, 3))
    take, taken = refuse()
    consume("picky", picky)
    consume("take", take, batch=batch)
    tell_each(1, 4)

    deliver()

    assert stream().delivered_seq == 2
    assert numbers(taken) == [(1, 1), (1, 2)]


def test_the_first_of_two_failures_decides_how_far_a_stream_goes() -> None:
    late, taken_late = refuse((1, 3))
    early, _ = refuse((1, 2))
    consume("late", late)
    consume("early", early)
    tell_each(1, 4)

    deliver()

    assert stream().delivered_seq == 1
    assert numbers(taken_late) == [(1, 1), (1, 2)]


def test_a_failing_batch_is_halved_until_the_failing_stream_stands_alone() -> None:
    sizes: list[int] = []
    take, taken = refuse((5, 1))

    def fold(events: list[Event]) -> None:
        sizes.append(len(events))
        take(events)

    consume("fold", fold, batch=True)
    for number in range(1, 9):
        tell_each(number, 2)

    deliver()

    assert sizes == [16, 8, 8, 4, 2, 2, 4]
    assert sorted(numbers(taken)) == [(s, n) for s in range(1, 9) if s != 5 for n in (1, 2)]
    assert (stream(5).delivered_seq, stream(5).attempts) == (0, 1)


def test_a_stream_goes_on_where_it_stopped_once_its_trouble_is_over() -> None:
    trouble = [True]
    taken: list[Event] = []

    def take(event: Event) -> None:
        if trouble:
            raise Conflict("test.refused", "Not yet.")
        taken.append(event)

    consume("take", take)
    tell_each(1, 2)
    deliver()
    trouble.clear()
    make_due()

    deliver()

    assert numbers(taken) == [(1, 1), (1, 2)]
    assert (stream().delivered_seq, stream().attempts, stream().last_error) == (2, 0, "")


def test_twelve_failures_in_a_row_park_a_stream() -> None:
    take, _ = refuse((1, 1))
    consume("take", take)
    tell_each(1, 1)

    for attempt in range(1, MOST_ATTEMPTS + 1):
        assert not stream().parked
        deliver()
        assert stream().attempts == attempt
        make_due()

    assert stream().parked
    assert relay.deliver(print) == 0
    tell_each(1, 1)
    assert relay.deliver(print) == 0


def test_failures_are_counted_anew_once_a_stream_has_moved() -> None:
    trouble = {1}

    def take(event: Event) -> None:
        if event.seq in trouble:
            raise Conflict("test.refused", "Not this one.")

    consume("take", take)
    tell_each(1, 2)
    for _ in range(5):
        deliver()
        make_due()
    trouble = {2}

    deliver()

    assert (stream().delivered_seq, stream().attempts) == (1, 1)


def test_the_wait_doubles_with_full_jitter_up_to_ten_minutes() -> None:
    for failures in range(1, 13):
        waits = [backoff_seconds(failures) for _ in range(200)]
        most = min(2**failures, 600)
        assert 0.1 <= min(waits) < most / 4 + 0.1
        assert most / 2 < max(waits) <= most


def test_a_failing_stream_waits_by_the_clock_of_the_database() -> None:
    take, _ = refuse((1, 1))
    consume("take", take)
    tell_each(1, 1)

    deliver()

    wait = stream().available_at - timezone.now()
    assert timedelta(0) < wait <= timedelta(seconds=2)


def test_postponing_is_no_failure() -> None:
    def not_now(event: Event) -> None:
        raise Postpone(5)

    consume("take", not_now)
    tell_each(1, 1)

    for _ in range(MOST_ATTEMPTS + 1):
        deliver()
        make_due()

    assert (stream().delivered_seq, stream().attempts, stream().parked) == (0, 0, False)
    deliver()
    wait = stream().available_at - timezone.now()
    assert timedelta(seconds=4) < wait <= timedelta(seconds=5)


def test_a_long_stream_goes_on_in_the_next_round() -> None:
    take, taken = refuse()
    consume("take", take, batch=True)
    tell(*[fact(number=number) for number in range(1, 151)])

    deliver()
    assert stream().delivered_seq == relay.EVENTS_PER_STREAM == 100
    deliver()

    assert numbers(taken) == [(1, number) for number in range(1, 151)]


def test_a_stream_without_consumers_is_delivered_to_nobody() -> None:
    tell_each(1, 2)

    deliver()

    assert stream().delivered_seq == 2
    assert not InboxEffect.objects.exists()


def test_a_lost_race_of_a_consumer_is_repeated_and_no_failure() -> None:
    tries = []

    @command
    def racing() -> None:
        tries.append(1)
        if len(tries) < 3:
            with connection.cursor() as cursor:
                cursor.execute("DO $$ BEGIN RAISE EXCEPTION '' USING ERRCODE = '40P01'; END $$")

    consume("take", lambda event: racing())
    tell_each(1, 1)

    deliver()

    assert len(tries) == 3
    assert (stream().delivered_seq, stream().attempts) == (1, 0)


def test_a_relay_that_lost_its_lease_moves_nothing() -> None:
    def lose_the_lease(event: Event) -> None:
        OutboxStream.objects.update(lease_until=timezone.now() - timedelta(seconds=1))

    consume("take", lose_the_lease)
    tell_each(1, 1)

    deliver()

    assert stream().delivered_seq == 0
    deliver()
    assert stream().delivered_seq == 1


def test_a_relay_whose_stream_another_has_taken_moves_nothing() -> None:
    def be_overtaken(event: Event) -> None:
        OutboxStream.objects.update(lease_token="00000000-0000-0000-0000-000000000001")

    consume("take", be_overtaken)
    tell_each(1, 1)

    deliver()

    assert stream().delivered_seq == 0
    assert stream().lease_until is not None


def test_a_leased_stream_is_left_to_its_relay() -> None:
    rounds: list[int] = []
    consume("take", lambda event: rounds.append(relay.deliver(print)))
    tell_each(1, 1)

    deliver()

    assert rounds == [0]
