"""What a merchant's server calls."""

import re
from collections.abc import Mapping
from dataclasses import asdict
from http import HTTPStatus
from typing import Any

from . import fields, transactions
from .captures import Captures
from .faults import Faults
from .payments import OUTCOMES, NewPayment, Payment, Payments
from .payouts import NewPayout, Payouts
from .refunds import Refunds
from .server import Answer, Request, Route, bad_request, json_answer

CURRENCY = re.compile(r"[A-Z]{3}")
WEB_ADDRESS = re.compile(r"https?://[A-Za-z0-9.:\[\]_-]{1,255}(?:[/?#][!-~]{0,2000})?")
IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")
HOLDER = re.compile(r"[^\x00-\x1f]{1,70}")
WHOLE_NUMBER = re.compile(r"[0-9]{1,15}")
LARGEST_AMOUNT_MINOR = 2**53
CAPTURES = ("automatic", "manual")
PAGE_LIMIT = 1000


class Api:
    def __init__(
        self,
        payments: Payments,
        captures: Captures,
        refunds: Refunds,
        payouts: Payouts,
        faults: Faults,
    ) -> None:
        self._payments = payments
        self._captures = captures
        self._refunds = refunds
        self._payouts = payouts
        self._faults = faults

    def routes(self) -> list[Route]:
        money = [
            Route("POST", "/payments", self.create),
            Route("GET", "/payments/{}", self.payment),
            Route("POST", "/payments/{}/capture", self.capture),
            Route("POST", "/payments/{}/captures", self.capture_part),
            Route("GET", "/payments/{}/captures", self.capture_of_key),
            Route("POST", "/payments/{}/close", self.close),
            Route("POST", "/refunds", self.refund),
            Route("GET", "/refunds/{}", self.refund_of_key),
            Route("POST", "/payouts", self.payout),
            Route("GET", "/payouts/{}", self.payout_of_key),
            Route("GET", "/transactions", self.transactions),
        ]
        return [
            Route("GET", "/healthz", self.health),
            Route("POST", "/control/release", self.release),
            Route("POST", "/control/release_payout", self.release_payout),
            Route("POST", "/control/lapse", self.lapse),
            *[self._faults.spoiled(route) for route in money],
        ]

    def health(self, request: Request) -> Answer:
        with self._payments.book.transaction():
            return json_answer({"status": "ok"})

    def create(self, request: Request) -> Answer:
        payment, is_new = self._payments.create(_new_payment(request.members()))
        return self._answer(payment, HTTPStatus.CREATED if is_new else HTTPStatus.OK)

    def payment(self, request: Request) -> Answer:
        return self._answer(self._payments.get(request.name))

    def capture(self, request: Request) -> Answer:
        return self._answer(self._payments.capture(request.name))

    def capture_part(self, request: Request) -> Answer:
        members = {"is_last": False} | request.members()
        capture, is_new = self._captures.request(
            key=fields.key(members),
            payment_key=request.name,
            amount_minor=_amount_minor(members),
            is_last=_flag(members, "is_last"),
        )
        return json_answer(asdict(capture), HTTPStatus.CREATED if is_new else HTTPStatus.OK)

    def capture_of_key(self, request: Request) -> Answer:
        key = fields.key(request.query)
        return json_answer(asdict(self._captures.get(request.name, key)))

    def close(self, request: Request) -> Answer:
        return self._answer(self._payments.close(request.name))

    def release(self, request: Request) -> Answer:
        return self._answer(self._payments.release(fields.key(request.members())))

    def lapse(self, request: Request) -> Answer:
        return self._answer(self._payments.lapse(fields.key(request.members())))

    def refund(self, request: Request) -> Answer:
        members = request.members()
        refund, is_new = self._refunds.request(
            key=fields.key(members),
            payment_key=fields.key(members, "payment_key"),
            amount_minor=_amount_minor(members),
        )
        return json_answer(asdict(refund), HTTPStatus.CREATED if is_new else HTTPStatus.OK)

    def refund_of_key(self, request: Request) -> Answer:
        return json_answer(asdict(self._refunds.get(request.name)))

    def payout(self, request: Request) -> Answer:
        members = request.members()
        payout, is_new = self._payouts.request(
            NewPayout(
                key=fields.key(members),
                amount_minor=_amount_minor(members),
                currency=fields.text(members, "currency", CURRENCY, "three capital letters"),
                holder=fields.text(members, "holder", HOLDER, "1 to 70 characters"),
                iban=fields.text(members, "iban", IBAN, "an IBAN without spaces"),
            )
        )
        return json_answer(asdict(payout), HTTPStatus.CREATED if is_new else HTTPStatus.OK)

    def payout_of_key(self, request: Request) -> Answer:
        return json_answer(asdict(self._payouts.get(request.name)))

    def release_payout(self, request: Request) -> Answer:
        return json_answer(asdict(self._payouts.release(fields.key(request.members()))))

    def transactions(self, request: Request) -> Answer:
        """`next_cursor` asks for the next page, and is null on the last."""
        since = fields.moment(request.query, "since") if "since" in request.query else ""
        limit = min(_whole_number(request.query, "limit", default=100, smallest=1), PAGE_LIMIT)
        after_id = _whole_number(request.query, "cursor", default=0, smallest=0)
        with self._payments.book.transaction() as database:
            rows, next_id = transactions.page(database, since=since, after_id=after_id, limit=limit)
        next_cursor = None if next_id is None else str(next_id)
        return json_answer({"data": rows, "next_cursor": next_cursor})

    def _answer(self, payment: Payment, status: HTTPStatus = HTTPStatus.OK) -> Answer:
        return json_answer(self._payments.document(payment), status)


def _new_payment(members: dict[str, Any]) -> NewPayment:
    members = {"token": "", "capture": "automatic"} | members
    return NewPayment(
        key=fields.key(members),
        amount_minor=_amount_minor(members),
        currency=fields.text(members, "currency", CURRENCY, "three capital letters"),
        token=fields.choice(members, "token", OUTCOMES),
        capture=fields.choice(members, "capture", CAPTURES),
        return_url=fields.text(members, "return_url", WEB_ADDRESS, "an http or https address"),
        expires_at=fields.moment(members, "expires_at"),
    )


def _amount_minor(members: dict[str, Any]) -> int:
    value = members.get("amount_minor")
    # JSON's true is an int to Python.
    if type(value) is not int or not 0 < value <= LARGEST_AMOUNT_MINOR:
        raise bad_request(f"amount_minor must be a whole number from 1 to {LARGEST_AMOUNT_MINOR}.")
    return value


def _flag(members: dict[str, Any], name: str) -> bool:
    value = members[name]
    if type(value) is not bool:
        raise bad_request(f"{name} must be true or false.")
    return value


def _whole_number(query: Mapping[str, str], name: str, *, default: int, smallest: int) -> int:
    value = query.get(name, str(default))
    if not WHOLE_NUMBER.fullmatch(value) or int(value) < smallest:
        raise bad_request(f"{name} must be a whole number from {smallest}.")
    return int(value)
