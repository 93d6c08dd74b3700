"""What became of each group of a rush, how long it took, and whether that is one of the right ends."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from statistics import quantiles

from core import audit
from core.models import BusinessClock, StateChange
from orders.management.replay.look import Seen, look, undelivered_events
from payments.models import Refund
from tests.faults.blows import money_here, money_there
from tests.faults.rush import AT_THE_DEADLINE, GO_AWAY, PRESS, WINDOW_SECONDS, Rush, Shopper, utc
from tests.faults.shop import RunningShop, is_at_rest, read_book

PAID, PAID_AFTER_ALL, REFUNDED, NEVER_CHARGED = "paid", "reinstated", "refunded", "never charged"
CAPTURES = "SELECT key, at FROM movement WHERE kind = 'capture'"
TOO_EARLY = ("start_expiring", "expire")
GROUP_STEPS = ("pay", "reinstate", *TOO_EARLY)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One group's end, and how long after its money, or its deadline where none came, it was there."""

    shopper: Shopper
    end: str
    seconds: float
    money_seconds_off: float | None  # from its deadline


class Judge:
    """Looks at all groups of a rush until each has come to an end."""

    def __init__(self, shop: RunningShop, rush: Rush) -> None:
        self._shop = shop
        self._shoppers = rush.shoppers
        self._ids = [shopper.group_id for shopper in rush.shoppers]
        self._open = rush.shoppers

    def wait(self) -> list[Outcome]:
        """What became of each, once all have ended. Fails with what stands still."""
        try:
            self._shop.until_none(self._waiting)
            self._shop.until_none(undelivered_events)
            self._shop.until(lambda: is_at_rest(self._shop.folder))
        except AssertionError as error:
            left = look([shopper.group_id for shopper in self._open]).values()
            found = [*map(str, left), *self._shop.diagnosis()]
            raise AssertionError("\n".join(found)) from error
        return self._outcomes()

    def _waiting(self) -> int:
        """How many have not ended yet; what has ended is not looked at again."""
        seen = look([shopper.group_id for shopper in self._open])
        self._open = [shopper for shopper in self._open if not ended(seen[shopper.group_id])]
        return len(self._open)

    def _outcomes(self) -> list[Outcome]:
        seen, steps, refunds = look(self._ids), self._steps(), self._refunds()
        offset = BusinessClock.objects.get(pk=1).offset
        money = {
            int(key): utc(at) + offset
            for key, at in read_book(self._shop.folder, "payment-sandbox", CAPTURES)
        }
        return [
            outcome(
                shopper,
                seen[shopper.group_id],
                steps.get(shopper.group_id, {}),
                refunds.get(shopper.group_id),
                money.get(shopper.attempt_id or 0),
            )
            for shopper in self._shoppers
        ]

    def _steps(self) -> dict[int, dict[str, datetime]]:
        found: dict[int, dict[str, datetime]] = {}
        rows = StateChange.objects.filter(object_id__in=self._ids, verb__in=GROUP_STEPS)
        for object_id, verb, at in rows.values_list("object_id", "verb", "at"):
            found.setdefault(object_id, {})[verb] = at
        return found

    def _refunds(self) -> dict[int, datetime]:
        """When the last of a group's refunds arrived."""
        refunds = Refund.objects.filter(payment__reference__in=self._ids, status="succeeded")
        return dict(
            refunds.order_by("status_changed_at").values_list(
                "payment__reference", "status_changed_at"
            )
        )


def ended(seen: Seen) -> bool:
    """True where the group is paid, or expired with all its money back."""
    if seen.status == "paid":
        return seen.captured_minor == seen.total_minor and not seen.refunded_minor
    return seen.status == "expired" and seen.captured_minor == seen.refunded_minor


def outcome(
    shopper: Shopper,
    seen: Seen,
    steps: dict[str, datetime],
    refunded_at: datetime | None,
    money_at: datetime | None,
) -> Outcome:
    """Fails for an end that must not be: paid without money, expired with it, or too early."""
    early = [verb for verb in TOO_EARLY if steps.get(verb, shopper.pay_before) < shopper.pay_before]
    assert not early, f"{seen}: {early} before its deadline"
    if money_at is None:
        assert shopper.way in (PRESS, GO_AWAY), f"{seen}: the channel never took its money"
        assert (seen.status, seen.captured_minor) == ("expired", 0), f"{seen}: no money came"
        return Outcome(shopper, NEVER_CHARGED, seconds(steps["expire"] - shopper.pay_before), None)
    assert shopper.way != GO_AWAY, f"{seen}: charged without being asked"
    off = seconds(money_at - shopper.pay_before)
    if seen.status == "paid":
        end = PAID_AFTER_ALL if "reinstate" in steps else PAID
        done_at = steps["reinstate" if end == PAID_AFTER_ALL else "pay"]
    else:
        assert refunded_at, f"{seen}: nothing went back"
        end, done_at = REFUNDED, refunded_at
    return Outcome(shopper, end, seconds(done_at - money_at), off)


def seconds(span: timedelta) -> float:
    return span.total_seconds()


def assert_all_ended_well(
    outcomes: Sequence[Outcome], folder: Path, *, at_most_seconds: float
) -> None:
    """Each within its time, and the books, ours and the channel's, say the same."""
    off = money_off(outcomes)
    # What this is all about: money on both sides of the deadline, and close to it.
    assert min(off) < 0 < max(off), figures(outcomes)
    assert audit.run(final=True) == []
    assert money_here() == money_there(folder)
    late = [outcome for outcome in outcomes if outcome.seconds > at_most_seconds]
    assert not late, f"{len(late)} too late: {late[:10]}; {figures(outcomes)}"


def figures(outcomes: Sequence[Outcome]) -> str:
    """How many came to which end, and how long it took."""
    ends = Counter(outcome.end for outcome in outcomes)
    took = sorted(outcome.seconds for outcome in outcomes)
    off = [abs(seconds) for seconds in money_off(outcomes)]
    cuts = quantiles(took, n=1000)
    return (
        f"{dict(ends)}; seconds p50 {cuts[499]:.2f}, p99 {cuts[989]:.2f}, p99.9 {cuts[998]:.2f},"
        f" most {took[-1]:.2f}; money at most {max(off):.2f} s off its deadline,"
        f" of {punctual(outcomes):.2%} within {WINDOW_SECONDS:g} s"
    )


def punctual(outcomes: Sequence[Outcome]) -> float:
    """The share of the money that came as close to its deadline as it was drawn."""
    off = money_off(outcomes)
    return sum(abs(seconds) <= WINDOW_SECONDS for seconds in off) / len(off)


def money_off(outcomes: Sequence[Outcome]) -> list[float]:
    """How far from its deadline the money came of all who meant to be close to it."""
    return [
        outcome.money_seconds_off
        for outcome in outcomes
        if outcome.money_seconds_off is not None and outcome.shopper.way in AT_THE_DEADLINE
    ]
