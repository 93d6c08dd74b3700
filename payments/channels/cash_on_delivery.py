"""Cash on delivery: the buyer pays at the door, and the carrier brings us the money.

There is no book outside of ours to ask: whoever orders has promised, and the parcel's delivery is
the proof that the carrier has been paid. It owes us that, so the money clears as a channel's does.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from payments.channels.base import (
    NOT_FOUND,
    Answer,
    CaptureAt,
    ChannelRefused,
    Charge,
    Movement,
    Notice,
    register,
)

NAME = "cash_on_delivery"
# It says nothing of an amount: what it was asked stands.
DONE = Answer(status="succeeded", amount_minor=0, currency="")
CLOSED = Answer(status="closed", amount_minor=0, currency="")


class CashOnDelivery:
    """Says yes to what is asked of it at the right time; it is the orders that know the time."""

    term: timedelta | None = None
    captures_at: tuple[CaptureAt, ...] = (CaptureAt.DELIVERY,)

    def create(self, charge: Charge) -> Answer:
        """The order itself is the promise to pay at the door."""
        return Answer(
            status="authorised",
            amount_minor=charge.amount_minor,
            currency=charge.currency,
            ref=f"cash_{charge.key}",
        )

    def query(self, key: str) -> Answer:
        """Nobody else has a book of it."""
        raise ChannelRefused(NOT_FOUND)

    def capture(self, *, key: str, payment_key: str, amount_minor: int, is_last: bool) -> Answer:
        """The carrier was paid at the door: it is asked for once the parcel is delivered."""
        return DONE

    def query_capture(self, *, key: str, payment_key: str) -> Answer:
        """Likewise."""
        return DONE

    def close(self, key: str) -> Answer:
        """Nobody will be asked to pay at the door."""
        return CLOSED

    def refund(self, *, key: str, payment_key: str, amount_minor: int, account: str = "") -> Answer:
        """Cash came from no account, so there is none that it could go back to."""
        raise ChannelRefused("no_account")

    def query_refund(self, key: str) -> Answer:
        """Nobody else has a book of it."""
        raise ChannelRefused(NOT_FOUND)

    def movements(self, since: datetime) -> Iterator[Movement]:
        """None of its own: what carriers hand over arrives at the bank."""
        return iter(())

    def verify(self, body: bytes, headers: Mapping[str, str]) -> str:
        """Nobody may notify us in its name."""
        raise ChannelRefused("unexpected")

    def notice(self, body: bytes) -> Notice | None:
        """It tells nothing."""
        return None


register(NAME, CashOnDelivery(), listed_by=None)
