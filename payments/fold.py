"""What channels' statements amount to: pure functions of the set of them.

The order of arrival and repetitions play no part, for a set has neither. `core/fsm.py` takes the rows
to the states that these functions name, and the audit view `payments_02_fold` holds them to it.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from payments.models import ChannelFact

Kind = ChannelFact.Kind

# Of several statements the strongest decides: money that moved, then what can't move any more.
ATTEMPT_RANKS = ((Kind.CAPTURED, "succeed"), (Kind.CLOSED, "close"), (Kind.FAILED, "fail"))


@dataclass(frozen=True, slots=True)
class Tally:
    """What the statements about one payment sum up to, in minor units."""

    captured_minor: int
    refunded_minor: int


def attempt_verb(kinds: Collection[str], *, captures_later: bool) -> str:
    """The verb that takes an attempt to the state its statements amount to; '' where there are none.

    A promise ends the try well where the money is to be taken later; else the capture does.
    """
    for kind, verb in ATTEMPT_RANKS:
        if kind in kinds:
            return verb
    if Kind.AUTHORISED in kinds:
        return "succeed" if captures_later else "process"
    return ""


def capture_verb(kinds: Collection[str]) -> str:
    """Likewise of a capture: money that came is here, whatever was said before or after."""
    if Kind.CAPTURED in kinds:
        return "succeed"
    return "fail" if Kind.CAPTURE_FAILED in kinds else ""


def refund_verb(kinds: Collection[str]) -> str:
    """Likewise of a refund: money that went is gone."""
    if Kind.REFUND_SUCCEEDED in kinds:
        return "succeed"
    return "fail" if Kind.REFUND_FAILED in kinds else ""


def chargeback_verb(kinds: Collection[str]) -> str:
    """Likewise of a chargeback: what was won is won, and nothing is decided before it is said."""
    if Kind.CHARGEBACK_WON in kinds:
        return "win"
    return "lose" if Kind.CHARGEBACK_LOST in kinds else ""


def tally(statements: Iterable[tuple[str, str, int]]) -> Tally:
    """Sums of (kind, reference, minor units); one reference moves its money once."""
    moved = {(kind, reference): minor for kind, reference, minor in statements}
    return Tally(
        captured_minor=sum(minor for (kind, _), minor in moved.items() if kind == Kind.CAPTURED),
        refunded_minor=sum(
            minor for (kind, _), minor in moved.items() if kind == Kind.REFUND_SUCCEEDED
        ),
    )
