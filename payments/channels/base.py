"""What a payment channel is to us. Every channel has the same insides and is found by its name."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from core.errors import Invalid


class CaptureAt(StrEnum):
    """When promised money is taken: with the payment itself, or per order as goods move."""

    ONCE = "once"
    SHIPMENT = "shipment"
    DELIVERY = "delivery"


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What a channel is asked to take, under a key that makes asking twice harmless.

    `capture_later`: the money is only to be promised; `capture` takes it.
    """

    key: str
    amount_minor: int
    currency: str
    token: str
    return_url: str
    expires_at: datetime
    capture_later: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a channel said of a charge, a capture or a refund.

    `status` of a charge: requires_action, processing, authorised, captured, failed, closed; of a
    capture and a refund: sent, succeeded, failed. The amount is what that status is about.
    """

    status: str
    amount_minor: int
    currency: str
    ref: str = ""
    action_url: str = ""
    failure_code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What a channel told without being asked: a fact's kind, and which of our keys it is about.

    `kind` is one of `ChannelFact.Kind`. `payment_key` is the attempt's, where `key` is another's.
    A channel that names none of our keys says which of its own references it is about: `payment_ref`.
    A dispute's `key` is the payment's, its `ref` its own name.
    """

    kind: str
    key: str
    ref: str
    amount_minor: int
    currency: str
    payment_key: str = ""
    payment_ref: str = ""
    failure_code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """Money that a channel says it has moved: one row of its list, and what it keeps of it.

    `kind` is one of `ChannelFact.Kind`; `ref` the row's own name there, `fee_minor` the channel's fee.
    """

    kind: str
    key: str
    ref: str
    amount_minor: int
    currency: str
    fee_minor: int
    at: datetime


class ChannelDown(Exception):
    """The channel gave no answer that tells what became of it; ask again with the same key."""


class ChannelRefused(Exception):
    """The channel answered that it will not; asking again would not help."""

    def __init__(self, code: str, **facts: Any) -> None:
        super().__init__(code)
        self.code = code
        self.facts = facts


class Channel(Protocol):
    """Every call may be repeated, may raise ChannelDown or ChannelRefused, and knows no database.

    `term` is how long its money takes, where that is longer than a group waits by itself.
    `captures_at` are the ways in which it can take money, the first one without being told.
    """

    term: timedelta | None
    captures_at: tuple[CaptureAt, ...]

    def create(self, charge: Charge) -> Answer: ...

    def query(self, key: str) -> Answer: ...

    def capture(
        self, *, key: str, payment_key: str, amount_minor: int, is_last: bool
    ) -> Answer: ...

    def query_capture(self, *, key: str, payment_key: str) -> Answer: ...

    def close(self, key: str) -> Answer: ...

    def refund(
        self, *, key: str, payment_key: str, amount_minor: int, account: str = ""
    ) -> Answer: ...

    def query_refund(self, key: str) -> Answer: ...

    def movements(self, since: datetime) -> Iterator[Movement]: ...

    def verify(self, body: bytes, headers: Mapping[str, str]) -> str: ...

    def notice(self, body: bytes) -> Notice | None: ...


NOT_FOUND = "not_found"  # the code of a refusal for a key that the channel does not know


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """A channel, under which name its notifications arrive, and in whose list its movements stand.

    `endpoint_id` answers what its own address for notifications ends in, empty where it has none
    now. `listed_by` None: nobody lists its movements, and there is nothing to reconcile with.
    """

    channel: Channel
    told_by: str
    endpoint_id: Callable[[], str]
    listed_by: str | None


_channels: dict[str, Registered] = {}


def register(
    name: str,
    channel: Channel,
    *,
    endpoint_id: Callable[[], str] = str,
    told_by: str = "",
    listed_by: str | None = "",
) -> None:
    """Makes a channel known by its name; not said otherwise, it tells and lists for itself."""
    _channels[name] = Registered(
        channel=channel,
        told_by=told_by or name,
        endpoint_id=endpoint_id,
        listed_by=name if listed_by == "" else listed_by,
    )


def listing_channels() -> list[str]:
    """The names of the channels with a list of what they have moved."""
    return sorted(name for name, known in _channels.items() if known.listed_by == name)


def listed_with(name: str) -> list[str]:
    """The names of the channels whose movements stand in that channel's list."""
    return sorted(listed for listed, known in _channels.items() if known.listed_by == name)


def endpoint_id_of(name: str) -> str:
    """What the address of a channel's notifications ends in; empty where none may arrive."""
    return _channels[name].endpoint_id() if name in _channels else ""


def told_by(name: str) -> str:
    """At whose endpoint a channel's notifications arrive."""
    return _channels[name].told_by if name in _channels else name


def told_with(name: str) -> list[str]:
    """The names of the channels whose notifications arrive at that channel's endpoint."""
    return sorted(told for told, known in _channels.items() if known.told_by == name)


def is_known(name: str) -> bool:
    """True for a channel that can be paid at."""
    return name in _channels


def slow_channels() -> list[str]:
    """The names of the channels whose money takes days."""
    return sorted(name for name, known in _channels.items() if known.channel.term)


def by_hand() -> list[str]:
    """The names of the channels that have no way back: somebody sends their refunds."""
    known = sorted(_channels.items())
    return [name for name, row in known if getattr(row.channel, "refunds_by_hand", False)]


def capture_at(name: str) -> CaptureAt:
    """When that channel takes money: as the settings say, where it can, else in its first way."""
    can = channel_named(name).captures_at
    wanted = settings.PAYMENT_CAPTURE_AT.get(name)
    return CaptureAt(wanted) if wanted in can else can[0]


def channel_named(name: str) -> Channel:
    """The channel of that name. Raises Invalid `payment.channel_unknown`."""
    try:
        return _channels[name].channel
    except KeyError:
        raise Invalid(
            "payment.channel_unknown", _("There is no such way to pay."), channel=name
        ) from None


def notice_document(body: bytes) -> dict[str, Any]:
    """A notification's JSON object. Raises Invalid `hook.malformed`."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise malformed("body") from None
    if not isinstance(document, dict):
        raise malformed("body")
    return document


def member_of(document: Mapping[str, Any], name: str, kind: type) -> Any:
    """A member of that very type, and not empty. Raises Invalid `hook.malformed`."""
    value = document.get(name)
    if type(value) is not kind or not value:  # JSON's true is an int to Python
        raise malformed(name)
    if isinstance(value, str) and not value.isprintable():  # the database takes no NUL
        raise malformed(name)
    return value


def malformed(name: str) -> Invalid:
    """What a notification without that member, or with another kind of it, is refused with."""
    return Invalid("hook.malformed", _("The notification can't be read."), member=name)
