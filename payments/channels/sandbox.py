"""The sandbox channel: a provider of our own, spoken to over HTTP like any other."""

from dataclasses import replace
from datetime import timedelta
from functools import cache
from http import HTTPStatus
from typing import Any

import httpx
from django.conf import settings

from core.parallel import limit
from payments.channels.base import Answer, CaptureAt, ChannelDown, ChannelRefused, Charge, register

NAME, TRANSFER = "sandbox", "sandbox_transfer"
TIMEOUT_SECONDS = 5


class Sandbox:
    """Speaks JSON over connections that are kept."""

    term: timedelta | None = None
    captures_at: tuple[CaptureAt, ...] = (CaptureAt.ONCE, CaptureAt.SHIPMENT)

    def create(self, charge: Charge) -> Answer:
        """Asks for a payment; the same key again answers the same payment."""
        return _payment(
            _call(
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
        return _payment(_call("GET", f"/payments/{key}"))

    def capture(self, *, key: str, payment_key: str, amount_minor: int, is_last: bool) -> Answer:
        """Takes a part of what was authorised; the same key again answers the same capture."""
        return _part(
            _call(
                "POST",
                f"/payments/{payment_key}/captures",
                key=key,
                amount_minor=amount_minor,
                is_last=is_last,
            )
        )

    def query_capture(self, *, key: str, payment_key: str) -> Answer:
        """What became of a capture."""
        return _part(_call("GET", f"/payments/{payment_key}/captures?key={key}"))

    def close(self, key: str) -> Answer:
        """Asks that nobody can pay it any more; a payment that was captured answers so."""
        return self._change(key, "close")

    def refund(self, *, key: str, payment_key: str, amount_minor: int) -> Answer:
        """Asks for money back; the same key again answers the same refund."""
        return _part(
            _call("POST", "/refunds", key=key, payment_key=payment_key, amount_minor=amount_minor)
        )

    def query_refund(self, key: str) -> Answer:
        """What became of a refund."""
        return _part(_call("GET", f"/refunds/{key}"))

    def _change(self, key: str, verb: str) -> Answer:
        try:
            return _payment(_call("POST", f"/payments/{key}/{verb}"))
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


def _call(method: str, path: str, **members: Any) -> dict[str, Any]:
    try:
        response = _client().request(
            method,
            f"{settings.SANDBOX_PAYMENT_URL}{path}",
            json=members or None,
            timeout=limit(TIMEOUT_SECONDS),
        )
        document: dict[str, Any] = response.json()
    except (httpx.HTTPError, ValueError) as error:
        raise ChannelDown(repr(error)) from error
    if response.is_success:
        return document
    if response.is_server_error or response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
        raise ChannelDown(f"{response.status_code} {document}")
    raise ChannelRefused(document.pop("error", str(response.status_code)), **document)


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


register(NAME, Sandbox())
register(TRANSFER, Transfer())
