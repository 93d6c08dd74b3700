"""What the replay has made of the data, beside what the data itself says. Money is in minor units."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from core.money import Money
from orders import states
from orders.management.replay.look import AT_ONCE, Seen, look
from orders.management.replay.read import Marketplace, Order
from orders.management.replay.steps import Journey
from orders.management.replay.table import CURRENCY
from orders.management.replay.targets import TARGETS

NOT_PLACED = "not placed"
AMOUNTS = ("placed", "captured", "refunded")
LINE = "{:<16}{:<5}{:>7}{:>7}{:>17}{:>15}{:>14}{:>14}{:>14}"
HEADINGS = (
    *("state", "", "data", "here", "items + freight", "paid in data"),
    *("placed", "captured", "refunded"),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one order of the data."""

    order: Order
    seen: Seen | None
    trouble: str

    @property
    def state(self) -> str:
        return self.seen.state if self.seen else NOT_PLACED

    @property
    def currency(self) -> str:
        return self.seen.currency if self.seen else CURRENCY

    @property
    def amounts_minor(self) -> tuple[int, int, int]:
        """Placed, captured, refunded."""
        seen = self.seen
        return (seen.total_minor, seen.captured_minor, seen.refunded_minor) if seen else (0, 0, 0)

    @property
    def expected_amounts_minor(self) -> tuple[int, int, int]:
        """Items and freight: placed always, captured unless left unpaid, refunded if called off."""
        total_minor, target = self.order.total_minor, self.order.target
        return (
            total_minor,
            0 if target == states.EXPIRED else total_minor,
            total_minor if target == states.CANCELLED else 0,
        )

    @property
    def is_pending(self) -> bool:
        """Left unpaid as it should be, its deadline still to come."""
        return self.order.target == states.EXPIRED and self.state == states.PENDING_PAYMENT

    @property
    def difference(self) -> str:
        """How it differs from what the data says; empty where it does not."""
        if self.state != self.order.target and not self.is_pending:
            return self.trouble or "missed its state"
        if self.amounts_minor != self.expected_amounts_minor:
            return "a sum differs"
        return ""


def outcomes(journeys: Sequence[Journey]) -> list[Outcome]:
    """What became of them, as the database has it now."""
    found: list[Outcome] = []
    for start in range(0, len(journeys), AT_ONCE):
        some = journeys[start : start + AT_ONCE]
        seen = look([journey.group_id for journey in some if journey.group_id])
        found += [
            Outcome(journey.order, seen.get(journey.group_id or 0), journey.trouble)
            for journey in some
        ]
    return found


@dataclass(frozen=True, slots=True)
class Row:
    """One state: what the data says of it, and what is here. Amounts are in minor units."""

    state: str
    currency: str
    orders_expected: int
    orders: int
    expected_minor: int  # items and freight
    data_paid_minor: int  # the data's payments
    placed_minor: int
    captured_minor: int
    refunded_minor: int


def _row(
    state: str, currency: str, due: Sequence[Order], here: Sequence[tuple[int, int, int]]
) -> Row:
    return Row(
        state,
        currency,
        len(due),
        len(here),
        sum(order.total_minor for order in due),
        sum(order.paid_minor for order in due),
        *(sum(amounts[place] for amounts in here) for place in range(len(AMOUNTS))),
    )


