"""A service's transaction: durable, its own, repeated whole when a race is lost."""

from collections.abc import Callable, Iterator
from threading import Barrier, Event, Thread
from typing import Any

import pytest
from django.db import IntegrityError, OperationalError, connection, transaction
from django.utils import timezone

from core.command import MOST_TRIES, carrier, command, in_savepoint, running, sqlstate
from core.errors import Conflict, ProgrammingMistake
from core.models import Heartbeat
from tests.threads import succeeded, together

committing = pytest.mark.django_db(transaction=True)


def beat(name: str) -> None:
    Heartbeat.objects.create(name=name, at=timezone.now())


def lock(name: str) -> None:
    Heartbeat.objects.select_for_update().get(name=name)


@command
def heart_add(*, name: str) -> str:
    beat(name)
    return name


@committing
def test_what_has_returned_is_committed() -> None:
    assert heart_add(name="a") == "a"

    assert not connection.in_atomic_block
    assert Heartbeat.objects.filter(name="a").exists()


@committing
def test_an_error_undoes_the_whole_service() -> None:
    @command
    def heart_add_badly() -> None:
        beat("a")
        raise Conflict("heart.broken", "It is broken.")

    with pytest.raises(Conflict):
        heart_add_badly()

    assert not Heartbeat.objects.exists()


@committing
@pytest.mark.parametrize("keeps", [True, False])
def test_a_part_may_be_undone_and_the_rest_goes_on(keeps: bool) -> None:
    @command
    def heart_try() -> bool:
        beat("a")
        answer = in_savepoint(heart, keep=lambda _: keeps)
        beat("c")
        return answer

    def heart() -> bool:
        beat("b")
        return True

    assert heart_try()

    names = set(Heartbeat.objects.values_list("name", flat=True))
    assert names == ({"a", "b", "c"} if keeps else {"a", "c"})


def test_a_part_needs_a_command_to_be_a_part_of() -> None:
    with pytest.raises(ProgrammingMistake):
        in_savepoint(lambda: None, keep=bool)


@committing
def test_a_service_inside_another_is_refused() -> None:
    @command
    def outer() -> None:
        heart_add(name="a")

    with pytest.raises(ProgrammingMistake, match="heart_add called inside another command"):
        outer()

    assert not Heartbeat.objects.exists()


@committing
def test_a_service_inside_a_plain_transaction_is_refused() -> None:
    with pytest.raises(RuntimeError, match="durable"), transaction.atomic():
        heart_add(name="a")


@committing
def test_the_next_service_runs_after_one_that_failed() -> None:
    @command
    def outer() -> None:
        heart_add(name="a")

    with pytest.raises(ProgrammingMistake):
        outer()

    assert heart_add(name="b") == "b"


@committing
def test_a_carrier_carries_one_service() -> None:
    with carrier():
        heart_add(name="a")

    assert Heartbeat.objects.get().name == "a"


@committing
def test_a_carrier_refuses_a_second_service() -> None:
    def carry_two() -> None:
        with carrier():
            heart_add(name="a")
            heart_add(name="b")

    with pytest.raises(ProgrammingMistake):
        carry_two()

    assert not Heartbeat.objects.exists()


@committing
def test_a_service_in_a_carrier_carries_no_other() -> None:
    @command
    def outer() -> None:
        heart_add(name="a")

    with pytest.raises(ProgrammingMistake), carrier():
        outer()

    assert not Heartbeat.objects.exists()


@committing
def test_outside_of_a_command_there_is_no_running_transaction() -> None:
    with pytest.raises(ProgrammingMistake), transaction.atomic():
        running()


def hold(name: str, ready: Event, until: Event) -> None:
    """Another connection that holds the row's lock."""
    with transaction.atomic():
        lock(name)
        ready.set()
        until.wait(20)
    connection.close()


@pytest.fixture
def held_row(transactional_db: None) -> Iterator[Callable[[], None]]:
    """The row `a`, locked by another connection until the fixture's value is called."""
    beat("a")
    ready, until = Event(), Event()
    holder = Thread(target=hold, args=["a", ready, until])
    holder.start()
    ready.wait(20)

    def let_go() -> None:
        until.set()
        holder.join()

    yield let_go
    let_go()


def wait_shortly() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '20ms'")


def test_a_lock_that_took_too_long_repeats_the_whole_service(
    held_row: Callable[[], None],
) -> None:
    tries = []

    @command
    def impatient() -> None:
        wait_shortly()
        tries.append(running())
        beat(f"try {len(tries)}")
        if len(tries) == 3:
            held_row()
        lock("a")

    impatient()

    assert len(set(map(id, tries))) == 3
    assert set(Heartbeat.objects.values_list("name", flat=True)) == {"a", "try 3"}


def test_a_race_lost_four_times_is_lost(held_row: Callable[[], None]) -> None:
    tries = []

    @command
    def impatient() -> None:
        wait_shortly()
        tries.append(1)
        lock("a")

    with pytest.raises(OperationalError) as lost:
        impatient()

    assert sqlstate(lost.value) == "55P03"
    assert len(tries) == MOST_TRIES == 4


@committing
def test_the_victim_of_a_deadlock_is_repeated() -> None:
    beat("a")
    beat("b")
    tries: list[str] = []
    crossing = Barrier(2)

    def cross(first: str, second: str) -> Callable[[], str]:
        @command
        def locker() -> str:
            lock(first)
            if tries.count(first) == 0:
                tries.append(first)
                crossing.wait(20)
            else:
                tries.append(first)
            lock(second)
            return first

        return locker

    assert succeeded(together(cross("a", "b"), cross("b", "a"))) == ["a", "b"]
    assert len(tries) == 3


@committing
def test_a_snapshot_that_another_overtook_is_repeated() -> None:
    beat("a")
    tries = []

    def overtake() -> None:
        Heartbeat.objects.filter(name="a").update(at=timezone.now())

    @command
    def snapshot() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        Heartbeat.objects.count()
        tries.append(1)
        if len(tries) == 1:
            succeeded(together(overtake))
        overtake()

    snapshot()

    assert len(tries) == 2


@pytest.mark.parametrize(
    ("break_something", "error"),
    [
        (lambda: beat("a"), IntegrityError),
        (lambda: connection.cursor().execute("SELECT pg_sleep(1)"), OperationalError),
        (lambda: int("x"), ValueError),
    ],
    ids=["unique", "statement timeout", "python"],
)
@committing
def test_no_other_error_is_repeated(
    break_something: Callable[[], Any], error: type[Exception]
) -> None:
    beat("a")
    tries = []

    @command
    def breaking() -> None:
        tries.append(1)
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = '20ms'")
        break_something()

    with pytest.raises(error):
        breaking()

    assert len(tries) == 1
