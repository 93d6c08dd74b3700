"""Celery's edges of the kernel: one line each, naming what they call."""

from celery import shared_task
from django.db import connection

from core import relay
from core.heartbeats import silent_hearts


@shared_task
def deliver_external_stream(stream_id: int) -> None:
    """Delivers one external stream; lost or repeated, it does no harm."""
    relay.deliver_external(stream_id)


def hand_over(stream_id: int) -> None:
    """Sends an external stream to the workers."""
    deliver_external_stream.delay(stream_id)


@shared_task
def drain_outbox() -> None:
    """Stands in for a relay that gives no sign of life; one round, for beat asks each second."""
    if "relay" in silent_hearts():
        relay.deliver(hand_over)


@shared_task
def heartbeat() -> None:
    """Proves that beat sends, the broker carries and a worker works."""
    beat(name="beat")
    beat(name="worker")


def beat(*, name: str) -> None:
    """Writes a heartbeat with the database's clock."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO core_heartbeat (name, at) VALUES (%s, clock_timestamp())"
            " ON CONFLICT (name) DO UPDATE SET at = excluded.at",
            [name],
        )
