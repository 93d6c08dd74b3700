"""What becomes of money: intents, charges, captures, refunds, disputes, and the balance."""

import sqlite3
from dataclasses import dataclass
from typing import Any

from .book import Object, change, find, new, tell
from .errors import ApiError, declined, invalid, missing, unexpected_state

CANCELLABLE = {
    "requires_payment_method",
    "requires_capture",
    "requires_confirmation",
    "requires_action",
    "processing",
}
DISPUTE_FEE = 2000


@dataclass(frozen=True)
class Card:
    """What a payment method of Stripe's test mode does."""

    decline_code: str = ""
    asks_challenge: bool = False
    refund_status: str = "succeeded"
    takes_parts: bool = True


CARDS = {
    "pm_card_visa": Card(),
    "pm_card_chargeDeclined": Card(decline_code="generic_decline"),
    "pm_card_visa_chargeDeclinedInsufficientFunds": Card(decline_code="insufficient_funds"),
    "pm_card_authenticationRequired": Card(asks_challenge=True),
    "pm_card_pendingRefund": Card(refund_status="pending"),
    "pm_card_jcb": Card(takes_parts=False),
}


def fee_of(amount: int) -> int:
    """1.5 %, half up, and 25."""
    return (amount * 15 + 500) // 1000 + 25


def intent_new(
    database: sqlite3.Connection,
    *,
    amount: int,
    currency: str,
    capture_method: str,
    metadata: dict[str, str],
    wants_parts: bool,
) -> Object:
    intent = new(
        database,
        "payment_intent",
        amount=amount,
        amount_capturable=0,
        amount_received=0,
        capture_method=capture_method,
        currency=currency,
        last_payment_error=None,
        latest_charge=None,
        metadata=metadata,
        next_action=None,
        payment_method=None,
        payment_method_options={
            "card": {"request_multicapture": "if_available" if wants_parts else None}
        },
        payment_method_types=["card"],
        status="requires_payment_method",
    )
    tell(database, "payment_intent.created", intent)
    return intent


def confirm(database: sqlite3.Connection, intent: Object, method: str, url: str) -> Object:
    """Tries the card. Raises card_declined, which leaves the intent behind."""
    card = CARDS.get(method)
    if card is None:
        raise missing("PaymentMethod", method, "payment_method", 400)
    change(database, intent, payment_method=method)
    if card.asks_challenge:
        action = {
            "type": "redirect_to_url",
            "redirect_to_url": {"url": f"{url}/3ds/{intent['id']}"},
        }
        change(database, intent, status="requires_action", next_action=action)
        tell(database, "payment_intent.requires_action", intent)
        return intent
    if card.decline_code:
        raise decline(database, intent, card.decline_code)
    return charge(database, intent)


def decline(database: sqlite3.Connection, intent: Object, code: str) -> ApiError:
    error = {"type": "card_error", "code": "card_declined", "decline_code": code}
    change(
        database,
        intent,
        status="requires_payment_method",
        next_action=None,
        last_payment_error=error,
    )
    tell(database, "payment_intent.payment_failed", intent)
    return declined(intent, code)


def charge(database: sqlite3.Connection, intent: Object) -> Object:
    """The bank says yes: the money is taken, or promised."""
    is_manual = intent["capture_method"] == "manual"
    wants_parts = bool(intent["payment_method_options"]["card"]["request_multicapture"])
    takes_parts = wants_parts and CARDS[intent["payment_method"]].takes_parts
    card = {"multicapture": {"status": "available" if takes_parts else "unavailable"}}
    made = new(
        database,
        "charge",
        amount=intent["amount"],
        amount_captured=0,
        amount_refunded=0,
        balance_transaction=None,
        captured=False,
        currency=intent["currency"],
        metadata=dict(intent["metadata"]),
        payment_intent=intent["id"],
        payment_method_details={"type": "card", "card": card},
        status="succeeded",
    )
    change(database, intent, latest_charge=made["id"], next_action=None, last_payment_error=None)
    if is_manual:
        change(database, intent, status="requires_capture", amount_capturable=intent["amount"])
        tell(database, "payment_intent.amount_capturable_updated", intent)
    else:
        _take(database, intent, made, intent["amount"])
        change(database, intent, status="succeeded")
        tell(database, "payment_intent.succeeded", intent)
    tell(database, "charge.succeeded", made)
    return intent


