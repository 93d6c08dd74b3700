"""A payment's life at the sandbox. Money is in minor units, times are stamps."""

import secrets
import sqlite3
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

from . import transactions
from .book import Book, now, stamp
from .faults import announce
from .notifier import hasten
from .server import RequestError, not_found

SETTLE_BATCH = 100
LONGEST_PAUSE_SECONDS = 3600.0

SCHEMA = """
CREATE TABLE IF NOT EXISTS payment (
    key TEXT PRIMARY KEY,
    ref TEXT NOT NULL UNIQUE,
    amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),
    currency TEXT NOT NULL,
    token TEXT NOT NULL,
    capture TEXT NOT NULL CHECK (capture IN ('automatic', 'manual')),
    return_url TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    status TEXT NOT NULL CHECK (
        status IN ('requires_action', 'processing', 'authorised', 'captured', 'failed', 'closed')
    ),
    failure TEXT NOT NULL,
    challenged INTEGER NOT NULL DEFAULT 0,
    due_at TEXT
);
CREATE INDEX IF NOT EXISTS payment_due ON payment (due_at) WHERE due_at IS NOT NULL;
"""

SELECT = """
SELECT payment.*, (
    SELECT coalesce(sum(refund.amount_minor), 0) FROM refund
    WHERE refund.payment_key = payment.key AND refund.status = 'succeeded'
) AS refunded_minor, (
    SELECT coalesce(sum(capture.amount_minor), 0) FROM capture
    WHERE capture.payment_key = payment.key AND capture.status = 'succeeded'
) AS parts_minor
FROM payment
"""
BY_KEY = SELECT + "WHERE key = ?"
BY_REF = SELECT + "WHERE ref = ?"
DUE = SELECT + "WHERE due_at <= ? ORDER BY due_at LIMIT ?"
NEXT_DUE_AT = "SELECT min(due_at) FROM payment WHERE due_at IS NOT NULL"
INSERT = """
INSERT INTO payment (key, ref, amount_minor, currency, token, capture, return_url, expires_at,
    status, failure, due_at)
VALUES (:key, :ref, :amount_minor, :currency, :token, :capture, :return_url, :expires_at,
    :status, :failure, :due_at)
"""


@dataclass(frozen=True)
class Outcome:
    """What a token makes of its payment; the money comes after so many seconds, or never (None)."""

    status: str
    failure: str = ""
    after_seconds: float | None = None
    outlives_close: bool = False
    asks_challenge: bool = False
    copies: int = 1
    refund_status: str = "succeeded"
    failing_captures: int = 0
    lapses: bool = False


OUTCOMES = {
    "": Outcome("requires_action"),
    "tok_ok": Outcome("processing", after_seconds=0),
    "tok_refused": Outcome("failed", failure="refused"),
    "tok_insufficient": Outcome("failed", failure="insufficient_funds"),
    "tok_3ds": Outcome("requires_action", asks_challenge=True),
    "tok_slow": Outcome("processing", after_seconds=3),
    "tok_timeout": Outcome("processing"),
    "tok_late_45m": Outcome("processing", after_seconds=45 * 60, outlives_close=True),
    "tok_double_webhook": Outcome("processing", after_seconds=0, copies=2),
    "tok_refund_fails": Outcome("processing", after_seconds=0, refund_status="failed"),
    "tok_capture_fails": Outcome("processing", after_seconds=0, failing_captures=10**6),
    "tok_capture_fails_once": Outcome("processing", after_seconds=0, failing_captures=1),
    "tok_lapses": Outcome("processing", after_seconds=0, lapses=True),
}


@dataclass(frozen=True)
class NewPayment:
    key: str
    amount_minor: int
    currency: str
    token: str
    capture: str
    return_url: str
    expires_at: str


