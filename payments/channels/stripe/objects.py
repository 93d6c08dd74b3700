"""Stripe's objects in our words: amounts, payment intents, Checkout sessions, refunds. Pure."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from core.money import exponent
from payments.channels.base import (
    Answer,
    ChannelRefused,
    Notice,
    malformed,
    member_of,
    notice_document,
)

Object = dict[str, Any]

SESSION = "checkout.session"
# What our keys stand under in Stripe's metadata; a capture's is a name of its own, for there are many.
KEY, PAYMENT_KEY, CAPTURE = "key", "payment_key", "capture_"
HOSTED, IN_PARTS = "hosted", "in_parts"

# Currencies whose smallest unit is another to Stripe than to ISO 4217.
THEIR_EXPONENTS = {"ISK": 2, "UGX": 2, "MGA": 0}
THREE_DECIMALS = 3
INTENT_STATUSES = {
    "requires_payment_method": "failed",
    "requires_confirmation": "processing",
    "requires_action": "requires_action",
    "processing": "processing",
    "requires_capture": "authorised",
    "succeeded": "captured",
    "canceled": "closed",
}
REFUND_STATUSES = {
    "pending": "sent",
    "requires_action": "sent",
    "succeeded": "succeeded",
    "failed": "failed",
    "canceled": "failed",
}
NOTICE_OF_CHARGE = {
    "authorised": "authorised",
    "captured": "captured",
    "failed": "failed",
    "closed": "closed",
}
NOTICE_OF_REFUND = {"succeeded": "refund_succeeded", "failed": "refund_failed"}


def their_amount(amount_minor: int, currency: str) -> int:
    """The amount as Stripe counts it. Raises ChannelRefused `amount_not_possible`.

    It takes three-decimal currencies in multiples of ten, and some others in whole units only.
    """
    theirs = THEIR_EXPONENTS.get(currency, exponent(currency))
    amount, rest = divmod(amount_minor * int(10**theirs), int(10 ** exponent(currency)))
    if rest or (theirs == THREE_DECIMALS and amount % 10):
        raise ChannelRefused("amount_not_possible", amount_minor=amount_minor, currency=currency)
    return amount


def our_amount(amount: int, currency: str) -> int:
    """The same back; an amount that is none of ours stays visibly wrong, for it is rounded down."""
    currency = currency.upper()
    theirs = THEIR_EXPONENTS.get(currency, exponent(currency))
    return amount * int(10 ** exponent(currency)) // int(10**theirs)


def answer_of(found: Object) -> Answer:
    """How a charge stands: a session until its shopper has paid, then the intent in it."""
    if found["object"] != SESSION:
        return answer_of_intent(found)
    if found["status"] == "complete":
        return answer_of_intent(found["payment_intent"])
    is_open = found["status"] == "open"
    return Answer(
        status="requires_action" if is_open else "closed",
        amount_minor=our_amount(found["amount_total"], found["currency"]),
        currency=found["currency"].upper(),
        ref=found["id"],
        action_url=(found["url"] or "") if is_open else "",
    )


def answer_of_intent(intent: Object) -> Answer:
    """What was taken in parts stays authorised: its captures are asked after by their own keys."""
    status, amount = INTENT_STATUSES[intent["status"]], intent["amount"]
    if status == "captured" and intent["capture_method"] == "manual":
        status = "authorised"
    elif status == "captured":
        amount = intent["amount_received"]
    redirect = (intent.get("next_action") or {}).get("redirect_to_url") or {}
    if status == "requires_action" and not redirect:
        status = "processing"
    return Answer(
        status=status,
        amount_minor=our_amount(amount, intent["currency"]),
        currency=intent["currency"].upper(),
        ref=intent["id"],
        action_url=redirect.get("url", ""),
        failure_code=_failure(intent) if status == "failed" else "",
    )


def _failure(intent: Object) -> str:
    error = intent.get("last_payment_error") or {}
    return str(error.get("decline_code") or error.get("code") or "failed")[:100]


def captures_of(intent: Object) -> list[tuple[str, int]]:
    """The captures so far, the first one first: our key, and the amount as Stripe counts it."""
    told = {
        name.removeprefix(CAPTURE): value.split(":")
        for name, value in intent["metadata"].items()
        if name.startswith(CAPTURE)
    }
    by_number = sorted(told, key=lambda key: int(told[key][0]))
    return [(key, int(told[key][1])) for key in by_number]


def answer_of_capture(intent: Object, key: str) -> Answer | None:
    """What became of a capture; None where the intent knows of none under that key.

    The intent's id is the same for all of its captures, so the key is a part of their names.
    """
    amount = dict(captures_of(intent)).get(key)
    if amount is None:
        return None
    return Answer(
        status="succeeded",
        amount_minor=our_amount(amount, intent["currency"]),
        currency=intent["currency"].upper(),
        ref=f"{intent['id']}/{key}",
    )


def answer_of_refund(refund: Object) -> Answer:
    """How a refund stands."""
    status = REFUND_STATUSES[refund["status"]]
    return Answer(
        status=status,
        amount_minor=our_amount(refund["amount"], refund["currency"]),
        currency=refund["currency"].upper(),
        ref=refund["id"],
        failure_code=(refund.get("failure_reason") or "failed") if status == "failed" else "",
    )


def notice_of(body: bytes) -> Notice | None:
    """What an event says; None for a kind, or a payment, that is nothing to us.

    Raises Invalid `hook.malformed`.
    """
    event = notice_document(body)
    read = READERS.get(str(event.get("type")))
    if read is None:
        return None
    subject = member_of(member_of(event, "data", dict), "object", dict)
    for name in ("id", "currency", "status"):
        member_of(subject, name, str)
    try:
        return read(subject)
    except (KeyError, ValueError, TypeError, AttributeError):  # not as Stripe's objects are known
        raise malformed("object") from None


def _of_session(session: Object) -> Notice | None:
    member_of(session, "amount_total", int)
    return _of_charge(session, answer_of(session))


def _of_intent(intent: Object) -> Notice | None:
    """An intent of a hosted page that failed is no end: the page lets its shopper try again."""
    member_of(intent, "amount", int)
    answer, metadata = answer_of_intent(intent), intent.get("metadata") or {}
    if answer.status == "failed" and metadata.get(HOSTED):
        return None
    if answer.status == "authorised" and intent["amount_received"]:
        return _of_capture(intent)
    return _of_charge(intent, answer)


def _of_charge(subject: Object, answer: Answer) -> Notice | None:
    key = (subject.get("metadata") or {}).get(KEY)
    kind = NOTICE_OF_CHARGE.get(answer.status)
    if not key or kind is None:
        return None
    return Notice(
        kind=kind,
        key=key,
        ref=answer.ref,
        amount_minor=answer.amount_minor,
        currency=answer.currency,
        failure_code=answer.failure_code,
    )


def _of_capture(intent: Object) -> Notice | None:
    """The latest one: each has had an event of its own."""
    captures = captures_of(intent)
    answer = answer_of_capture(intent, captures[-1][0]) if captures else None
    if answer is None:
        return None
    return Notice(
        kind="captured",
        key=captures[-1][0],
        payment_key=intent["metadata"].get(KEY, ""),
        ref=answer.ref,
        amount_minor=answer.amount_minor,
        currency=answer.currency,
    )


def _of_refund(refund: Object) -> Notice | None:
    member_of(refund, "amount", int)
    answer, metadata = answer_of_refund(refund), refund.get("metadata") or {}
    kind = NOTICE_OF_REFUND.get(answer.status)
    if kind is None or not metadata.get(KEY):
        return None
    return Notice(
        kind=kind,
        key=metadata[KEY],
        payment_key=metadata.get(PAYMENT_KEY, ""),
        ref=answer.ref,
        amount_minor=answer.amount_minor,
        currency=answer.currency,
        failure_code=answer.failure_code,
    )


def _of_dispute(dispute: Object) -> Notice | None:
    """An inquiry moves no money. A dispute carries no metadata of the payment, only its name."""
    kinds = {"won": "chargeback_won", "lost": "chargeback_lost"}
    if dispute["status"].startswith("warning"):
        return None
    return Notice(
        kind=kinds.get(dispute["status"], "chargeback_opened"),
        key="",
        ref=dispute["id"],
        amount_minor=our_amount(member_of(dispute, "amount", int), dispute["currency"]),
        currency=dispute["currency"].upper(),
        payment_ref=member_of(dispute, "payment_intent", str),
    )


READERS: Mapping[str, Callable[[Object], Notice | None]] = {
    "payment_intent.succeeded": _of_intent,
    "payment_intent.amount_capturable_updated": _of_intent,
    "payment_intent.payment_failed": _of_intent,
    "payment_intent.canceled": _of_intent,
    "checkout.session.expired": _of_session,
    "refund.created": _of_refund,
    "refund.updated": _of_refund,
    "refund.failed": _of_refund,
    "charge.dispute.created": _of_dispute,
    "charge.dispute.closed": _of_dispute,
}


def kinds_of_movement(row: Object) -> Iterator[tuple[str, Object]]:
    """What a row of the balance is to us, and its source; nothing for payouts and Stripe's own."""
    source = row["source"] if isinstance(row["source"], dict) else {}
    match row["type"], source.get("object"):
        case (("charge" | "payment"), "charge"):
            yield "captured", source
        case (("refund" | "payment_refund"), "refund"):
            yield "refund_succeeded", source
        case (("refund_failure" | "payment_failure_refund"), "refund"):
            yield "refund_failed", source
        case "adjustment", "dispute":
            yield ("chargeback_opened" if row["amount"] < 0 else "chargeback_won"), source
