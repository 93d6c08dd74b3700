"""The parts of a page are read at the same time, and one that does not come is missed by name.

A few threads of the process read them, each on a database connection of its own that it keeps: apart
from the requests' pool, and with a statement timeout of its own. Nothing is written here.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from copy import deepcopy
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.utils import load_backend
from django.utils.translation import get_language, override

from core.command import sqlstate
from core.errors import ProgrammingMistake

logger = logging.getLogger(__name__)

THREADS = 10  # as many as a page has parts
LONGEST_SECONDS = 3.0
TIMED_OUT = "57014"  # PostgreSQL has ended the statement


@dataclass(frozen=True, slots=True)
class Part:
    """What to read, and how long the page waits for it."""

    read: Callable[[], Any]
    seconds: float = LONGEST_SECONDS


class Reason(StrEnum):
    """Why a part is missing."""

    LATE = "late"
    FAILED = "failed"


@dataclass(slots=True)
class Loaded:
    """What came, what did not and why, and how many seconds each part that came took, and all."""

    values: dict[str, Any] = field(default_factory=dict)
    missing: dict[str, Reason] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    all_seconds: float = 0.0

    def take(self, name: str, result: Callable[[], tuple[Any, float]]) -> None:
        """Keeps a part's value and seconds, or why there is none."""
        try:
            self.values[name], self.seconds[name] = result()
        except Exception as error:  # noqa: BLE001 whatever it is, the page does without the part
            late = isinstance(error, TimeoutError) or sqlstate(error) == TIMED_OUT
            self.missing[name] = Reason.LATE if late else Reason.FAILED
            logger.warning("%s is missing from a page, %s: %r", name, self.missing[name], error)


# When the part that is running has to be done, by the monotonic clock.
_until: ContextVar[float | None] = ContextVar("until", default=None)


def load(parts: Mapping[str, Part]) -> Loaded:
    """Reads all parts at once and waits for none longer than its time; no part's error is raised.

    With `settings.PARALLEL_LOADING` off they are read one after the other on the caller's own
    connection, as tests inside a transaction need it. Raises ProgrammingMistake inside a part or a
    transaction: what that has written, other connections do not see.
    """
    if _until.get() is not None:
        raise ProgrammingMistake("a part of a page has no parts of its own")
    loaded, began = Loaded(), time.monotonic()
    if settings.PARALLEL_LOADING:
        _at_once(parts, loaded, began)
    else:
        for name, part in parts.items():
            loaded.take(name, lambda: _read(part, time.monotonic() + part.seconds))  # noqa: B023 at once
    loaded.all_seconds = time.monotonic() - began
    return loaded


def _at_once(parts: Mapping[str, Part], loaded: Loaded, began: float) -> None:
    if connection.in_atomic_block:
        raise ProgrammingMistake("parts are read outside of transactions")
    running = {name: _threads().submit(part, began + part.seconds) for name, part in parts.items()}
    for name, future in running.items():
        left = began + parts[name].seconds - time.monotonic()
        loaded.take(name, lambda: future.result(max(left, 0)))  # noqa: B023 called at once
        future.cancel()  # where no thread has come to it: nobody waits for it any more


def limit(seconds: float) -> float:
    """That many seconds, or what is left to the part that is running: for clients of others."""
    until = _until.get()
    return seconds if until is None else max(0.001, min(seconds, until - time.monotonic()))


def end() -> None:
    """Ends the threads with their connections; the next page starts new ones."""
    global _running
    with _starting:
        threads, _running = _running, None
    if threads:
        threads.end()


def _read(part: Part, until: float) -> tuple[Any, float]:
    token, began = _until.set(until), time.monotonic()
    try:
        return part.read(), time.monotonic() - began
    finally:
        _until.reset(token)


class _Threads:
    """The threads of a process, and the connection of each."""

    def __init__(self) -> None:
        self._connections: list[Any] = []
        self._pool = ThreadPoolExecutor(THREADS, "part", initializer=self._connect)

    def _connect(self) -> None:
        given = deepcopy(connections[DEFAULT_DB_ALIAS].settings_dict)
        given["OPTIONS"].pop("pool", None)
        given["CONN_MAX_AGE"] = None
        options = given["OPTIONS"].get("options", "")
        given["OPTIONS"]["options"] = f"{options} -c statement_timeout={LONGEST_SECONDS * 1000:.0f}"
        own = load_backend(given["ENGINE"]).DatabaseWrapper(given, DEFAULT_DB_ALIAS)
        connections[DEFAULT_DB_ALIAS] = own
        self._connections.append(own)

    def submit(self, part: Part, until: float) -> Any:
        """The part's future. The caller's language and origin go with it."""
        return self._pool.submit(copy_context().run, self._run, part, until, get_language())

    def _run(self, part: Part, until: float, language: str | None) -> tuple[Any, float]:
        try:
            with override(language):
                return _read(part, until)
        finally:
            connection.close_if_unusable_or_obsolete()

    def end(self) -> None:
        self._pool.shutdown(cancel_futures=True)
        for own in self._connections:
            own.inc_thread_sharing()
            own.close()


_running: _Threads | None = None
_starting = threading.Lock()


def _threads() -> _Threads:
    global _running
    with _starting:
        if _running is None:
            _running = _Threads()
        return _running


def _start_anew() -> None:
    global _running, _starting
    _running, _starting = None, threading.Lock()


# A child has none of its parent's threads, and must not use its connections.
os.register_at_fork(after_in_child=_start_anew)
