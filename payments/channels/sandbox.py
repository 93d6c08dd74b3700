"""The sandbox channel: a provider of our own, spoken to over HTTP like any other."""

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import cache
from http import HTTPStatus
from typing import Any

import httpx
from django.conf import settings

from core.hooks import verify_standard
from core.parallel import limit
from payments.channels.base import (
    Answer,
    CaptureAt,
    ChannelDown,
    ChannelRefused,
    Charge,
    Movement,
    Notice,
    member_of,
    notice_document,
    register,
)

NAME, TRANSFER = "sandbox", "sandbox_transfer"
TIMEOUT_SECONDS = 5
ROWS_PER_PAGE = 1000
KINDS = {"capture": "captured", "refund": "refund_succeeded"}
TOTAL = "total"
NOTICE_KINDS = {
    "payment.authorised": "authorised",
    "payment.captured": "captured",
    "payment.failed": "failed",
    "payment.closed": "closed",
    "capture.succeeded": "captured",
    "capture.failed": "capture_failed",
    "refund.succeeded": "refund_succeeded",
    "refund.failed": "refund_failed",
    "chargeback.opened": "chargeback_opened",
    "chargeback.won": "chargeback_won",
    "chargeback.lost": "chargeback_lost",
    "payout.paid": "payout_paid",
    "payout.failed": "payout_failed",
}


class Sandbox:
    """Speaks JSON over connections that are kept."""

    term: timedelta | None = None
    captures_at: tuple[CaptureAt, ...] = (CaptureAt.ONCE, CaptureAt.SHIPMENT)

    def create(self, charge: Charge) -> Answer:
        """Asks for a payment; the same key again answers the same payment."""
        return _payment(
            call(
                "POST",
                "/payments",
                key=charge.key,
                amount_minor=charge.amount_minor,
                currency=charge.currency,
                token=charge.token,
                return_url=charge.return_url,
                expires_at=charge.expires_at.isoformat(),
                capture="manual" if charge.capture_later else "automatic",
            )
        )

    def query(self, key: str) -> Answer:
        """What became of a payment."""
        return _payment(call("GET", f"/payments/{key}"))

    def capture(self, *, key: str, payment_key: str, amount_minor: int, is_last: bool) -> Answer:
        """Takes a part of what was authorised; the same key again answers the same capture."""
        return _part(
            call(
                "POST",
                f"/payments/{payment_key}/captures",
                key=key,
                amount_minor=amount_minor,
                is_last=is_last,
            )
        )

    def query_capture(self, *, key: str, payment_key: str) -> Answer:
        """What became of a capture."""
        return _part(call("GET", f"/payments/{payment_key}/captures?key={key}"))

    def close(self, key: str) -> Answer:
        """Asks that nobody can pay it any more; a payment that was captured answers so."""
        return self._change(key, "close")

    def refund(self, *, key: str, payment_key: str, amount_minor: int, account: str = "") -> Answer:
        """Asks for money back; the same key again answers the same refund."""
        return _part(
            call("POST", "/refunds", key=key, payment_key=payment_key, amount_minor=amount_minor)
        )

    def query_refund(self, key: str) -> Answer:
        """What became of a refund."""
        return _part(call("GET", f"/refunds/{key}"))

    def movements(self, since: datetime) -> Iterator[Movement]:
        """What has been captured and given back since then, page by page, the oldest first."""
        cursor = "0"
        while cursor:
            asked = {"since": since.isoformat(), "limit": str(ROWS_PER_PAGE), "cursor": cursor}
            page = call("GET", f"/transactions?{httpx.QueryParams(asked)}")
            yield from (_movement(row, amount_minor=row["amount_minor"]) for row in page["data"])
            cursor = page["next_cursor"]

    def report(self, day: date) -> list[Movement]:
        """The rows of a day's settlement file. Raises ChannelDown where they miss their totals."""
        rows = list(csv.DictReader(_ask("GET", f"/settlements/{day}.csv").text.splitlines()))
        movements = [
            _movement(row, amount_minor=abs(int(row["gross_minor"])))
            for row in rows
            if row["id"] != TOTAL
        ]
        if _totals(row for row in rows if row["id"] == TOTAL) != _totals(
            row for row in rows if row["id"] != TOTAL
        ):
            raise ChannelDown(f"the settlement file of {day} does not sum up")
        return movements

    def verify(self, body: bytes, headers: Mapping[str, str]) -> str:
        """By any of the secrets that are in use."""
        return verify_standard(body, headers, settings.SANDBOX_PAYMENT_SECRETS)

    def notice(self, body: bytes) -> Notice | None:
        """What a notification says; None for a kind that says nothing to us."""
        document = notice_document(body)
        kind = NOTICE_KINDS.get(str(document.get("kind")))
        if kind is None:
            return None
        return Notice(
            kind=kind,
            key=member_of(document, "key", str),
            payment_key=str(document.get("payment_key") or ""),
            ref=member_of(document, "ref", str),
            amount_minor=member_of(document, "amount_minor", int),
            currency=member_of(document, "currency", str),
            failure_code=str(document.get("failure") or ""),
        )

    def _change(self, key: str, verb: str) -> Answer:
        try:
            return _payment(call("POST", f"/payments/{key}/{verb}"))
        except ChannelRefused as refusal:
            if "payment" in refusal.facts:  # too late for that, and here is how it stands
                return _payment(refusal.facts["payment"])
            raise


