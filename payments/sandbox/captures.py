"""Taking parts of what was authorised: settled in the book at once, told by a notification."""

import secrets
import sqlite3
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Any

from . import payments, transactions
from .book import Book, now
from .notifier import announce
from .server import RequestError, not_found

SCHEMA = """
CREATE TABLE IF NOT EXISTS capture (
    key TEXT PRIMARY KEY,
    ref TEXT NOT NULL UNIQUE,
    payment_key TEXT NOT NULL REFERENCES payment (key),
    amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),
    currency TEXT NOT NULL,
    is_last INTEGER NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('succeeded', 'failed'))
);
CREATE INDEX IF NOT EXISTS capture_of_payment ON capture (payment_key);
"""
INSERT = """
INSERT INTO capture (key, ref, payment_key, amount_minor, currency, is_last, status)
VALUES (:key, :ref, :payment_key, :amount_minor, :currency, :is_last, :status)
"""
COUNT = "SELECT count(*) FROM capture WHERE payment_key = ?"


@dataclass(frozen=True)
class Capture:
    key: str
    ref: str
    payment_key: str
    amount_minor: int
    currency: str
    is_last: int
    status: str


class Captures:
    """Every method is one transaction."""

    def __init__(self, book: Book) -> None:
        self.book = book

    def request(
        self, *, key: str, payment_key: str, amount_minor: int, is_last: bool
    ) -> tuple[Capture, bool]:
        """The capture under the key, and whether it is a new one."""
        with self.book.transaction() as database:
            if known := _find(database, key):
                if (known.payment_key, known.amount_minor) != (payment_key, amount_minor):
                    message = "The key has another capture."
                    facts = {"capture": asdict(known)}
                    raise RequestError(HTTPStatus.CONFLICT, "key_reused", message, **facts)
                return known, False
            payment = payments.find(database, payment_key)
            _refuse(payment, amount_minor)
            return _insert(database, payment, key, amount_minor, is_last=is_last), True

    def get(self, payment_key: str, key: str) -> Capture:
        with self.book.transaction() as database:
            capture = _find(database, key)
        if capture is None or capture.payment_key != payment_key:
            raise not_found(f"There is no capture {key}.")
        return capture


def _find(database: sqlite3.Connection, key: str) -> Capture | None:
    row = database.execute("SELECT * FROM capture WHERE key = ?", (key,)).fetchone()
    return Capture(**row) if row else None


def _refuse(payment: payments.Payment, amount_minor: int) -> None:
    if payment.status != "authorised":
        message = f"The payment is {payment.status}."
        raise RequestError(HTTPStatus.CONFLICT, "not_authorised", message)
    left_minor = payment.amount_minor - payment.captured_minor
    if amount_minor > left_minor:
        raise RequestError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "capture_exceeds_authorised",
            f"{left_minor} can still be captured.",
            capturable_minor=left_minor,
        )


def _insert(
    database: sqlite3.Connection,
    payment: payments.Payment,
    key: str,
    amount_minor: int,
    *,
    is_last: bool,
) -> Capture:
    """What is taken last, or leaves nothing, ends the authorisation; what fails changes nothing."""
    (tried,) = database.execute(COUNT, (payment.key,)).fetchone()
    outcome, at = payment.outcome, now()
    money: dict[str, Any] = {
        "key": key,
        "ref": f"cap_{secrets.token_urlsafe(16)}",
        "amount_minor": amount_minor,
        "currency": payment.currency,
    }
    capture = Capture(
        **money,
        payment_key=payment.key,
        is_last=int(is_last),
        status="failed" if tried < outcome.failing_captures else "succeeded",
    )
    database.execute(INSERT, asdict(capture))
    if capture.status == "succeeded":
        transactions.record(database, kind="capture", at=at, money=money)
        if is_last or payment.captured_minor + amount_minor == payment.amount_minor:
            payments.end_authorisation(database, payment.key)
    announce(
        database,
        kind=f"capture.{capture.status}",
        at=at,
        copies=outcome.copies,
        payment_key=payment.key,
        **money,
    )
    return capture