@dataclass(frozen=True, slots=True)
class Report:
    """The end of a replay."""

    data: Marketplace
    outcomes: Sequence[Outcome]
    driven: int  # how many were not in their state before
    seconds: float
    undelivered_events: int
    parked_streams: Sequence[str]

    @property
    def is_level(self) -> bool:
        """Every order is in its state, every sum is right, every event is delivered."""
        return not self.undelivered_events and not any(self.differences)

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """By state: how many of the data's orders belong there, how many are there."""
        expected = Counter(it.order.target for it in self.outcomes)
        actual = Counter(it.state for it in self.outcomes)
        return {
            state: {"expected": expected[state], "actual": actual[state]}
            for state in sorted(expected.keys() | actual.keys())
        }

    @property
    def rows(self) -> list[Row]:
        """By state and currency: the data's orders that belong there, beside those that are."""
        expected = defaultdict(list)
        for it in self.outcomes:
            expected[it.order.target, CURRENCY].append(it.order)
        actual = defaultdict(list)
        for it in self.outcomes:
            actual[it.state, it.currency].append(it.amounts_minor)
        order = {state: place for place, state in enumerate(TARGETS.values())}
        keys = sorted(expected.keys() | actual.keys(), key=lambda key: (order.get(key[0], 99), key))
        return [_row(*key, expected[key], actual[key]) for key in keys]

    @property
    def skipped(self) -> Counter[str]:
        """Orders without items, by their status."""
        return Counter(order.status for order in self.data.orders if not order.lines)

    @property
    def payments_differ(self) -> list[Order]:
        """Orders whose payments in the data are not items and freight."""
        orders = (it.order for it in self.outcomes)
        return [order for order in orders if order.paid_minor != order.total_minor]

    @property
    def pending(self) -> list[Outcome]:
        """Left to expire, their deadline still to come."""
        return [it for it in self.outcomes if it.is_pending]

    @property
    def differences(self) -> list[Outcome]:
        return [it for it in self.outcomes if it.difference]

    @property
    def orders_per_second(self) -> float:
        return round(self.driven / self.seconds, 2)


def as_json(report: Report) -> dict[str, Any]:
    """For machines: money in minor units, ids as text."""
    return {
        "orders": len(report.outcomes),
        "counts": report.counts,
        "sums": [
            {name: value for name, value in asdict(row).items() if not name.startswith("orders")}
            for row in report.rows
        ],
        "data": dict(Counter(order.status for order in report.data.orders)),
        "skipped": dict(report.skipped),
        "payments_differ": [
            {
                "order_id": order.id,
                "expected_minor": order.total_minor,
                "data_paid_minor": order.paid_minor,
            }
            for order in report.payments_differ
        ],
        "pending": [it.order.id for it in report.pending],
        "differences": [_difference(it) for it in report.differences],
        "undelivered_events": report.undelivered_events,
        "parked_streams": list(report.parked_streams),
        "driven": report.driven,
        "seconds": round(report.seconds, 1),
        "orders_per_second": report.orders_per_second,
    }


def _difference(outcome: Outcome) -> dict[str, Any]:
    return {
        "order_id": outcome.order.id,
        "status": outcome.order.status,
        "expected": outcome.order.target,
        "actual": outcome.state,
        "reason": outcome.difference,
        "expected_minor": dict(zip(AMOUNTS, outcome.expected_amounts_minor, strict=True)),
        "actual_minor": dict(zip(AMOUNTS, outcome.amounts_minor, strict=True)),
    }


def as_text(report: Report) -> Iterator[str]:
    """For people: the table, then what is to be said of single orders."""
    yield LINE.format(*HEADINGS)
    for row in report.rows:
        yield LINE.format(
            row.state,
            row.currency,
            row.orders_expected,
            row.orders,
            _decimal(row.expected_minor),
            _decimal(row.data_paid_minor),
            _decimal(row.placed_minor),
            _decimal(row.captured_minor),
            _decimal(row.refunded_minor),
        )
    for status, count in sorted(report.skipped.items()):
        yield f"skipped: {count} {status}, without items"
    for order in report.payments_differ:
        paid, total = _decimal(order.paid_minor), _decimal(order.total_minor)
        yield f"payments differ in the data: {order.id} has {paid}, its items and freight {total}"
    for it in report.pending:
        yield f"pending: {it.order.id} expires when its time to pay is over"
    for it in report.differences:
        yield f"DIFFERS: {it.order.id} should be {it.order.target}, is {it.state}: {it.difference}"
    for stream in report.parked_streams:
        yield f"parked: {stream}"
    if report.undelivered_events:
        yield f"UNDELIVERED: {report.undelivered_events} events"
    yield (
        f"{len(report.outcomes)} orders, {report.driven} of them driven in {report.seconds:.1f} s:"
        f" {report.orders_per_second} per second"
    )


def _decimal(amount_minor: int) -> str:
    return Money(amount_minor, CURRENCY).decimal_text()
