"""Bank transfer: the buyer sends the money, our bank's statement tells of it.

Nothing outside is called. What has come is learnt by `payments/services/bank.py` from statements; what
goes back is sent by people, from the list of `payments/services/transfer.py`.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from django.conf import settings
from stdnum import iban

from core.hooks import HookRefused
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
from payments.references import reference_of

NAME = "bank_transfer"


class BankTransfer:
    """Knows how a reference is made, and nothing of what has come."""

    term: timedelta | None = timedelta(days=settings.BANK_TRANSFER_TERM_DAYS)
    captures_at: tuple[CaptureAt, ...] = (CaptureAt.ONCE,)
    refunds_by_hand = True

    def create(self, charge: Charge) -> Answer:
        """Money that is under way from now on, by a reference of its own."""
        if not is_offered(charge.currency):
            raise ChannelRefused("not_offered")
        return Answer(
            status="processing",
            amount_minor=charge.amount_minor,
            currency=charge.currency,
            ref=reference_of(int(charge.key)),
        )

    def query(self, key: str) -> Answer:
        """A statement will tell; till then it is under way."""
        return Answer(status="processing", amount_minor=0, currency="", ref=reference_of(int(key)))

    def capture(self, *, key: str, payment_key: str, amount_minor: int, is_last: bool) -> Answer:
        """Nothing is promised here, so nothing can be taken."""
        raise ChannelRefused("not_supported")

    def query_capture(self, *, key: str, payment_key: str) -> Answer:
        """As `capture`."""
        raise ChannelRefused(NOT_FOUND)

    def close(self, key: str) -> Answer:
        """The bank knows of nothing that it could close; what comes all the same is late money."""
        raise ChannelRefused(NOT_FOUND)

    def refund(self, *, key: str, payment_key: str, amount_minor: int, account: str = "") -> Answer:
        """Somebody is going to send it."""
        return Answer(status="sent", amount_minor=amount_minor, currency="")

    def query_refund(self, key: str) -> Answer:
        """A statement will tell."""
        return Answer(status="sent", amount_minor=0, currency="")

    def movements(self, since: datetime) -> Iterator[Movement]:
        """None: the statements that are imported are the list."""
        return iter(())

    def verify(self, body: bytes, headers: Mapping[str, str]) -> str:
        """Nobody notifies us. Raises HookRefused."""
        raise HookRefused("no notifications here")

    def notice(self, body: bytes) -> Notice | None:
        """As `verify`."""
        return None


def is_offered(currency: str) -> bool:
    """True where the settings name a sound account that takes that currency."""
    return bool(
        settings.BANK_TRANSFER_HOLDER
        and iban.is_valid(settings.BANK_TRANSFER_IBAN)
        and currency in settings.BANK_TRANSFER_CURRENCIES
    )


register(NAME, BankTransfer(), listed_by=None)
