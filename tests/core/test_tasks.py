"""The kernel's tasks: a sign of life, the stand-in for a relay, one stream to the world."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from core import audit, outbox, tasks
from core.heartbeats import beat, silent_hearts
from core.models import Heartbeat, OutboxEvent
from core.outbox import Event
from tests.core.outbox_parts import consume, numbers, registry, stream, tell_each

taken: list[Event] = []


@pytest.fixture(autouse=True)
def own_registry(transactional_db: None) -> Iterator[None]:
    taken.clear()
    with registry():
        consume("take", taken.append)
        outbox.external_handlers["channel"] = taken.append
        yield


def test_a_beating_heart_is_heard_for_fifteen_seconds() -> None:
    tasks.heartbeat()
    beat(name="relay")
    assert silent_hearts() == []

    Heartbeat.objects.filter(name="relay").update(at=timezone.now() - timedelta(seconds=16))
    assert silent_hearts() == ["relay"]

    beat(name="relay")
    assert silent_hearts() == []


def test_the_outbox_is_left_to_a_relay_that_lives() -> None:
    tell_each(1, 1)
    beat(name="relay")

    tasks.drain_outbox()

    assert taken == []


def test_without_a_relay_the_outbox_is_delivered_all_the_same() -> None:
    tell_each(1, 2)
    tell_each(2, 1)

    tasks.drain_outbox()

    assert sorted(numbers(taken)) == [(1, 1), (1, 2), (2, 1)]


def test_the_task_of_a_worker_delivers_the_stream_that_it_is_told() -> None:
    tell_each(1, 2, external=True)
    tell_each(2, 1, external=True)

    tasks.deliver_external_stream(stream(1).id)

    assert numbers(taken) == [(1, 1), (1, 2)]


def test_the_auditor_misses_an_event_that_nobody_has_seen() -> None:
    tell_each(1, 3)
    OutboxEvent.objects.filter(seq=1).delete()

    with connection.cursor() as cursor:
        cursor.execute(f"SELECT id FROM audit.{audit.views['inv_24_outbox_gap'].name}")
        assert cursor.fetchall() == [(stream().id,)]
