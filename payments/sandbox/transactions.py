"""The list a merchant reconciles with: every movement of money that came about, in order."""

import sqlite3
from typing import Any

SCHEMA = """
CREATE TABLE IF NOT EXISTS movement (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL CHECK (kind IN ('capture', 'refund')),
    key TEXT NOT NULL,
    ref TEXT NOT NULL,
    amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),
    currency TEXT NOT NULL,
    at TEXT NOT NULL,
    UNIQUE (kind, key)
);
CREATE INDEX IF NOT EXISTS movement_at ON movement (at);
"""
INSERT = """
INSERT INTO movement (kind, key, ref, amount_minor, currency, at)
VALUES (:kind, :key, :ref, :amount_minor, :currency, :at)
"""
PAGE = "SELECT * FROM movement WHERE at >= ? AND id > ? ORDER BY id LIMIT ?"


def record(database: sqlite3.Connection, *, kind: str, at: str, money: dict[str, Any]) -> None:
    """`money` is key, ref, amount_minor and currency."""
    database.execute(INSERT, {"kind": kind, "at": at} | money)


def page(
    database: sqlite3.Connection, *, since: str, after_id: int, limit: int
) -> tuple[list[dict[str, Any]], int | None]:
    """Up to `limit` movements since then, and the id to go on after (None: these were the last)."""
    rows = database.execute(PAGE, (since, after_id, limit + 1)).fetchall()
    movements = [dict(row) | {"id": f"txn_{row['id']}"} for row in rows[:limit]]
    return movements, rows[limit - 1]["id"] if len(rows) > limit else None