class Transfer(Sandbox):
    """The same provider, paid by a bank transfer: a matter of days, in which nobody has to act.

    Its hosted page is where the transfer is made, today or the day after tomorrow.
    """

    term: timedelta | None = timedelta(days=3)
    captures_at: tuple[CaptureAt, ...] = (CaptureAt.ONCE,)

    def create(self, charge: Charge) -> Answer:
        """Asks for a payment that is under way from now on."""
        return _under_way(super().create(charge))

    def query(self, key: str) -> Answer:
        """What became of it."""
        return _under_way(super().query(key))


def _under_way(answer: Answer) -> Answer:
    """What waits for its shopper at the provider is money that is to come."""
    if answer.status != "requires_action":
        return answer
    return replace(answer, status="processing")


@cache
def _client() -> httpx.Client:
    """One per process, made at its first call: never shared across a fork."""
    return httpx.Client(timeout=TIMEOUT_SECONDS, trust_env=False)


def call(method: str, path: str, **members: Any) -> dict[str, Any]:
    """Speaks to the provider and answers its document. Raises ChannelDown, ChannelRefused."""
    return _document(_ask(method, path, **members))


def _ask(method: str, path: str, **members: Any) -> httpx.Response:
    """An answer that is a success. Raises ChannelDown, ChannelRefused."""
    try:
        response = _client().request(
            method,
            f"{settings.SANDBOX_PAYMENT_URL}{path}",
            json=members or None,
            timeout=limit(TIMEOUT_SECONDS),
        )
    except httpx.HTTPError as error:
        raise ChannelDown(repr(error)) from error
    if response.is_success:
        return response
    document = _document(response)
    if response.is_server_error or response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
        raise ChannelDown(f"{response.status_code} {document}")
    raise ChannelRefused(document.pop("error", str(response.status_code)), **document)


def _document(response: httpx.Response) -> dict[str, Any]:
    try:
        document: dict[str, Any] = response.json()
    except ValueError as error:
        raise ChannelDown(repr(error)) from error
    return document


def _payment(document: dict[str, Any]) -> Answer:
    """A charge that was taken part by part has kept its promise; its captures tell what was taken."""
    status = document["status"]
    captured = status == "captured" and not document["parts_minor"]
    return Answer(
        status="authorised" if status == "captured" and not captured else status,
        amount_minor=document["captured_minor" if captured else "amount_minor"],
        currency=document["currency"],
        ref=document["ref"],
        action_url=document["action_url"] or "",
        failure_code=document["failure"] or "",
    )


def _part(document: dict[str, Any]) -> Answer:
    """A capture or a refund."""
    return Answer(
        status=document["status"],
        amount_minor=document["amount_minor"],
        currency=document["currency"],
        ref=document["ref"],
    )


def _movement(row: dict[str, Any], *, amount_minor: int) -> Movement:
    return Movement(
        kind=KINDS[row["kind"]],
        key=row["key"],
        ref=row["ref"],
        amount_minor=amount_minor,
        currency=row["currency"],
        fee_minor=int(row["fee_minor"]),
        at=datetime.fromisoformat(row["at"]),
    )


def _totals(rows: Iterable[dict[str, Any]]) -> dict[str, tuple[int, int, int]]:
    """Gross, fee and net per currency."""
    sums: dict[str, tuple[int, int, int]] = {}
    for row in rows:
        gross, fee, net = sums.get(row["currency"], (0, 0, 0))
        more_gross, more_fee, more_net = (int(row[f"{n}_minor"]) for n in ("gross", "fee", "net"))
        sums[row["currency"]] = (gross + more_gross, fee + more_fee, net + more_net)
    return sums


register(NAME, Sandbox(), endpoint_id=lambda: settings.SANDBOX_ENDPOINT_ID)
register(TRANSFER, Transfer(), listed_by=NAME, told_by=NAME)
