"""The part of Stripe's API that we use: its parameters, its refusals, its answers."""

import re
import sqlite3
import time
from collections.abc import Callable
from typing import Any

from . import money
from .book import Object, change, find, new, newest_first, tell
from .errors import invalid, missing

LARGEST_AMOUNT = 99_999_999
THREE_DECIMALS = {"bhd", "jod", "kwd", "omr", "tnd"}
SHORTEST_PAGE_SECONDS, LONGEST_PAGE_SECONDS = 30 * 60, 24 * 3600
COMPARE: dict[str, Callable[[int, int], bool]] = {
    "gt": lambda one, other: one > other,
    "gte": lambda one, other: one >= other,
    "lt": lambda one, other: one < other,
    "lte": lambda one, other: one <= other,
}
# Each path: what it does, and which parameters it knows. Stripe refuses every other.
Act = Callable[["Api", sqlite3.Connection, str, Object], Object]


class Api:
    """Every method is a part of one transaction."""

    def __init__(self, url: str) -> None:
        self.url = url

    def session_create(self, database: sqlite3.Connection, _: str, given: Object) -> Object:
        if given.get("mode") != "payment" or "success_url" not in given:
            raise invalid("mode must be payment, and a success_url is needed.", "mode")
        [line] = given["line_items"]
        price = line["price_data"]
        seconds = int(given["expires_at"]) - time.time()
        if not SHORTEST_PAGE_SECONDS <= seconds <= LONGEST_PAGE_SECONDS:
            raise invalid(
                "The `expires_at` timestamp must be between 30 minutes and 24 hours from"
                " Checkout Session creation.",
                "expires_at",
            )
        session = new(
            database,
            "checkout.session",
            amount_total=_amount(price["unit_amount"], price["currency"], "unit_amount"),
            cancel_url=given.get("cancel_url"),
            currency=price["currency"],
            expires_at=int(given["expires_at"]),
            metadata=given.get("metadata", {}),
            mode="payment",
            payment_intent=None,
            payment_status="unpaid",
            status="open",
            success_url=given["success_url"],
            # Not Stripe's: what its page makes of the parameters.
            _intent=given.get("payment_intent_data", {}),
            _wants_parts=_wants_parts(given),
        )
        # As long as the real one's, which is longer than most columns for addresses.
        address = f"{self.url}/c/pay/{session['id']}#fid{'x' * 600}"
        return change(database, session, url=address)

    def session_expire(self, database: sqlite3.Connection, name: str, _: Object) -> Object:
        session = money.found(database, "checkout.session", name)
        if session["status"] != "open":
            raise invalid(
                'Only Checkout Sessions with a status in ["open"] can be expired.'
                f" This Checkout Session has a status of `{session['status']}`."
            )
        if session["payment_intent"]:
            intent = money.found(database, "payment_intent", session["payment_intent"])
            if intent["status"] in money.CANCELLABLE:
                money.cancel(database, intent)
        change(database, session, status="expired", url=None)
        tell(database, "checkout.session.expired", session)
        return session

    def intent_create(self, database: sqlite3.Connection, _: str, given: Object) -> Object:
        method = given.get("payment_method", "")
        if method not in money.CARDS:
            raise missing("PaymentMethod", method, "payment_method", 400)
        if given.get("confirm") == "true" and not given.get("return_url"):
            raise invalid("A `return_url` is needed.", "return_url")
        intent = money.intent_new(
            database,
            amount=_amount(given["amount"], given["currency"], "amount"),
            currency=given["currency"],
            capture_method=given.get("capture_method", "automatic"),
            metadata=given.get("metadata", {}),
            wants_parts=_wants_parts(given),
        )
        change(database, intent, _return_url=given.get("return_url"))
        return money.confirm(database, intent, method, self.url)

    def intent_capture(self, database: sqlite3.Connection, name: str, given: Object) -> Object:
        intent = money.found(database, "payment_intent", name)
        amount = given.get("amount_to_capture")
        metadata = {**intent["metadata"], **given.get("metadata", {})}
        change(database, intent, metadata=metadata)
        return money.capture(
            database,
            intent,
            amount=None if amount is None else int(amount),
            is_final=given.get("final_capture", "true") == "true",
        )

    def intent_cancel(self, database: sqlite3.Connection, name: str, _: Object) -> Object:
        intent = money.found(database, "payment_intent", name)
        for session in newest_first(database, "checkout.session"):
            if session["payment_intent"] == name and session["status"] == "open":
                raise invalid("You cannot cancel the PaymentIntent for a Checkout Session.")
        return money.cancel(database, intent)

    def refund_create(self, database: sqlite3.Connection, _: str, given: Object) -> Object:
        intent = money.found(database, "payment_intent", given["payment_intent"])
        return money.refund(
            database,
            intent,
            amount=_amount(given["amount"], intent["currency"], "amount"),
            metadata=given.get("metadata", {}),
        )

    def retrieve(self, kind: str) -> Act:
        def act(_: Api, database: sqlite3.Connection, name: str, given: Object) -> Object:
            return expanded(database, money.found(database, kind, name), given.get("expand", []))

        return act

    def listing(self, kind: str) -> Act:
        def act(_: Api, database: sqlite3.Connection, _name: str, given: Object) -> Object:
            return listed(database, kind, given)

        return act


