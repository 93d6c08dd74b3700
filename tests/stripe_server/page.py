"""The hosted pages: paying, and the bank's question. Plain forms; looking changes nothing."""

import sqlite3
from html import escape

from . import money
from .book import Object, change, tell
from .errors import ApiError

BUTTONS = {
    "pay": "pm_card_visa",
    "decline": "pm_card_chargeDeclined",
    "challenge": "pm_card_authenticationRequired",
    "pending_refund": "pm_card_pendingRefund",
}


def show(session: Object) -> str:
    if session["status"] != "open":
        return "<p>You did it, or it is too late.</p>"
    buttons = "".join(f'<button name="button" value="{name}">{name}</button>' for name in BUTTONS)
    amount = f"{session['amount_total']} {escape(session['currency'])}"
    return f'<p>{amount}</p><form method="post">{buttons}</form>'


def press(database: sqlite3.Connection, session: Object, button: str, url: str) -> str:
    """Where the shopper goes on: back to the shop, to the bank, or here again."""
    if session["status"] != "open" or button not in BUTTONS:
        return f"/c/pay/{session['id']}"
    intent = _intent(database, session)
    try:
        intent = money.confirm(database, intent, BUTTONS[button], url)
    except ApiError:  # declined: the page asks for another card
        return f"/c/pay/{session['id']}"
    if intent["status"] == "requires_action":
        return str(intent["next_action"]["redirect_to_url"]["url"])
    return complete(database, session)


def _intent(database: sqlite3.Connection, session: Object) -> Object:
    if session["payment_intent"]:
        return money.found(database, "payment_intent", session["payment_intent"])
    given = session["_intent"]
    intent = money.intent_new(
        database,
        amount=session["amount_total"],
        currency=session["currency"],
        capture_method=given.get("capture_method", "automatic"),
        metadata=given.get("metadata", {}),
        wants_parts=session["_wants_parts"],
    )
    change(database, intent, _session=session["id"])
    change(database, session, payment_intent=intent["id"])
    return intent


def complete(database: sqlite3.Connection, session: Object) -> str:
    change(database, session, status="complete", payment_status="paid", url=None)
    tell(database, "checkout.session.completed", session)
    return str(session["success_url"])


def answer_bank(database: sqlite3.Connection, intent: Object, button: str) -> str:
    """The bank's question: yes or no."""
    if intent["status"] == "requires_action":
        if button == "confirm":
            money.charge(database, intent)
        else:
            money.decline(database, intent, "authentication_required")
    if not intent.get("_session"):
        return str(intent["_return_url"])
    session = money.found(database, "checkout.session", intent["_session"])
    if button == "confirm" and session["status"] == "open":
        return complete(database, session)
    return f"/c/pay/{session['id']}"
