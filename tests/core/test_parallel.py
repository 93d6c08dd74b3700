"""load(): all parts at once, each with its time; what does not come is missed by name, never raised."""

import os
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils.translation import get_language, override

from core import parallel
from core.errors import ProgrammingMistake
from core.models import Heartbeat
from core.origin import coming_from, origin
from core.parallel import LONGEST_SECONDS, THREADS, Part, Reason, limit, load

pytestmark = pytest.mark.django_db(transaction=True)

SHORT = 0.3


@pytest.fixture(autouse=True)
def at_once(settings: Any) -> Iterator[None]:
    settings.PARALLEL_LOADING = True
    yield
    parallel.end()


def ask(sql: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0]


def test_parts_run_at_once_or_would_never_end() -> None:
    barrier = threading.Barrier(THREADS)

    loaded = load(
        {str(number): Part(lambda: barrier.wait(LONGEST_SECONDS)) for number in range(THREADS)}
    )

    assert loaded.missing == {}
    assert sorted(loaded.values.values()) == list(range(THREADS))
    assert set(loaded.seconds) == set(loaded.values)


def test_each_part_has_a_connection_of_its_own_that_it_keeps() -> None:
    barrier = threading.Barrier(3)

    def backend() -> int:
        barrier.wait(LONGEST_SECONDS)
        return int(ask("SELECT pg_backend_pid()"))

    first, second = (load(dict.fromkeys("abc", Part(backend))) for _ in range(2))

    mine = ask("SELECT pg_backend_pid()")
    assert len({*first.values.values(), mine}) == 4
    assert len({*first.values.values(), *second.values.values()}) <= THREADS
    parallel.end()
    gone = f"SELECT count(*) FROM pg_stat_activity WHERE pid = ANY(ARRAY{[*first.values.values()]})"
    deadline = time.monotonic() + 5
    while ask(gone) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert ask(gone) == 0


def test_a_part_that_fails_is_missed_and_the_others_come() -> None:
    loaded = load(
        {
            "good": Part(lambda: 1),
            "bad": Part(lambda: 1 // 0),
            "sql": Part(lambda: ask("SELECT 1/0")),
        }
    )

    assert loaded.values == {"good": 1}
    assert loaded.missing == {"bad": Reason.FAILED, "sql": Reason.FAILED}
    assert load({"sql": Part(lambda: ask("SELECT 5"))}).values == {"sql": 5}


def test_nobody_waits_for_a_part_longer_than_its_time() -> None:
    done = threading.Event()
    began = time.monotonic()

    loaded = load({"slow": Part(lambda: done.wait(30), SHORT), "good": Part(lambda: 1)})

    assert time.monotonic() - began < 10
    done.set()
    assert loaded.values == {"good": 1}
    assert loaded.missing == {"slow": Reason.LATE}


def test_a_statement_that_hangs_is_ended_by_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "LONGEST_SECONDS", SHORT)

    loaded = load({"hangs": Part(lambda: ask("SELECT pg_sleep(30)"), 20.0)})

    assert loaded.missing == {"hangs": Reason.LATE}
    assert ask("SELECT current_setting('statement_timeout')") == "10s"  # the request's own


def test_a_part_for_which_there_is_no_thread_in_time_is_late() -> None:
    done = threading.Event()
    busy = {str(number): Part(lambda: done.wait(30), SHORT) for number in range(THREADS)}
    load(busy)

    loaded = load({"waits": Part(lambda: 1, SHORT)})

    done.set()
    assert loaded.missing == {"waits": Reason.LATE}


def test_clients_of_others_get_what_time_is_left() -> None:
    loaded = load({"limit": Part(lambda: limit(60), 2.0), "less": Part(lambda: limit(0.5), 2.0)})

    assert 0 < loaded.values["limit"] <= 2
    assert loaded.values["less"] == 0.5
    assert limit(60) == 60


def test_language_and_origin_go_with_the_parts() -> None:
    with override("de"), coming_from("web", "request-1"):
        loaded = load({"language": Part(get_language), "origin": Part(lambda: origin().request_id)})

    assert loaded.values == {"language": "de", "origin": "request-1"}


def test_a_part_has_no_parts_of_its_own() -> None:
    def nested() -> None:
        with pytest.raises(ProgrammingMistake):
            load({"inner": Part(lambda: 1)})

    assert load({"outer": Part(nested)}).missing == {}


def test_parts_are_not_read_inside_a_transaction() -> None:
    with transaction.atomic(), pytest.raises(ProgrammingMistake):
        load({"a": Part(lambda: 1)})


def test_one_after_the_other_they_see_what_the_transaction_has_written(settings: Any) -> None:
    settings.PARALLEL_LOADING = False
    with transaction.atomic():
        Heartbeat.objects.create(name="mine", at="2026-11-01T00:00Z")

        loaded = load(
            {
                "count": Part(Heartbeat.objects.filter(name="mine").count),
                "bad": Part(lambda: 1 // 0),
                "thread": Part(threading.current_thread),
                "nested": Part(lambda: load({})),
            }
        )

    assert loaded.values == {"count": 1, "thread": threading.current_thread()}
    assert loaded.missing == {"bad": Reason.FAILED, "nested": Reason.FAILED}


def test_a_severed_connection_costs_a_part_once() -> None:
    pid = load({"pid": Part(lambda: ask("SELECT pg_backend_pid()"))}).values["pid"]
    ask(f"SELECT pg_terminate_backend({pid}, 5000)")

    assert load({"again": Part(lambda: ask("SELECT 7"))}).values == {"again": 7}


def test_a_forked_child_starts_threads_and_connections_of_its_own() -> None:
    load({"a": Part(lambda: ask("SELECT 1"))})
    child = os.fork()
    if not child:
        code = 1
        try:
            connection.connection = None  # the parent's
            code = 0 if load({"a": Part(lambda: ask("SELECT 3"))}).values == {"a": 3} else 2
        finally:
            os._exit(code)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert load({"a": Part(lambda: ask("SELECT 1"))}).values == {"a": 1}
