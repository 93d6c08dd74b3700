"""Stripe, by its own library: its hosted page, payment intents, refunds, its balance.

Whoever has no token pays on Stripe's page (a Checkout session): the shop's pages work without
JavaScript, and no card number comes near us. A token is a payment method that Stripe's own fields
have made in an integrator's page; its intent is confirmed at once.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import stripe
from django.conf import settings
from django.utils.translation import gettext as _

from core.hooks import OLDEST_SECONDS, WRONG, HookRefused, require_recent
from payments.channels.base import (
    NOT_FOUND,
    Answer,
    CaptureAt,
    ChannelDown,
    ChannelRefused,
    Charge,
    Movement,
    Notice,
    register,
)
from payments.channels.stripe.calls import call, listed
from payments.channels.stripe.finding import (
    SOON,
    again,
    find,
    find_refund,
    intent_of,
    is_old,
    moment_of,
    once,
    paid_by,
    require,
)
from payments.channels.stripe.objects import (
    CAPTURE,
    HOSTED,
    IN_PARTS,
    KEY,
    PAYMENT_KEY,
    SESSION,
    Object,
    answer_of,
    answer_of_capture,
    answer_of_intent,
    answer_of_refund,
    captures_of,
    kinds_of_movement,
    notice_of,
    our_amount,
    their_amount,
)

NAME = "stripe"
# A hosted page must live for half an hour when it is made, and a day at most.
SHORTEST_PAGE, LONGEST_PAGE = SOON + timedelta(minutes=35), timedelta(hours=23)


class Stripe:
    """Our key is Stripe's idempotency key and stands in the metadata of all that it makes.

    `finding` tells how what became of a key is found, and why so.
    """

    term: timedelta | None = None

    def __init__(self, *, in_parts: bool = False) -> None:
        """`in_parts`: the account may take authorised money in several captures."""
        parts = (CaptureAt.SHIPMENT, CaptureAt.DELIVERY) if in_parts else ()
        self.captures_at: tuple[CaptureAt, ...] = (CaptureAt.ONCE, *parts)

    def create(self, charge: Charge) -> Answer:
        """Opens the hosted page, or takes the token's money; the same key again answers the same."""
        make = _intent_create if charge.token else _session_create
        try:
            return answer_of(once(charge.key, lambda: make(charge), find))
        except ChannelRefused as refusal:
            if intent := refusal.facts.get("payment_intent"):  # made, and its card declined
                return answer_of_intent(intent)
            raise

    def query(self, key: str) -> Answer:
        """What became of a payment."""
        return answer_of(require(key))

    def capture(self, *, key: str, payment_key: str, amount_minor: int, is_last: bool) -> Answer:
        """Takes a part of what was authorised; the last one lets go of the rest."""
        intent = intent_of(payment_key)
        if known := answer_of_capture(intent, key):
            return known
        amount = their_amount(amount_minor, intent["currency"].upper())
        number = len(captures_of(intent)) + 1
        captured = call(
            lambda client: client.v1.payment_intents.capture(
                intent["id"],
                {
                    "amount_to_capture": amount,
                    # Only where more is to come: an account without multicapture takes no other word.
                    **({} if is_last else {"final_capture": False}),
                    "metadata": {f"{CAPTURE}{key}": f"{number}:{amount}"},
                },
                {"idempotency_key": key},
            )
        )
        answer = answer_of_capture(captured, key)
        if answer is None:
            raise ChannelDown(f"{intent['id']} was captured without its key")
        return answer

    def query_capture(self, *, key: str, payment_key: str) -> Answer:
        """What became of a capture: it is written on its intent by the very call that makes it."""
        answer = answer_of_capture(intent_of(payment_key), key)
        if answer is None:
            raise ChannelRefused(NOT_FOUND)
        return answer

    def close(self, key: str) -> Answer:
        """Asks that nobody can pay it any more; a payment that was captured answers so.

        What was taken in parts stays taken, and the rest is let go.
        """
        found = require(key)
        is_let_go = False
        with suppress(ChannelRefused):  # it has moved on meanwhile, and the answer tells how
            if found["object"] == SESSION and found["status"] == "open":
                call(lambda client: client.v1.checkout.sessions.expire(found["id"]))
            else:
                intent_id = paid_by(found)["id"]
                call(lambda client: client.v1.payment_intents.cancel(intent_id))
            is_let_go = True
        answer = answer_of(again(found))
        if answer.status == "requires_action":
            raise ChannelDown(f"{found['id']} is still open")
        return replace(answer, status="closed") if is_let_go else answer

    def refund(self, *, key: str, payment_key: str, amount_minor: int, account: str = "") -> Answer:
        """Asks for money back; the same key again answers the same refund."""
        if account:
            raise ChannelRefused("other_account")  # Stripe pays back to where it came from only

        def make() -> Object:
            intent = intent_of(payment_key)
            amount = their_amount(amount_minor, intent["currency"].upper())
            return call(
                lambda client: client.v1.refunds.create(
                    {
                        "payment_intent": intent["id"],
                        "amount": amount,
                        "metadata": {KEY: key, PAYMENT_KEY: payment_key},
                    },
                    {"idempotency_key": key},
                )
            )

        return answer_of_refund(once(key, make, find_refund))

    def query_refund(self, key: str) -> Answer:
        """What became of a refund."""
        refund = find_refund(key)
        if refund is None:
            raise ChannelRefused(NOT_FOUND)
        return answer_of_refund(refund)

    def movements(self, since: datetime) -> Iterator[Movement]:
        """What has moved on the account's balance since then, the latest first, with Stripe's fees.

        Raises ChannelRefused `settled_in_another_currency`: the fee of such a row is no part of the
        amount's own currency, so the account must settle in what the shop sells in.
        """
        given = {"created": {"gte": int(since.timestamp())}, "expand": ["data.source"]}
        for row in listed(lambda client: client.v1.balance_transactions, given):
            for kind, source in kinds_of_movement(row):
                if row["currency"] != source["currency"]:
                    raise ChannelRefused("settled_in_another_currency", ref=row["id"])
                if movement := _movement(kind, row, source):
                    yield movement

    def verify(self, body: bytes, headers: Mapping[str, str]) -> str:
        """The event's id, if any secret in use signed these bytes in time. Raises HookRefused."""
        given = {name.lower(): value for name, value in headers.items()}
        signature = given.get("stripe-signature", "")
        if not any(
            _signed_by(secret, body, signature) for secret in settings.STRIPE_WEBHOOK_SECRETS
        ):
            raise HookRefused(WRONG)
        times = [part[2:] for part in signature.split(",") if part.startswith("t=")]
        require_recent(int(times[0]))
        try:
            event_id = json.loads(body)["id"]
        except (ValueError, TypeError, KeyError, RecursionError):
            raise HookRefused("no event") from None
        if not isinstance(event_id, str) or not event_id.isprintable():
            raise HookRefused("no event")
        return event_id[:100]

    def notice(self, body: bytes) -> Notice | None:
        """What an event says; None for a kind, or a payment, that is nothing to us."""
        return notice_of(body)