@dataclass(frozen=True)
class Payment(NewPayment):
    """`due_at` is when time closes it (while it waits for its shopper, or is only authorised) or
    settles it. `parts_minor` was taken of it part by part.
    """

    ref: str
    status: str
    failure: str
    challenged: int
    due_at: str | None
    refunded_minor: int
    parts_minor: int

    @property
    def outcome(self) -> Outcome:
        return OUTCOMES[self.token]

    @property
    def captured_minor(self) -> int:
        if self.parts_minor:
            return self.parts_minor
        return self.amount_minor if self.status == "captured" else 0

    @property
    def is_open(self) -> bool:
        """Its shopper can still act."""
        return self.status == "requires_action" and now() < self.expires_at


def find(database: sqlite3.Connection, key: str) -> Payment:
    row = database.execute(BY_KEY, (key,)).fetchone()
    if row is None:
        raise not_found(f"There is no payment {key}.")
    return Payment(**row)


def find_by_ref(database: sqlite3.Connection, ref: str) -> Payment:
    row = database.execute(BY_REF, (ref,)).fetchone()
    if row is None:
        raise not_found("There is no such payment.")
    return Payment(**row)


def buttons(payment: Payment) -> dict[str, str]:
    """What its pay page offers now: each button, and the failure it leads to (or none)."""
    if not payment.is_open:
        return {}
    if payment.challenged:
        return {"confirm": "", "fail": "challenge_failed"}
    return {"pay": "", "refuse": "refused"}


