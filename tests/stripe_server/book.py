"""The server's durable record: objects as Stripe shows them, stored answers, and events to be told."""

import json
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Object = dict[str, Any]

SCHEMA = """
CREATE TABLE IF NOT EXISTS object (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    created INTEGER NOT NULL,
    body TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS answer (
    key TEXT PRIMARY KEY,
    request TEXT NOT NULL,
    status INTEGER NOT NULL,
    body TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS event (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    body TEXT NOT NULL,
    copies INTEGER NOT NULL DEFAULT 1,
    due REAL NOT NULL,
    is_told INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS fault (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
PREFIXES = {
    "checkout.session": "cs_test",
    "payment_intent": "pi",
    "charge": "ch",
    "refund": "re",
    "balance_transaction": "txn",
    "dispute": "du",
    "event": "evt",
}


class Book:
    """One transaction at a time; what it wrote is on disk when it ends."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._database.row_factory = sqlite3.Row
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.executescript(SCHEMA)
        self.subscribers: list[Callable[[], None]] = []

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
            except BaseException:
                self._database.rollback()
                raise
            self._database.execute("COMMIT")
        for call in self.subscribers:
            call()


def new(database: sqlite3.Connection, kind: str, **members: Any) -> Object:
    """A new object, with an id in Stripe's manner and the moment of its birth."""
    created = int(time.time())
    identifier = f"{PREFIXES[kind]}_{secrets.token_hex(12)}"
    body = {"id": identifier, "object": kind, "created": created, "livemode": False, **members}
    database.execute(
        "INSERT INTO object (id, kind, created, body) VALUES (?, ?, ?, ?)",
        (identifier, kind, created, json.dumps(body)),
    )
    return body


def find(database: sqlite3.Connection, kind: str, identifier: str) -> Object | None:
    row = database.execute(
        "SELECT body FROM object WHERE id = ? AND kind = ?", (identifier, kind)
    ).fetchone()
    return json.loads(row["body"]) if row else None


def change(database: sqlite3.Connection, subject: Object, **members: Any) -> Object:
    subject.update(members)
    database.execute(
        "UPDATE object SET body = ? WHERE id = ?", (json.dumps(subject), subject["id"])
    )
    return subject


def newest_first(database: sqlite3.Connection, kind: str) -> list[Object]:
    rows = database.execute(
        "SELECT body FROM object WHERE kind = ? ORDER BY sequence DESC", (kind,)
    )
    return [json.loads(row["body"]) for row in rows]


def tell(database: sqlite3.Connection, type_: str, subject: Object) -> None:
    """An event is a picture of its object at that moment. The faults that are set act on it."""
    body = {
        "id": f"evt_{secrets.token_hex(12)}",
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": int(time.time()),
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": f"req_{secrets.token_hex(7)}", "idempotency_key": None},
        "type": type_,
        "data": {"object": {n: v for n, v in subject.items() if not n.startswith("_")}},
    }
    copies = 2 if take_fault(database, "duplicate") else 1
    if take_fault(database, "drop"):
        return
    delay_seconds = float(take_fault(database, "delay") or 0)
    database.execute(
        "INSERT INTO event (body, copies, due) VALUES (?, ?, ?)",
        (json.dumps(body), copies, time.time() + delay_seconds),
    )


def set_fault(database: sqlite3.Connection, name: str, value: str, count: int) -> None:
    """The next `count` times that the fault is asked for, it is there."""
    database.execute(
        "INSERT OR REPLACE INTO fault (name, value) VALUES (?, ?)",
        (name, json.dumps([value] * count)),
    )


def take_fault(database: sqlite3.Connection, name: str) -> str:
    row = database.execute("SELECT value FROM fault WHERE name = ?", (name,)).fetchone()
    left = json.loads(row["value"]) if row else []
    if not left:
        return ""
    database.execute("UPDATE fault SET value = ? WHERE name = ?", (json.dumps(left[1:]), name))
    return str(left[0])
