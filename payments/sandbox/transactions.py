"""The list a merchant reconciles with: every movement of money that came about, in order."""

import sqlite3
from typing import Any

from . import faults

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
FEE_BASIS_POINTS, FEE_FIXED_MINOR = 140, 25


def record(database: sqlite3.Connection, *, kind: str, at: str, money: dict[str, Any]) -> None:
    """`money` is key, ref, amount_minor and currency."""
    database.execute(INSERT, {"kind": kind, "at": at} | money)


def fee_minor(kind: str, amount_minor: int) -> int:
    """What the sandbox keeps: half-up(1.4 % of a capture) + 25 minor units; of a refund nothing."""
    if kind == "refund":
        return 0
    return (amount_minor * FEE_BASIS_POINTS + 5_000) // 10_000 + FEE_FIXED_MINOR


def page(
    database: sqlite3.Connection, *, since: str, after_id: int, limit: int
) -> tuple[list[dict[str, Any]], int | None]:
    """Up to `limit` movements since then, and the id to go on after (None: these were the last)."""
    rows = database.execute(PAGE, (since, after_id, limit + 1)).fetchall()
    rates = faults.current(database)
    movements = [_listed(row, rates) for row in rows[:limit]]
    return movements, rows[limit - 1]["id"] if len(rows) > limit else None


def _listed(row: sqlite3.Row, rates: faults.Rates) -> dict[str, Any]:
    """A movement as the list has it; of one that it lies about the fee alone is true."""
    number, amount_minor = row["id"], row["amount_minor"]
    if rates.hits("lie_in_list", number):
        amount_minor = rates.lied("lie_in_list", number, amount_minor)
    fee = fee_minor(row["kind"], row["amount_minor"])
    told = {"id": f"txn_{number}", "amount_minor": amount_minor, "fee_minor": fee}
    return dict(row) | told
