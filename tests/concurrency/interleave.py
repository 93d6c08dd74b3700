"""Runs one piece of work in the middle of another, at a statement of our choice, and not by chance.

The first stops before its k-th statement, COMMIT counted as one, and the second runs whole. Where
the second waits for a lock of the first (PostgreSQL is asked, no time is guessed), the first goes
on. For every k these are all the orders in which one of two transactions can be overtaken.
"""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event
from time import sleep
from typing import Any

from django.db import connection, connections

from core.errors import DomainError

Work = Callable[[], object]

TABLE = re.compile(r'(?:FROM|INTO|UPDATE|JOIN)\s+"?(\w+_\w+)"?')
PATIENCE_SECONDS = 30
NEVER = 10**6


@dataclass(frozen=True, slots=True)
class Pause:
    """Where the first stood: before its k-th statement, which reads or writes that table."""

    statement: int
    what: str

    def __str__(self) -> str:
        return f"{self.statement} {self.what}"


@dataclass(frozen=True, slots=True)
class Meeting:
    """How it went: the pause (None: the first was through before), and how each ended."""

    pause: Pause | None
    statements: int
    waited: bool
    first: str
    second: str


class Halt:
    """Counts a thread's statements and stops it before one of them."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.seen = 0
        self.pause: Pause | None = None
        self.reached, self.let_go = Event(), Event()

    def __call__(
        self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any
    ) -> Any:
        self.step(what_of(sql))
        return execute(sql, params, many, context)

    def step(self, what: str) -> None:
        self.seen += 1
        if self.seen == self.at:
            self.pause = Pause(self.seen, what)
            self.reached.set()
            assert self.let_go.wait(PATIENCE_SECONDS), "nobody let it go"


def what_of(sql: str) -> str:
    """The first table of a statement, or its first word."""
    found = TABLE.search(sql)
    return found[1] if found else sql.split()[0]


class Stage:
    """Two threads with a connection each, kept for many meetings."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(1), ThreadPoolExecutor(1)
        self._pids = [thread.submit(_backend).result() for thread in self._threads]

    def close(self) -> None:
        for thread in self._threads:
            thread.submit(lambda: connection.close()).result()
            thread.shutdown()

    def meet(self, first: Work, second: Work, *, at: int) -> Meeting:
        """The second runs while the first stands before its `at`-th statement.

        Domain refusals are ways to end; any other error is raised here.
        """
        halt = Halt(at)
        going = self._threads[0].submit(_halting, first, halt)
        assert halt.reached.wait(PATIENCE_SECONDS)
        coming = self._threads[1].submit(_ended, second)
        try:
            waited = self._is_held_up(coming)
        finally:
            halt.let_go.set()
            wait([going, coming], PATIENCE_SECONDS)
        return Meeting(
            pause=halt.pause,
            first=going.result(PATIENCE_SECONDS),
            second=coming.result(PATIENCE_SECONDS),
            statements=halt.seen,
            waited=waited,
        )

    def _is_held_up(self, coming: "Future[str]") -> bool:
        """True once the second waits for the first, False once it is through."""
        with connection.cursor() as cursor:
            while not coming.done():
                cursor.execute("SELECT %s = ANY(pg_blocking_pids(%s))", self._pids)
                if cursor.fetchone()[0]:
                    return True
                sleep(0.001)
        return False


def _backend() -> int:
    connection.ensure_connection()
    pid: int = connection.connection.info.backend_pid
    return pid


def _halting(work: Work, halt: Halt) -> str:
    own = connections["default"]
    commit = own.commit

    def halt_and_commit() -> None:
        halt.step("COMMIT")
        commit()

    own.commit = halt_and_commit  # type: ignore[method-assign]
    try:
        with own.execute_wrapper(halt):
            return _ended(work)
    finally:
        own.commit = commit  # type: ignore[method-assign]
        halt.reached.set()


def _ended(work: Work) -> str:
    try:
        work()
    except DomainError as refusal:
        return refusal.code
    return "done"


@contextmanager
def stage() -> Iterator[Stage]:
    """A stage for the time of a test."""
    made = Stage()
    try:
        yield made
    finally:
        made.close()
