"""What the monitor mends by asking the channel, with the real sandbox process."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from pytest_django import Settings

from config.celery import app
from core import clock, monitor
from core.monitor import Level, Reading
from payments.models import Attempt, Refund
from tests.factories.money import (
    fresh_row,
    make_attempt,
    make_payment,
    request_refund,
)
from tests.payments.books import broken
from tests.sandboxes.conftest import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)

Until = Callable[[Callable[[], object]], object]


@pytest.fixture(autouse=True)
def eager() -> Iterator[None]:
    """Tasks run where they are sent."""
    app.conf.task_always_eager = True
    yield
    app.conf.task_always_eager = False


def look(code: str) -> Reading:
    [reading] = monitor.look([monitor.conditions[code]])
    return reading


def status(row: Attempt | Refund) -> str:
    return fresh_row(row).status


def test_the_outcome_of_a_payment_is_asked_for(
    channel: Sandbox, delivered: Until, settings: Settings
) -> None:
    settings.SANDBOX_ENDPOINT_ID = "gone"  # no notification arrives
    attempt = make_attempt(make_payment())
    delivered(lambda: channel.get(f"/payments/{attempt.pk}")["status"] == "captured")
    assert status(attempt) == "processing"
    clock.advance(timedelta(minutes=11))
    reading = look("S2")
    assert (reading.level, reading.subjects) == (Level.WARN, (str(attempt.pk),))

    monitor.repair(reading)
    monitor.repair(reading)

    assert status(attempt) == "succeeded"
    assert look("S2").level is Level.CALM
    assert broken() == []


def test_an_approved_refund_is_sent_once_whoever_sends_it(
    channel: Sandbox, delivered: Until
) -> None:
    payment = make_payment(1000)
    attempt = make_attempt(payment)
    delivered(lambda: status(attempt) == "succeeded")
    refund = request_refund(fresh_row(payment), 1000)
    clock.advance(timedelta(minutes=16))
    reading = look("S9")
    assert reading.level is Level.WARN

    monitor.repair(reading)
    assert channel.get(f"/payments/{attempt.pk}")["refunded_minor"] == 1000
    monitor.repair(reading)
    delivered(lambda: status(refund) == "succeeded")  # by its own event, which comes late

    assert channel.get(f"/payments/{attempt.pk}")["refunded_minor"] == 1000
    assert look("S9").level is Level.CALM
    assert fresh_row(payment).refunded_minor == 1000
    assert broken() == []
