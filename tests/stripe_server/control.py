"""What nobody but a test asks the server for: faults, and what banks and strangers do."""

import sqlite3
from collections.abc import Callable

from . import money
from .book import Object, change, newest_first, set_fault

Act = Callable[[sqlite3.Connection, Object], Object]


def fault(database: sqlite3.Connection, given: Object) -> Object:
    """The next ones: `drop`, `duplicate`, `delay` an event; `fail_after_acting` a request."""
    set_fault(database, given["name"], given.get("value", "yes"), int(given.get("count", 1)))
    return {}


def reset(database: sqlite3.Connection, _: Object) -> Object:
    """An account in which nothing has happened."""
    for table in ("object", "answer", "event", "fault"):
        database.execute(f"DELETE FROM {table}")
    return {}


def forget(database: sqlite3.Connection, _: Object) -> Object:
    """As Stripe does with idempotency keys after a day."""
    database.execute("DELETE FROM answer")
    return {}


def payment_elsewhere(database: sqlite3.Connection, given: Object) -> Object:
    """Made by somebody else in the same account."""
    intent = money.intent_new(
        database,
        amount=int(given["amount"]),
        currency="eur",
        capture_method="automatic",
        metadata={},
        wants_parts=False,
    )
    return money.confirm(database, intent, "pm_card_visa", "")


def convert(database: sqlite3.Connection, _: Object) -> Object:
    """The account settles in another currency."""
    [row, *_others] = newest_first(database, "balance_transaction")
    return change(database, row, currency="usd", exchange_rate=1.1)


def dispute(database: sqlite3.Connection, given: Object) -> Object:
    intent = money.found(database, "payment_intent", given["payment_intent"])
    return money.dispute(database, intent)


def dispute_close(database: sqlite3.Connection, given: Object) -> Object:
    made = money.found(database, "dispute", given["dispute"])
    return money.dispute_close(database, made, given["status"])


def refund_settle(database: sqlite3.Connection, given: Object) -> Object:
    back = money.found(database, "refund", given["refund"])
    return money.refund_settle(database, back, given.get("reason", ""))


CONTROLS: dict[str, Act] = {
    act.__name__: act
    for act in (
        *(fault, reset, forget, payment_elsewhere, convert),
        *(dispute, dispute_close, refund_settle),
    )
}
