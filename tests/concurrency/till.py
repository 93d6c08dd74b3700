"""A channel with its book in memory: it answers at once, the same however often it is asked."""

from collections import Counter
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
)
from payments.channels.sandbox import Sandbox
from payments.models import Attempt

NAME = "till"


class Till:
    """Every shopper has a step to do there; they have paid when the test says so."""

    term: timedelta | None = None
    captures_at: tuple[CaptureAt, ...] = (CaptureAt.ONCE, CaptureAt.SHIPMENT)

    def __init__(self) -> None:
        self._charges: dict[str, Charge] = {}
        self._closed: set[str] = set()
        self._failed: set[str] = set()
        self.taken: dict[str, int] = {}
        self.given_back: dict[str, tuple[str, int]] = {}
        self._promised: set[str] = set()
        self._parts: dict[str, tuple[str, int]] = {}

    def pay(self, attempt: Attempt) -> None:
        """The shopper has done their step, also at a charge that was given up before."""
        if self._charges[attempt.channel_key].capture_later:
            self._promised.add(attempt.channel_key)
        else:
            self.taken[attempt.channel_key] = attempt.amount_minor

    def lapse(self, attempt: Attempt) -> None:
        """The time of a promise is over."""
        self._closed.add(attempt.channel_key)

    def refuse(self, attempt: Attempt) -> None:
        self._failed.add(attempt.channel_key)

    def kept_minor(self, keys: list[str]) -> int:
        """What was taken under these keys and has not gone back."""
        taken = Counter({key: self.taken.get(key, 0) for key in keys})
        for key, amount_minor in self.given_back.values():
            taken[key] -= amount_minor if key in keys else 0
        return taken.total()

    def create(self, charge: Charge) -> Answer:
        self._charges.setdefault(charge.key, charge)
        return self.query(charge.key)

    def query(self, key: str) -> Answer:
        status = "authorised" if key in self._promised else "requires_action"
        for said, keys in (("failed", self._failed), ("closed", self._closed)):
            status = said if key in keys else status
        takes_all = not self._charges[key].capture_later
        return self._answer(key, "captured" if takes_all and key in self.taken else status)

    def capture(self, *, key: str, payment_key: str, amount_minor: int, is_last: bool) -> Answer:
        if key not in self._parts:
            left = self._charges[payment_key].amount_minor - self.taken.get(payment_key, 0)
            if payment_key in self._closed or amount_minor > left:
                raise ChannelRefused("not_authorised")
            self._parts[key] = payment_key, amount_minor
            self.taken[payment_key] = self.taken.get(payment_key, 0) + amount_minor
        return self.query_capture(key=key, payment_key=payment_key)

    def query_capture(self, *, key: str, payment_key: str) -> Answer:
        if key not in self._parts:
            raise ChannelRefused(NOT_FOUND)
        currency = self._charges[payment_key].currency
        amount_minor = self._parts[key][1]
        return Answer(
            status="succeeded", amount_minor=amount_minor, currency=currency, ref=f"part-{key}"
        )

    def close(self, key: str) -> Answer:
        self._closed.add(key)
        return self.query(key)

    def refund(self, *, key: str, payment_key: str, amount_minor: int, account: str = "") -> Answer:
        self.given_back.setdefault(key, (payment_key, amount_minor))
        return self.query_refund(key)

    def query_refund(self, key: str) -> Answer:
        payment_key, amount_minor = self.given_back[key]
        currency = self._charges[payment_key].currency
        return Answer(
            status="succeeded", amount_minor=amount_minor, currency=currency, ref=f"back-{key}"
        )

    def movements(self, since: datetime) -> Iterator[Movement]:
        raise ChannelRefused("no_list")

    def verify(self, body: bytes, headers: Mapping[str, str]) -> str:
        raise ChannelRefused("no_notices")

    def notice(self, body: bytes) -> Notice | None:
        return Sandbox().notice(body)  # it tells in the same words

    def _answer(self, key: str, status: str) -> Answer:
        charge = self._charges[key]
        return Answer(
            status=status,
            amount_minor=charge.amount_minor,
            currency=charge.currency,
            ref=f"ref-{key}",
            action_url=f"http://till.invalid/{key}",
        )