class Payments:
    """Every method is one transaction. Whatever it changed is told by a notification."""

    def __init__(self, book: Book, *, public_url: str, slow_seconds: float) -> None:
        self.book = book
        self._public_url = public_url
        self._slow_seconds = slow_seconds
        self._after_seconds = {"tok_slow": slow_seconds}

    def document(self, payment: Payment) -> dict[str, Any]:
        """The payment as callers see it."""
        return {
            **_money(payment),
            "status": payment.status,
            "failure": payment.failure or None,
            "action_url": f"{self._public_url}/pay/{payment.ref}" if payment.is_open else None,
            "capture": payment.capture,
            "captured_minor": payment.captured_minor,
            "parts_minor": payment.parts_minor,
            "refunded_minor": payment.refunded_minor,
        }

    def create(self, new: NewPayment) -> tuple[Payment, bool]:
        """The payment under the key, and whether it is a new one."""
        with self.book.transaction() as database:
            if row := database.execute(BY_KEY, (new.key,)).fetchone():
                known = Payment(**row)
                if (known.amount_minor, known.currency) != (new.amount_minor, new.currency):
                    message = "The key has a payment of another amount."
                    raise self._conflict("key_reused", message, known)
                return known, False
            return self._insert(database, new), True

    def get(self, key: str) -> Payment:
        with self.book.transaction() as database:
            return find(database, key)

    def get_by_ref(self, ref: str) -> Payment:
        with self.book.transaction() as database:
            return find_by_ref(database, ref)

    def capture(self, key: str) -> Payment:
        """Takes what was authorised; repeated, it is quiet."""
        with self.book.transaction() as database:
            payment = find(database, key)
            if payment.status == "captured":
                return payment
            if payment.status != "authorised" or payment.parts_minor:
                raise self._conflict("not_authorised", f"The payment is {payment.status}.", payment)
            return _enter(database, payment, "captured")

    def close(self, key: str) -> Payment:
        """No one can pay it any more, but what is late still comes; repeated, it is quiet."""
        with self.book.transaction() as database:
            payment = find(database, key)
            if payment.status == "captured":
                raise self._conflict("already_captured", "The payment is captured.", payment)
            if payment.status == "closed":
                return payment
            due_at = payment.due_at if payment.outcome.outlives_close else None
            return _enter(database, payment, "closed", failure=payment.failure, due_at=due_at)

    def lapse(self, key: str) -> Payment:
        """The time of an authorisation is over: what was not taken is let go."""
        with self.book.transaction() as database:
            payment = find(database, key)
            if payment.status != "authorised":
                raise self._conflict("not_authorised", f"The payment is {payment.status}.", payment)
            return _enter(database, payment, "closed")

    def release(self, key: str) -> Payment:
        """What is held back happens now: money under way, notifications to be tried again."""
        with self.book.transaction() as database:
            payment = find(database, key)
            hasten(database, key)
            if payment.due_at and payment.status == "authorised":
                return _enter(database, payment, "closed")
            if payment.due_at and payment.status != "requires_action":
                return self._succeed(database, payment)
            return payment

    def press(self, ref: str, button: str) -> Payment:
        """A button of the pay page; one that the page does not show now changes nothing."""
        with self.book.transaction() as database:
            payment = find_by_ref(database, ref)
            failure = buttons(payment).get(button)
            if failure is None:
                return payment
            if failure:
                return _enter(database, payment, "failed", failure=failure)
            if payment.outcome.asks_challenge and not payment.challenged:
                database.execute("UPDATE payment SET challenged = 1 WHERE ref = ?", (ref,))
                return find_by_ref(database, ref)
            return self._succeed(database, payment)

    def settle_due(self) -> float:
        """Does what time has come for; returns after how many seconds to look again."""
        with self.book.transaction() as database:
            for row in database.execute(DUE, (now(), SETTLE_BATCH)).fetchall():
                payment = Payment(**row)
                if payment.status in ("requires_action", "authorised"):
                    _enter(database, payment, "closed")
                else:
                    self._succeed(database, payment)
            (next_at,) = database.execute(NEXT_DUE_AT).fetchone()
        if next_at is None:
            return LONGEST_PAUSE_SECONDS
        seconds = (datetime.fromisoformat(next_at) - datetime.now(UTC)).total_seconds()
        return min(max(0.0, seconds), LONGEST_PAUSE_SECONDS)

    def _insert(self, database: sqlite3.Connection, new: NewPayment) -> Payment:
        outcome = OUTCOMES[new.token]
        values = asdict(new) | {
            "ref": f"pay_{secrets.token_urlsafe(16)}",
            "status": outcome.status,
            "failure": outcome.failure,
            "due_at": self._first_due_at(new),
        }
        database.execute(INSERT, values)
        payment = find(database, new.key)
        if payment.status == "failed":
            _tell(database, payment, now())
        return payment

    def _succeed(self, database: sqlite3.Connection, payment: Payment) -> Payment:
        if payment.capture == "automatic":
            return _enter(database, payment, "captured")
        lapses_at = stamp(datetime.now(UTC) + timedelta(seconds=self._slow_seconds))
        due_at = lapses_at if payment.outcome.lapses else None
        return _enter(database, payment, "authorised", due_at=due_at)

    def _first_due_at(self, new: NewPayment) -> str | None:
        outcome = OUTCOMES[new.token]
        if outcome.status == "requires_action":
            return new.expires_at
        seconds = self._after_seconds.get(new.token, outcome.after_seconds)
        return None if seconds is None else stamp(datetime.now(UTC) + timedelta(seconds=seconds))

    def _conflict(self, code: str, message: str, payment: Payment) -> RequestError:
        return RequestError(HTTPStatus.CONFLICT, code, message, payment=self.document(payment))


def end_authorisation(database: sqlite3.Connection, key: str) -> None:
    """All that is to be taken has been: its captures have told that, so nothing more is told."""
    database.execute("UPDATE payment SET status = 'captured', due_at = NULL WHERE key = ?", (key,))


def _enter(
    database: sqlite3.Connection,
    payment: Payment,
    status: str,
    *,
    failure: str = "",
    due_at: str | None = None,
) -> Payment:
    """The one place where a status changes."""
    database.execute(
        "UPDATE payment SET status = ?, failure = ?, due_at = ? WHERE key = ?",
        (status, failure, due_at, payment.key),
    )
    entered, at = find(database, payment.key), now()
    if status == "captured":
        transactions.record(database, kind="capture", at=at, money=_money(entered))
    _tell(database, entered, at)
    return entered


def _tell(database: sqlite3.Connection, payment: Payment, at: str) -> None:
    kind, copies = f"payment.{payment.status}", payment.outcome.copies
    announce(database, kind=kind, at=at, copies=copies, **_money(payment))


def _money(payment: Payment) -> dict[str, Any]:
    return {
        "key": payment.key,
        "ref": payment.ref,
        "amount_minor": payment.amount_minor,
        "currency": payment.currency,
    }
