"""Business time: the database's clock and an offset that only goes forward, and only where it may."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction
from pytest_django import Settings

from core import clock
from core.command import command
from core.errors import ProgrammingMistake
from core.models import BusinessClock, Heartbeat
from tests.factories import make_merchant
from tests.threads import succeeded, together

pytestmark = pytest.mark.django_db


def ahead() -> timedelta:
    """How far business time runs ahead of the machine's."""
    return clock.now() - datetime.now(UTC)


def test_business_time_is_the_time_of_the_database() -> None:
    assert abs(ahead()) < timedelta(seconds=5)


def test_it_can_be_moved_forward() -> None:
    clock.advance(timedelta(days=14))
    moved = clock.advance(timedelta(hours=1))

    assert abs(ahead() - timedelta(days=14, hours=1)) < timedelta(seconds=5)
    assert abs(clock.now() - moved) < timedelta(seconds=5)


def test_it_never_goes_back() -> None:
    with pytest.raises(ValueError, match="never goes back"):
        clock.advance(timedelta(seconds=-1))


@pytest.mark.django_db(transaction=True)
def test_two_who_move_it_at_once_both_move_it() -> None:
    succeeded(together(*[lambda: clock.advance(timedelta(hours=1))] * 8))

    assert BusinessClock.objects.get().offset == timedelta(hours=8)


def test_it_stands_firm_where_there_is_neither_demo_nor_test(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DEMO = False
    assert clock.movable()
    monkeypatch.setitem(connection.settings_dict, "NAME", "quayside")

    assert not clock.movable()
    with pytest.raises(ProgrammingMistake):
        clock.advance(timedelta(days=1))
    with pytest.raises(ProgrammingMistake):
        clock.begin_earlier(timedelta(days=1))

    settings.DEMO = True
    assert clock.movable()


def test_it_can_be_asked_in_a_query() -> None:
    clock.advance(timedelta(days=30))
    Heartbeat.objects.create(name="a", at=datetime.now(UTC) + timedelta(days=29))

    assert Heartbeat.objects.filter(at__lt=clock.BusinessNow()).exists()
    assert not Heartbeat.objects.filter(at__lt=clock.BusinessNow() - timedelta(days=2)).exists()


def test_it_goes_on_within_a_transaction() -> None:
    @command
    def twice() -> tuple[datetime, datetime]:
        first = clock.now()
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(0.05)")
        return first, clock.now()

    first, second = twice()

    assert second - first >= timedelta(seconds=0.05)


@pytest.mark.django_db(transaction=True)
def test_a_move_is_seen_by_a_transaction_that_is_running() -> None:
    with transaction.atomic():
        before = clock.now()
        succeeded(together(lambda: clock.advance(timedelta(days=1))))
        assert clock.now() - before > timedelta(hours=23)


def test_the_clock_is_one_row() -> None:
    assert BusinessClock.objects.get().pk == 1


def test_it_may_begin_in_the_past_where_nothing_has_happened_yet() -> None:
    assert clock.begin_earlier(timedelta(days=3))
    assert abs(ahead() + timedelta(days=3)) < timedelta(seconds=5)
    assert clock.behind() == timedelta(days=3)

    clock.advance(timedelta(days=5))
    assert clock.behind() == timedelta(0)


def test_what_has_happened_pins_its_beginning() -> None:
    make_merchant()
    assert not clock.begin_earlier(timedelta(days=3))
    assert abs(ahead()) < timedelta(seconds=5)
