"""Celery's edges of the kernel: one line each, naming what they call."""

from celery import shared_task

from core import alarms, relay
from core.heartbeats import beat, silent_hearts
from core.monitor import Pace


@shared_task
def deliver_external_stream(stream_id: int) -> None:
    """Delivers one external stream; lost or repeated, it does no harm."""
    relay.deliver_external(stream_id)


def hand_over(stream_id: int) -> None:
    """Sends an external stream to the workers."""
    deliver_external_stream.delay(stream_id)


def hand_over_patiently(stream_id: int) -> None:
    """The same for one that others may overtake."""
    deliver_external_stream.apply_async((stream_id,), queue="patient")


@shared_task
def drain_outbox() -> None:
    """Stands in for a relay that gives no sign of life; one round, for beat asks each second."""
    if "relay" in silent_hearts():
        relay.deliver(hand_over, patient=hand_over_patiently)


@shared_task
def heartbeat() -> None:
    """Proves that beat sends, the broker carries and a worker works."""
    beat(name="beat")
    beat(name="worker")


@shared_task
def watch() -> None:
    """Every half minute: what may not stay as it is, where an index finds it."""
    alarms.watch(Pace.QUICK)


@shared_task
def watch_books() -> None:
    """Every five minutes: what only whole tables tell."""
    alarms.watch(Pace.SLOW)
