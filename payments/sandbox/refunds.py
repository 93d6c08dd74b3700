"""Money that goes back: settled in the book at once, told by a notification."""

import secrets
import sqlite3
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Any

from . import payments, transactions
from .book import Book, now
from .faults import announce
from .server import RequestError, not_found

SCHEMA = """
CREATE TABLE IF NOT EXISTS refund (
    key TEXT PRIMARY KEY,
    ref TEXT NOT NULL UNIQUE,
    payment_key TEXT NOT NULL REFERENCES payment (key),
    amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),
    currency TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('succeeded', 'failed'))
);
CREATE INDEX IF NOT EXISTS refund_of_payment ON refund (payment_key);
"""
INSERT = """
INSERT INTO refund (key, ref, payment_key, amount_minor, currency, status)
VALUES (:key, :ref, :payment_key, :amount_minor, :currency, :status)
"""


@dataclass(frozen=True)
class Refund:
    key: str
    ref: str
    payment_key: str
    amount_minor: int
    currency: str
    status: str


class Refunds:
    def __init__(self, book: Book) -> None:
        self.book = book

    def request(self, *, key: str, payment_key: str, amount_minor: int) -> tuple[Refund, bool]:
        """The refund under the key, and whether it is a new one."""
        with self.book.transaction() as database:
            if known := _find(database, key):
                if (known.payment_key, known.amount_minor) != (payment_key, amount_minor):
                    message = "The key has another refund."
                    facts = {"refund": asdict(known)}
                    raise RequestError(HTTPStatus.CONFLICT, "key_reused", message, **facts)
                return known, False
            payment = payments.find(database, payment_key)
            # A refund is settled when it is recorded, and one that failed has taken nothing.
            refundable_minor = payment.captured_minor - payment.refunded_minor
            if amount_minor > refundable_minor:
                raise RequestError(
                    HTTPStatus.UNPROCESSABLE_ENTITY,
                    "refund_exceeds_captured",
                    f"{refundable_minor} can still be refunded.",
                    refundable_minor=refundable_minor,
                )
            return _insert(database, payment, key=key, amount_minor=amount_minor), True

    def get(self, key: str) -> Refund:
        with self.book.transaction() as database:
            refund = _find(database, key)
        if refund is None:
            raise not_found(f"There is no refund {key}.")
        return refund


def _find(database: sqlite3.Connection, key: str) -> Refund | None:
    row = database.execute("SELECT * FROM refund WHERE key = ?", (key,)).fetchone()
    return Refund(**row) if row else None


def _insert(
    database: sqlite3.Connection, payment: payments.Payment, *, key: str, amount_minor: int
) -> Refund:
    outcome, at = payment.outcome, now()
    money: dict[str, Any] = {
        "key": key,
        "ref": f"ref_{secrets.token_urlsafe(16)}",
        "amount_minor": amount_minor,
        "currency": payment.currency,
    }
    refund = Refund(**money, payment_key=payment.key, status=outcome.refund_status)
    database.execute(INSERT, asdict(refund))
    if refund.status == "succeeded":
        transactions.record(database, kind="refund", at=at, money=money)
    announce(database, kind=f"refund.{refund.status}", at=at, copies=outcome.copies, **money)
    return refund