def routes(api: Api) -> list[tuple[str, re.Pattern[str], Act, set[str]]]:
    page = {"created", "limit", "starting_after", "expand"}
    charging = {"metadata", "payment_method_types", "payment_method_options"}
    table: list[tuple[str, str, Act, set[str]]] = [
        (
            "POST",
            "checkout/sessions",
            Api.session_create,
            {"mode", "line_items", "success_url", "cancel_url", "expires_at"}
            | {"payment_intent_data", *charging},
        ),
        ("GET", "checkout/sessions", api.listing("checkout.session"), page),
        ("GET", "checkout/sessions/{}", api.retrieve("checkout.session"), {"expand"}),
        ("POST", "checkout/sessions/{}/expire", Api.session_expire, set()),
        (
            "POST",
            "payment_intents",
            Api.intent_create,
            {"amount", "currency", "payment_method", "confirm", "return_url", "capture_method"}
            | charging,
        ),
        ("GET", "payment_intents", api.listing("payment_intent"), page),
        ("GET", "payment_intents/{}", api.retrieve("payment_intent"), {"expand"}),
        (
            "POST",
            "payment_intents/{}/capture",
            Api.intent_capture,
            {"amount_to_capture", "final_capture", "metadata"},
        ),
        ("POST", "payment_intents/{}/cancel", Api.intent_cancel, set()),
        ("POST", "refunds", Api.refund_create, {"payment_intent", "amount", "metadata"}),
        ("GET", "refunds", api.listing("refund"), page),
        (
            "GET",
            "balance_transactions",
            api.listing("balance_transaction"),
            page | {"source"},
        ),
    ]
    return [
        (method, re.compile("/v1/" + path.replace("{}", "([^/]+)")), act, known)
        for method, path, act, known in table
    ]


def listed(database: sqlite3.Connection, kind: str, given: Object) -> Object:
    limit = int(given.get("limit", 10))
    if not 1 <= limit <= 100:
        raise invalid("limit must be from 1 to 100.", "limit")
    found = newest_first(database, kind)
    for name, bound in given.get("created", {}).items():
        found = [each for each in found if COMPARE[name](each["created"], int(bound))]
    if source := given.get("source"):
        found = [each for each in found if each["source"] == source]
    if after := given.get("starting_after"):
        names = [each["id"] for each in found]
        if after not in names:
            raise missing(kind, after, "starting_after", 400)
        found = found[names.index(after) + 1 :]
    paths = [path.removeprefix("data.") for path in given.get("expand", [])]
    data = [expanded(database, each, paths) for each in found[:limit]]
    return {"object": "list", "data": data, "has_more": len(found) > limit, "url": f"/v1/{kind}s"}


def expanded(database: sqlite3.Connection, subject: Object, paths: list[str]) -> Object:
    """The object as Stripe shows it, with the objects that are asked for in place of their ids."""
    shown = _shown(subject)
    for path in paths:
        if path not in shown:
            raise invalid(f"This property cannot be expanded ({path}).", "expand")
        for kind in ("payment_intent", "charge", "refund", "dispute"):
            if isinstance(shown[path], str) and (other := find(database, kind, shown[path])):
                shown[path] = _shown(other)
    return shown


def _shown(subject: Object) -> Object:
    return {name: value for name, value in subject.items() if not name.startswith("_")}


def _wants_parts(given: Object) -> bool:
    card: Any = given.get("payment_method_options", {}).get("card", {})
    return bool(card.get("request_multicapture") == "if_available")


def _amount(text: str, currency: str, param: str) -> int:
    amount = int(text)
    if not 0 < amount <= LARGEST_AMOUNT:
        raise invalid("Amount must be a positive integer of at most eight digits.", param)
    if currency != currency.lower():
        raise invalid(f"Invalid currency: {currency}.", "currency")
    if currency in THREE_DECIMALS and amount % 10:
        raise invalid("The last digit of a three-decimal amount must be 0.", param)
    return amount
