"""Money that leaves for a bank account: settled in the book at once, told by a notification.

The last digits of an account say what becomes of it, as a token does of a payment.
"""

import secrets
import sqlite3
from dataclasses import asdict, dataclass
from http import HTTPStatus

from .book import Book, now
from .notifier import announce
from .server import RequestError, not_found

SCHEMA = """
CREATE TABLE IF NOT EXISTS payout (
    key TEXT PRIMARY KEY,
    ref TEXT NOT NULL UNIQUE,
    amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),
    currency TEXT NOT NULL,
    holder TEXT NOT NULL,
    iban TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('sent', 'paid', 'failed')),
    failure TEXT NOT NULL
);
"""
INSERT = """
INSERT INTO payout (key, ref, amount_minor, currency, holder, iban, status, failure)
VALUES (:key, :ref, :amount_minor, :currency, :holder, :iban, :status, :failure)
"""
# How an account number ends → what becomes of its payouts, and why.
CLOSED_ACCOUNT, SILENT_ACCOUNT = "000404", "000408"
OUTCOMES = {CLOSED_ACCOUNT: ("failed", "account_closed"), SILENT_ACCOUNT: ("sent", "")}
PAID = ("paid", "")


@dataclass(frozen=True)
class NewPayout:
    key: str
    amount_minor: int
    currency: str
    holder: str
    iban: str


@dataclass(frozen=True)
class Payout(NewPayout):
    ref: str
    status: str
    failure: str


class Payouts:
    def __init__(self, book: Book) -> None:
        self.book = book

    def request(self, new: NewPayout) -> tuple[Payout, bool]:
        """The payout under the key, and whether it is a new one."""
        with self.book.transaction() as database:
            if known := _find(database, new.key):
                if any(getattr(known, name) != value for name, value in asdict(new).items()):
                    message = "The key has another payout."
                    facts = {"payout": asdict(known)}
                    raise RequestError(HTTPStatus.CONFLICT, "key_reused", message, **facts)
                return known, False
            return _insert(database, new), True

    def get(self, key: str) -> Payout:
        with self.book.transaction() as database:
            payout = _find(database, key)
        if payout is None:
            raise not_found(f"There is no payout {key}.")
        return payout

    def release(self, key: str) -> Payout:
        """The silent bank has paid at last; one that is settled stays as it is."""
        with self.book.transaction() as database:
            payout = _find(database, key)
            if payout is None:
                raise not_found(f"There is no payout {key}.")
            if payout.status == "sent":
                database.execute("UPDATE payout SET status = 'paid' WHERE key = ?", (key,))
                payout = Payout(**asdict(payout) | {"status": "paid"})
                _tell(database, payout)
        return payout


def _find(database: sqlite3.Connection, key: str) -> Payout | None:
    row = database.execute("SELECT * FROM payout WHERE key = ?", (key,)).fetchone()
    return Payout(**row) if row else None


def _insert(database: sqlite3.Connection, new: NewPayout) -> Payout:
    status, failure = OUTCOMES.get(new.iban[-6:], PAID)
    ref = f"out_{secrets.token_urlsafe(16)}"
    payout = Payout(**asdict(new), ref=ref, status=status, failure=failure)
    database.execute(INSERT, asdict(payout))
    if payout.status != "sent":
        _tell(database, payout)
    return payout


def _tell(database: sqlite3.Connection, payout: Payout) -> None:
    announce(
        database,
        kind=f"payout.{payout.status}",
        key=payout.key,
        at=now(),
        ref=payout.ref,
        amount_minor=payout.amount_minor,
        currency=payout.currency,
        failure=payout.failure,
    )
