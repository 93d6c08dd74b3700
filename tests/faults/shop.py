"""A running shop on the test's database, its processes within a test's reach, and both its books."""

import os
import signal
import sqlite3
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Self

from django.conf import settings
from django.db import OperationalError, connection
from django.test import override_settings

from core.management.children import sandbox_children, shop_children
from core.management.supervisor import Child, Supervisor
from core.models import Heartbeat
from orders.management.replay.look import parked_streams, undelivered_events
from tests.conftest import database_url
from tests.environment.conftest import REPOSITORY
from tests.faults.settings import SHORT_LEASE_SECONDS
from tests.ports import free_ports

ALL = ("web", "worker", "beat", "relay", "payment-sandbox", "carrier-sandbox")
BOOKS = ("payment-sandbox", "carrier-sandbox")
PATIENCE_SECONDS = 90  # on a machine that does other things too
SEVER = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = %s
"""
UNTOLD = "SELECT count(*) FROM notification WHERE delivered_at IS NULL"
UNTOLD_ROWS = "SELECT key, attempts, due_at FROM notification WHERE delivered_at IS NULL"
DIAGNOSIS = (
    "SELECT clock_timestamp(), name, at FROM core_heartbeat",
    "SELECT * FROM core_outboxstream WHERE delivered_seq < last_seq",
    """SELECT application_name, pid, pg_blocking_pids(pid), state, wait_event, state_change,
    left(query, 300) FROM pg_stat_activity WHERE datname = current_database()""",
    "SELECT * FROM pgmq.metrics_all()",
    "SELECT * FROM core_hook WHERE processed_at IS NULL",
)
UNREAD = "SELECT count(*) FROM pgmq.q_external WHERE vt <= clock_timestamp()"
WIPE = "SELECT count(pgmq.purge_queue(queue_name)) FROM pgmq.list_queues()"


class RunningShop:
    """Tend it often: what died is started again by that."""

    def __init__(self, children: Collection[Child], folder: Path) -> None:
        self.said: list[str] = []
        self.folder = folder
        self._children = {child.name: child for child in children}
        self._supervisor = Supervisor(
            children, log_dir=folder / "logs", working_dir=REPOSITORY, say=self.said.append
        )

    def __enter__(self) -> Self:
        self._supervisor.start()
        return self

    def __exit__(self, *_error: object) -> None:
        """At once: the test has seen what it wanted."""
        self._supervisor.stop(hurried=lambda: True)

    def tend(self) -> None:
        self._supervisor.tend()

    def until(self, ask: Callable[[], object]) -> None:
        """Tends the shop until the answer is true; fails when that takes too long."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not ask():
            self.tend()
            assert time.monotonic() < deadline, "it did not happen in time"
            time.sleep(0.05)

    def until_none(self, count: Callable[[], int]) -> None:
        """Tends the shop until nothing is left; fails when for long nothing of it goes away."""
        least = count()
        while least:
            before = least
            self.until(lambda: count() < before)  # noqa: B023 called at once
            least = count()

    def works(self, name: str) -> bool:
        """True for a process that has shown, since it was last hit, that it does its work."""
        answers = self._children[name].answers
        return name in self._supervisor.running() and answers is not None and answers()

    def kill(self, name: str) -> None:
        """As a power cut would: the process and all that it had started."""
        os.killpg(self._supervisor.pid_of(name), signal.SIGKILL)
        _stop_heart(name)

    def sever(self, name: str) -> None:
        """Ends the process's connections to the database, all of them."""
        rows(SEVER, name)
        _stop_heart(name)

    @contextmanager
    def paused(self, name: str) -> Iterator[None]:
        """The leader alone stands still: of a worker, who fetches and hands out the messages."""
        pid = self._supervisor.pid_of(name)
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def deaths(self, name: str) -> int:
        """How often it was found dead."""
        return sum(line.startswith(f"{name} ended") for line in self.said)

    def log(self, name: str) -> str:
        return (self.folder / "logs" / f"{name}.log").read_text()

    def diagnosis(self) -> Iterator[str]:
        """What a reader of a failed test needs: who lives, who waits for what, who said what."""
        yield f"running: {self._supervisor.running()}; said: {self.said}"
        for question in DIAGNOSIS:
            yield question
            yield from (f"  {row}" for row in rows(question))
        for name in BOOKS:
            yield f"{name} has not told: {read_book(self.folder, name, UNTOLD_ROWS)}"
        for name in self._children:
            yield f"--- {name}:"
            yield self.log(name)[-3000:]


def read_book(folder: Path, name: str, query: str) -> list[tuple]:
    """What a sandbox has recorded itself."""
    path = folder / f"{name}.sqlite3"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as book:
        return book.execute(query).fetchall()


def is_at_rest(folder: Path, *, books: Collection[str] = BOOKS) -> bool:
    """True when every event is delivered and every notification taken."""
    assert parked_streams() == []
    return not undelivered_events() and all(
        read_book(folder, name, UNTOLD) == [(0,)] for name in books
    )


@contextmanager
def own_place(folder: Path) -> Iterator[None]:
    """Ports and a folder for a test's own shop, in this process's settings too."""
    port = free_ports(3)
    with override_settings(
        PORT=port,
        STATE_DIR=folder,
        PUBLIC_URL=f"http://127.0.0.1:{port}",
        SANDBOX_PAYMENT_URL=f"http://127.0.0.1:{port + 1}",
        SANDBOX_CARRIER_URL=f"http://127.0.0.1:{port + 2}",
    ):
        yield


@contextmanager
def running(folder: Path, *names: str, **environment: str) -> Iterator[RunningShop]:
    """These of the shop's processes, in a place that is set."""
    with RunningShop(processes(*names, **environment), folder) as shop:
        yield shop


def processes(*names: str, **environment: str) -> list[Child]:
    """These of the shop's processes, not started yet, in a place that is set."""
    return [
        replace(child, environment=_environment(child) | environment)
        for child in shop_children() + sandbox_children()
        if child.name in names
    ]


def twin(name: str, **environment: str) -> Child:
    """A second process of that name."""
    [child] = processes(name, **environment)
    return replace(child, name=f"second-{name}", answers=None)


def _environment(child: Child) -> dict[str, str]:
    return {
        **child.environment,
        "DATABASE_URL": database_url(),
        "DJANGO_SETTINGS_MODULE": "tests.faults.settings",
        "PGAPPNAME": child.name,
        "PORT": str(settings.PORT),
        "STATE_DIR": str(settings.STATE_DIR),
    }


def _stop_heart(name: str) -> None:
    """Its next beat is a new sign of life."""
    Heartbeat.objects.filter(name=name).delete()


def has_unread_messages() -> bool:
    """True while the broker has a message that no worker has seen."""
    return rows(UNREAD) > [(0,)]


def wipe_queues() -> bool:
    """Empties the broker; False where somebody was just reading, and nothing has happened."""
    try:
        return bool(rows(WIPE))
    except OperationalError:
        return False


def wipe_unread(shop: RunningShop) -> bool:
    """Wipes the broker while it has messages; False where it had none for a while."""
    with shop.paused("worker"):  # so that what is wiped is in no worker's memory
        return soon(has_unread_messages) and wipe_queues()


def soon(ask: Callable[[], bool]) -> bool:
    """True if it comes about within a few seconds: a message handed over in vain comes again."""
    give_up_at = time.monotonic() + 2 * SHORT_LEASE_SECONDS
    while not (answer := ask()) and time.monotonic() < give_up_at:
        time.sleep(0.05)
    return answer


def rows(sql: str, *parameters: int | str) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall()
