"""Signed notifications: recorded with the fact they tell, sent until they are taken."""

import json
import logging
import sqlite3
import threading
import time
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx
from standardwebhooks import Webhook

from .book import Book, now, stamp

SENDERS = 8
ANSWER_TIMEOUT_SECONDS = 5
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 30
DOUBLINGS = 8  # more would pass the longest pause

SCHEMA = """
CREATE TABLE IF NOT EXISTS notification (
    sequence INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    key TEXT NOT NULL,
    body TEXT NOT NULL,
    copies INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    due_at TEXT NOT NULL,
    delivered_at TEXT
);
CREATE INDEX IF NOT EXISTS notification_due
    ON notification (due_at) WHERE delivered_at IS NULL;
CREATE INDEX IF NOT EXISTS notification_of_key
    ON notification (key, sequence) WHERE delivered_at IS NULL;
"""

# One key's notifications leave in their order, one at a time; others do not wait for them.
NEXT = """
SELECT * FROM notification AS n
WHERE delivered_at IS NULL AND NOT EXISTS (
    SELECT 1 FROM notification AS earlier
    WHERE earlier.delivered_at IS NULL AND earlier.key = n.key AND earlier.sequence < n.sequence
)
ORDER BY due_at LIMIT ?
"""

log = logging.getLogger(__name__)


def announce(
    database: sqlite3.Connection, *, kind: str, key: str, at: str, copies: int = 1, **facts: object
) -> str:
    """Records it in the caller's transaction and returns its id; `at` is when its fact happened."""
    identifier = f"evt_{uuid4().hex}"
    body = json.dumps({"id": identifier, "kind": kind, "key": key, **facts, "at": at})
    database.execute(
        "INSERT INTO notification (id, key, body, copies, due_at) VALUES (?, ?, ?, ?, ?)",
        (identifier, key, body, copies, now()),
    )
    return identifier


def hasten(database: sqlite3.Connection, key: str) -> None:
    """What waits for its next try under the key is due at once."""
    database.execute(
        "UPDATE notification SET due_at = ? WHERE key = ? AND delivered_at IS NULL", (now(), key)
    )


def pause_seconds(attempts: int) -> float:
    """How long to wait after that many tries that were not taken."""
    return min(FIRST_PAUSE_SECONDS * 2.0 ** min(attempts - 1, DOUBLINGS), LONGEST_PAUSE_SECONDS)


class Notifier:
    def __init__(self, book: Book, url: str, secret: str) -> None:
        self._book = book
        self._url = url
        self._webhook = Webhook(secret)
        # Loopback traffic: a proxy named by the environment has no part in it.
        self._client = httpx.Client(timeout=ANSWER_TIMEOUT_SECONDS, trust_env=False)
        self._changed = threading.Condition()
        self._in_flight: set[int] = set()

    def start(self) -> None:
        """What an earlier process left behind is due at once."""
        with self._book.transaction() as database:
            database.execute(
                "UPDATE notification SET due_at = ?, attempts = 0 WHERE delivered_at IS NULL",
                (now(),),
            )
        self._book.subscribe(self._wake)
        for number in range(SENDERS):
            threading.Thread(target=self._run, name=f"sender-{number}", daemon=True).start()

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify()

    def _run(self) -> None:
        while True:
            try:
                self._deliver(self._claim())
            except Exception:
                log.exception("A notification could not be handled.")
                time.sleep(1)

    def _claim(self) -> sqlite3.Row:
        """Waits for a notification that is due and that no other sender has."""
        with self._changed:
            while True:
                notification = self._next()
                if notification and notification["due_at"] <= now():
                    self._in_flight.add(notification["sequence"])
                    # One commit wakes one sender, and may have recorded more than one notification.
                    self._changed.notify()
                    return notification
                self._changed.wait(_seconds_until(notification["due_at"]) if notification else None)

    def _next(self) -> sqlite3.Row | None:
        # The other senders hold fewer than that many, so one that is free is among them.
        with self._book.transaction() as database:
            rows = database.execute(NEXT, (SENDERS,)).fetchall()
        return next((row for row in rows if row["sequence"] not in self._in_flight), None)

    def _deliver(self, notification: sqlite3.Row) -> None:
        try:
            taken = all(self._send(notification) for _ in range(notification["copies"]))
            self._record(notification, taken=taken)
        finally:
            with self._changed:
                self._in_flight.discard(notification["sequence"])

    def _send(self, notification: sqlite3.Row) -> bool:
        sent_at = datetime.now(UTC)
        identifier, body = notification["id"], notification["body"]
        headers = {
            "Content-Type": "application/json",
            "webhook-id": identifier,
            "webhook-timestamp": str(int(sent_at.timestamp())),
            "webhook-signature": self._webhook.sign(identifier, sent_at, body),
        }
        try:
            return self._client.post(self._url, content=body, headers=headers).is_success
        except httpx.HTTPError as error:
            log.info("%s is not taken: %r", identifier, error)
            return False

    def _record(self, notification: sqlite3.Row, *, taken: bool) -> None:
        attempts = notification["attempts"] + 1
        due_at = datetime.now(UTC) + timedelta(seconds=pause_seconds(attempts))
        with self._book.transaction() as database:
            database.execute(
                "UPDATE notification SET attempts = ?, due_at = ?, delivered_at = ? "
                "WHERE sequence = ?",
                (attempts, stamp(due_at), now() if taken else None, notification["sequence"]),
            )


def _seconds_until(due_at: str) -> float:
    return max((datetime.fromisoformat(due_at) - datetime.now(UTC)).total_seconds(), 0.001)
