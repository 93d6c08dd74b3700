"""The sandbox's durable record: one SQLite file, written by one transaction at a time."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path


def stamp(moment: datetime) -> str:
    """UTC with milliseconds and `Z`: of one length, so that text order is time order."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def now() -> str:
    return stamp(datetime.now(UTC))


class Book:
    """What a transaction wrote is on disk when it ends; only then are subscribers called."""

    def __init__(self, path: Path, *schemas: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._subscribers: list[Callable[[], None]] = []
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._database.row_factory = sqlite3.Row
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = FULL")
        self._database.execute("PRAGMA foreign_keys = ON")
        for schema in schemas:
            self._database.executescript(schema)

    def subscribe(self, callback: Callable[[], None]) -> None:
        self._subscribers.append(callback)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Not reentrant: a second one inside the first would wait for ever."""
        with self._lock:
            changes_before = self._database.total_changes
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
                self._database.execute("COMMIT")
            except BaseException:
                self._database.rollback()
                raise
            changed = self._database.total_changes > changes_before
        if changed:
            for callback in self._subscribers:
                callback()
