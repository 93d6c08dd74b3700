"""The outbox under fire: many writers, several relays, and every tenth round of a relay cut off."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from threading import Event as Signal
from threading import Thread
from time import sleep

import pytest
from django.db import connection
from pytest_django import DjangoDbBlocker

from core import audit, relay
from core.command import command
from core.models import InboxEffect, OutboxEvent, OutboxStream
from core.outbox import Event, emit
from tests.core.door import Specimen, make_tables
from tests.core.outbox_parts import consume, fact, registry, stream, tell
from tests.threads import succeeded, together

WRITERS, RELAYS, STREAMS, TRANSACTIONS = 8, 3, 15, 60


class PowerCut(Exception):
    """The process is gone between the work and the note that it was done."""


@pytest.fixture
def effects(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, transactional_db: None
) -> Iterator[None]:
    """Two consumers that leave a row per event."""

    def leave_row(consumer: str, event: Event) -> Specimen:
        return Specimen.build(
            event.shard_key,
            text=consumer,
            number=event.seq,
            flag=True,
            day=event.created_at.date(),
            token=event.id,
        )

    @command
    def one(event: Event) -> None:
        Specimen.objects.bulk_create([leave_row("one", event)])

    def many(events: list[Event]) -> None:
        Specimen.objects.bulk_create(leave_row("many", event) for event in events)

    make_tables()
    with registry():
        consume("one", one)
        consume("many", many, batch=True)
        yield


@pytest.fixture
def power_cuts(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Cuts every tenth round of the relays off before it advances; the lease ends soon after."""
    finish, rounds, cuts = relay._finish, count(1), list[int]()

    def finish_or_die(events: list[Event], claim: relay.Claim) -> None:
        if (number := next(rounds)) % 10 == 0:
            cuts.append(number)
            raise PowerCut
        finish(events, claim)

    monkeypatch.setattr(relay, "_finish", finish_or_die)
    monkeypatch.setattr(relay, "LEASE_SECONDS", 1)
    monkeypatch.setattr(relay, "CLAIM_STREAMS", 4)  # short rounds, and work for every relay
    return cuts


def write(seed: int) -> None:
    """Transactions of one to three facts in one or two streams; every eighth is rolled back."""
    choose = random.Random(seed)

    @command
    def tell(streams: list[int], *, undo: bool) -> None:
        emit([fact(number) for number in streams])
        if undo:
            raise LookupError

    for _ in range(TRANSACTIONS):
        streams = choose.choices(range(STREAMS), k=choose.randint(1, 3))
        try:
            tell(streams, undo=choose.random() < 1 / 8)
        except LookupError:
            continue


def relay_until(quiet: Callable[[], bool]) -> None:
    while True:
        done = quiet()
        try:
            delivered = relay.deliver(print)
        except PowerCut:
            continue
        if done and not delivered and not waiting():
            return


def waiting() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT sum(last_seq - delivered_seq) FROM core_outboxstream")
        return int(cursor.fetchone()[0] or 0)


def broken(view: str) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM audit.{audit.views[view].name}")
        return list(cursor.fetchall())


@pytest.mark.usefixtures("effects")
def test_nothing_is_lost_doubled_or_out_of_order(power_cuts: list[int]) -> None:
    written = [Signal() for _ in range(WRITERS)]

    def write_all(number: int) -> None:
        try:
            write(number)
        finally:
            written[number].set()

    def all_written() -> bool:
        return all(signal.is_set() for signal in written)

    succeeded(
        together(
            *[partial(write_all, number) for number in range(WRITERS)],
            *[partial(relay_until, all_written)] * RELAYS,
        )
    )

    events = set(OutboxEvent.objects.values_list("id", flat=True))
    assert len(events) > WRITERS * TRANSACTIONS
    assert power_cuts
    for consumer in ("one", "many"):
        effects = Counter(Specimen.objects.filter(text=consumer).values_list("token", flat=True))
        assert set(effects) == events, "lost"
        assert set(effects.values()) == {1}, "twice"
    assert InboxEffect.objects.count() == 2 * len(events)
    assert not OutboxStream.objects.filter(parked=True).exists()
    assert broken("inv_23_effect_order") == []
    assert broken("inv_24_outbox_gap") == []


def test_a_writer_in_the_way_only_makes_the_relay_try_again(transactional_db: None) -> None:
    told, writers = Signal(), list[Thread]()

    @command
    def tell_slowly() -> None:
        emit([fact()])
        told.set()
        sleep(0.12)

    def tell_and_close() -> None:
        tell_slowly()
        connection.close()

    def meet_a_writer(event: Event) -> None:
        writers.append(Thread(target=tell_and_close))
        writers[-1].start()
        told.wait(20)

    with registry():
        consume("meet", meet_a_writer)
        tell(fact())
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '50ms'")
        relay.deliver(print)
    connection.close()
    writers[0].join()

    assert (stream().delivered_seq, stream().last_seq) == (1, 2)