def _take(database: sqlite3.Connection, intent: Object, made: Object, amount: int) -> None:
    row = _move(database, "charge", made["id"], amount, intent["currency"], fee_of(amount))
    change(
        database,
        made,
        captured=True,
        amount_captured=made["amount_captured"] + amount,
        balance_transaction=row["id"],
    )
    change(database, intent, amount_received=intent["amount_received"] + amount)


def _move(
    database: sqlite3.Connection, type_: str, source: str, amount: int, currency: str, fee: int = 0
) -> Object:
    return new(
        database,
        "balance_transaction",
        amount=amount,
        currency=currency,
        exchange_rate=None,
        fee=fee,
        net=amount - fee,
        source=source,
        status="pending",
        type=type_,
    )


def capture(
    database: sqlite3.Connection, intent: Object, *, amount: int | None, is_final: bool
) -> Object:
    if intent["status"] != "requires_capture":
        raise unexpected_state(intent, "capture")
    made = found(database, "charge", intent["latest_charge"])
    amount = intent["amount_capturable"] if amount is None else amount
    if amount > intent["amount_capturable"]:
        raise invalid("The amount is greater than the amount capturable.", "amount_to_capture")
    parts = made["payment_method_details"]["card"]["multicapture"]["status"]
    if not is_final and parts != "available":
        raise invalid("Multicapture is not available for this PaymentIntent.", "final_capture")
    _take(database, intent, made, amount)
    left = 0 if is_final else intent["amount_capturable"] - amount
    status = "requires_capture" if left else "succeeded"
    change(database, intent, status=status, amount_capturable=left)
    kind = "amount_capturable_updated" if left else "succeeded"
    tell(database, "charge.captured", made)
    tell(database, f"payment_intent.{kind}", intent)
    return intent


def cancel(database: sqlite3.Connection, intent: Object) -> Object:
    if intent["status"] not in CANCELLABLE:
        raise unexpected_state(intent, "cancel")
    change(database, intent, status="canceled", amount_capturable=0)
    tell(database, "payment_intent.canceled", intent)
    return intent


def refund(
    database: sqlite3.Connection, intent: Object, *, amount: int, metadata: dict[str, str]
) -> Object:
    if not intent["latest_charge"] or not intent["amount_received"]:
        raise invalid("This PaymentIntent does not have a successful charge to refund.")
    made = found(database, "charge", intent["latest_charge"])
    left = made["amount_captured"] - made["amount_refunded"]
    if not left:
        raise invalid("Charge has already been refunded.", code="charge_already_refunded")
    if amount > left:
        raise invalid(
            f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})",
            "amount",
        )
    status = CARDS[intent["payment_method"]].refund_status
    back = new(
        database,
        "refund",
        amount=amount,
        charge=made["id"],
        currency=intent["currency"],
        failure_reason=None,
        metadata=metadata,
        payment_intent=intent["id"],
        status=status,
    )
    change(database, made, amount_refunded=made["amount_refunded"] + amount)
    _move(database, "refund", back["id"], -amount, intent["currency"])
    tell(database, "refund.created", back)
    return back


def refund_settle(database: sqlite3.Connection, back: Object, reason: str) -> Object:
    """A refund that was pending comes through, or comes back for that reason."""
    if not reason:
        change(database, back, status="succeeded")
        tell(database, "refund.updated", back)
        return back
    made = found(database, "charge", back["charge"])
    change(database, made, amount_refunded=made["amount_refunded"] - back["amount"])
    change(database, back, status="failed", failure_reason=reason)
    _move(database, "refund_failure", back["id"], back["amount"], back["currency"])
    tell(database, "refund.failed", back)
    return back


def dispute(database: sqlite3.Connection, intent: Object) -> Object:
    amount, currency = intent["amount_received"], intent["currency"]
    made = new(
        database,
        "dispute",
        amount=amount,
        charge=intent["latest_charge"],
        currency=currency,
        metadata={},
        payment_intent=intent["id"],
        reason="fraudulent",
        status="needs_response",
    )
    _move(database, "adjustment", made["id"], -amount, currency, DISPUTE_FEE)
    tell(database, "charge.dispute.created", made)
    return made


def dispute_close(database: sqlite3.Connection, made: Object, status: str) -> Object:
    change(database, made, status=status)
    if status == "won":
        _move(database, "adjustment", made["id"], made["amount"], made["currency"])
    tell(database, "charge.dispute.closed", made)
    return made


def found(database: sqlite3.Connection, kind: str, identifier: Any) -> Object:
    subject = find(database, kind, str(identifier))
    if subject is None:
        raise missing(kind, str(identifier))
    return subject
