"""The sandbox's payouts: money that leaves for a merchant's bank account, under a key of ours."""

from payments.channels.base import Answer
from payments.channels.sandbox import call

NAME = "sandbox_payout"


def create(*, key: str, amount_minor: int, currency: str, holder: str, iban: str) -> Answer:
    """Asks for a payout; the same key again answers the same one.

    Raises ChannelDown, ChannelRefused, as the two below do.
    """
    return _payout(
        call(
            "POST",
            "/payouts",
            key=key,
            amount_minor=amount_minor,
            currency=currency,
            holder=holder,
            iban=iban,
        )
    )


def query(key: str) -> Answer:
    """What became of a payout."""
    return _payout(call("GET", f"/payouts/{key}"))


def _payout(document: dict[str, object]) -> Answer:
    return Answer(
        status=str(document["status"]),
        amount_minor=int(str(document["amount_minor"])),
        currency=str(document["currency"]),
        ref=str(document["ref"]),
        failure_code=str(document["failure"] or ""),
    )