def _signed_by(secret: str, body: bytes, signature: str) -> bool:
    try:
        stripe.WebhookSignature.verify_header(body, signature, secret, tolerance=OLDEST_SECONDS)
    except (stripe.SignatureVerificationError, ValueError):  # not even text
        return False
    return True


def _session_create(charge: Charge) -> Object:
    currency = charge.currency
    price = {
        "currency": currency.lower(),
        "unit_amount": their_amount(charge.amount_minor, currency),
        "product_data": {"name": _("Your order")},
    }
    given: Any = {
        "mode": "payment",
        # Cards alone, and the wallets that stand for them: other ways take days.
        "payment_method_types": ["card"],
        "line_items": [{"quantity": 1, "price_data": price}],
        "success_url": charge.return_url,
        "cancel_url": charge.return_url,
        "expires_at": int(_page_ends(charge).timestamp()),
        "metadata": {KEY: charge.key},
        "payment_intent_data": {
            "capture_method": _capture_method(charge),
            "metadata": {**_metadata(charge), HOSTED: "yes"},
        },
        **_multicapture(charge),
    }
    return call(
        lambda client: client.v1.checkout.sessions.create(given, {"idempotency_key": charge.key})
    )


def _intent_create(charge: Charge) -> Object:
    given: Any = {
        "amount": their_amount(charge.amount_minor, charge.currency),
        "currency": charge.currency.lower(),
        "payment_method_types": ["card"],
        "payment_method": charge.token,
        "confirm": True,
        "return_url": charge.return_url,
        "capture_method": _capture_method(charge),
        "metadata": _metadata(charge),
        **_multicapture(charge),
    }
    return call(
        lambda client: client.v1.payment_intents.create(given, {"idempotency_key": charge.key})
    )


def _capture_method(charge: Charge) -> str:
    return "manual" if charge.capture_later else "automatic"


def _metadata(charge: Charge) -> dict[str, str]:
    return {KEY: charge.key, **({IN_PARTS: "yes"} if charge.capture_later else {})}


def _multicapture(charge: Charge) -> Object:
    if not charge.capture_later:
        return {}
    return {"payment_method_options": {"card": {"request_multicapture": "if_available"}}}


def _page_ends(charge: Charge) -> datetime:
    """The deadline, as near as Stripe allows; the same for a key while it is new."""
    began = moment_of(charge.key)
    if is_old(charge.key):
        began = datetime.now(UTC)
    return min(max(charge.expires_at, began + SHORTEST_PAGE), began + LONGEST_PAGE)


def _movement(kind: str, row: Object, source: Object) -> Movement | None:
    """None for a payment that was made in the account, but not by us."""
    key, ref = (source["metadata"] or {}).get(KEY, ""), source["id"]
    if kind == "captured":
        key, ref = _captured_as(row, source)
    elif kind.startswith("chargeback"):
        intent = call(lambda client: client.v1.payment_intents.retrieve(source["payment_intent"]))
        key = intent["metadata"].get(KEY, "")
    if not key:
        return None
    return Movement(
        kind=kind,
        key=key,
        ref=ref,
        amount_minor=our_amount(abs(row["amount"]), row["currency"]),
        currency=row["currency"].upper(),
        fee_minor=our_amount(row["fee"], row["currency"]),
        at=datetime.fromtimestamp(row["created"], UTC),
    )


def _captured_as(row: Object, charge: Object) -> tuple[str, str]:
    """The key and the name of what a row of the balance took: the payment, or one of its captures.

    A charge bears the metadata that its intent had at its birth, and the rows of a charge are its
    captures in their order, the latest first.
    """
    if not charge["metadata"].get(IN_PARTS):
        return charge["metadata"].get(KEY, ""), charge["payment_intent"] or ""
    intent = call(lambda client: client.v1.payment_intents.retrieve(charge["payment_intent"]))
    rows = listed(lambda client: client.v1.balance_transactions, {"source": charge["id"]})
    number = [each["id"] for each in rows][::-1].index(row["id"])
    capture_key = captures_of(intent)[number][0]
    return capture_key, f"{intent['id']}/{capture_key}"


def install() -> None:
    """Makes the channel known, where the account's key is given."""
    if settings.STRIPE_API_KEY:
        register(
            NAME,
            Stripe(in_parts=settings.STRIPE_MULTICAPTURE),
            endpoint_id=lambda: settings.STRIPE_ENDPOINT_ID,
        )


install()
