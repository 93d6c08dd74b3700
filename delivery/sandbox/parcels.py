"""A parcel's way at the sandbox: nothing moves of its own accord, a scan is told to happen."""

import secrets
import sqlite3
from dataclasses import dataclass
from typing import Any

from .book import Book
from .notifier import announce
from .server import not_found

CODES = (
    "handed_over",
    "in_transit",
    "out_for_delivery",
    "delivered",
    "exception",
    "refused",
    "returned",
    "lost",
)

SCHEMA = """
CREATE TABLE IF NOT EXISTS parcel (
    key TEXT PRIMARY KEY,
    tracking_number TEXT NOT NULL UNIQUE
);
CREATE TABLE IF NOT EXISTS scan (
    sequence INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    key TEXT NOT NULL REFERENCES parcel (key),
    code TEXT NOT NULL,
    at TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS scan_of_parcel ON scan (key);
"""


@dataclass(frozen=True)
class Scan:
    id: str
    code: str
    at: str


@dataclass(frozen=True)
class Parcel:
    key: str
    tracking_number: str
    scans: tuple[Scan, ...] = ()

    @property
    def status(self) -> str:
        """What the latest scan to come in says."""
        return self.scans[-1].code if self.scans else "announced"


class Parcels:
    """Every method is one transaction."""

    def __init__(self, book: Book) -> None:
        self.book = book

    def announce(self, key: str) -> tuple[Parcel, bool]:
        """The parcel under the key, and whether it is a new one."""
        with self.book.transaction() as database:
            tracking_number = f"SB{secrets.randbelow(10**12):012}"
            inserted = database.execute(
                "INSERT INTO parcel VALUES (?, ?) ON CONFLICT (key) DO NOTHING",
                (key, tracking_number),
            )
            return _find(database, key), inserted.rowcount == 1

    def get(self, key: str) -> Parcel:
        with self.book.transaction() as database:
            return _find(database, key)

    def scan(self, *, key: str, code: str, at: str) -> Parcel:
        """Records the scan and tells it. Told twice, it happens twice, as with real carriers."""
        with self.book.transaction() as database:
            facts: dict[str, Any] = {"key": key, "code": code, "at": at}
            parcel = _find(database, key)
            identifier = announce(
                database, kind="parcel.scan", tracking_number=parcel.tracking_number, **facts
            )
            database.execute(
                "INSERT INTO scan (id, key, code, at) VALUES (:id, :key, :code, :at)",
                {"id": identifier, **facts},
            )
            return _find(database, key)


def _find(database: sqlite3.Connection, key: str) -> Parcel:
    parcel = database.execute("SELECT * FROM parcel WHERE key = ?", (key,)).fetchone()
    if parcel is None:
        raise not_found(f"There is no parcel {key}.")
    scans = database.execute(
        "SELECT id, code, at FROM scan WHERE key = ? ORDER BY sequence", (key,)
    )
    return Parcel(**parcel, scans=tuple(Scan(**scan) for scan in scans))
