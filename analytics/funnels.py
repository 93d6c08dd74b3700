"""Funnels: how many go from step to step. The definition, and the two forms that must agree.

Given 2 to 8 steps (event names, no name twice), a window W, a range [from, to) and a unit:

1. The actor is the session; or the user, where the event or its session has one (logging in
   stitches the anonymous part to it), else the session. Who has no session is not counted: robots,
   staff, merchants' members, who opted out, imported orders.
2. A chain is t1 ≤ t2 ≤ … ≤ tk, one event per step in order, anything may lie between,
   tk - t1 ≤ W, from ≤ t1 < to. Later steps may lie after `to`.
3. Of equal times the lower step comes first. Time is `occurred_at`; late arrival changes nothing.
4. The level of an actor is its longest chain over all starts. An actor counts once;
   count k is the number of actors of level k and above.
5. overall k = count k / count 1; step k = count k / count k-1; drop k = count k-1 - count k; four
   decimals, half up; none where the denominator is 0.
6. Time to convert: from the latest possible t1 to the first moment that the last step is reached.
   Median and p90 are the nearest rank: a time that somebody did take.
7. Breakdown by device: that of the actor's first step-1 event in the range.

The registers: S1 is the latest start; an event of step k at t with t - S(k-1) ≤ W makes
S(k) = S(k-1), the latest start that has reached step k. `counts_of` keeps them in Python, `run` has
them in SQL as one window function per step over one shared sort. `recount` is the first form over
the raw events.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Any

from django.db import connection
from django.utils.translation import gettext_lazy as _

from analytics.models import Event
from core.errors import Invalid

FEWEST_STEPS, MOST_STEPS = 2, 8
RANKS = (0.5, 0.9)


class Unit(StrEnum):
    """Who is counted."""

    SESSION = "session"
    USER = "user"


@dataclass(frozen=True, slots=True, kw_only=True)
class Funnel:
    """What is asked. Raises Invalid `duplicate_step`, `step_count`."""

    steps: tuple[str, ...]
    window: timedelta
    unit: Unit = Unit.SESSION

    def __post_init__(self) -> None:
        if not FEWEST_STEPS <= len(self.steps) <= MOST_STEPS:
            raise Invalid("step_count", _("A funnel has 2 to 8 steps."))
        if len(set(self.steps)) < len(self.steps):
            raise Invalid("duplicate_step", _("No event may stand for two steps."))


SHOP = Funnel(
    steps=("view_item", "add_to_cart", "begin_checkout", "add_payment_info", "purchase"),
    window=timedelta(hours=24),
)


@dataclass(frozen=True, slots=True)
class Hit:
    """An event of step `step` (from 0) by an actor."""

    actor: str
    at: datetime
    step: int
    device: str = ""


@dataclass(frozen=True, slots=True)
class Passage:
    """How far one actor came, and how long the whole way took, where it was gone."""

    level: int
    took: timedelta | None
    device: str


@dataclass(frozen=True, slots=True)
class Counts:
    """The answer: actors per step, times to convert by rank, and the counts by device."""

    counts: tuple[int, ...]
    median: timedelta | None
    p90: timedelta | None
    by_device: dict[str, tuple[int, ...]]

    def overall(self, step: int) -> Decimal | None:
        """The share of those who entered that reached this step (from 0)."""
        return share(self.counts[step], self.counts[0])

    def onward(self, step: int) -> Decimal | None:
        """The share of those at the step before that went on to this one; none for the first."""
        return share(self.counts[step], self.counts[step - 1]) if step else None

    def drop(self, step: int) -> int:
        """How many were lost on the way to this step."""
        return self.counts[step - 1] - self.counts[step] if step else 0


def days(first: date, last: date) -> tuple[datetime, datetime]:
    """The range of these days, the last one in it, by UTC."""
    begin, end = (datetime.combine(day, time(), UTC) for day in (first, last + timedelta(days=1)))
    return begin, end


def share(part: int, whole: int) -> Decimal | None:
    """Four decimals, half up; None of nothing."""
    if not whole:
        return None
    return (Decimal(part) / whole).quantize(Decimal("0.0001"), ROUND_HALF_UP)


# --- In SQL -----------------------------------------------------------------------------------

ACTOR = {
    Unit.SESSION: "session_key",
    # A login keeps the visit and a logout ends it, so a visit has one user at most.
    Unit.USER: "coalesce((max(user_id) OVER (PARTITION BY session_key))::text, session_key)",
}
HITS = """
    SELECT actor, at, step, device, event_id FROM (
        SELECT {actor} AS actor, occurred_at AS at, device, event_id,
               array_position(%(steps)s::text[], name::text) AS step
        FROM analytics_event
        WHERE session_key <> '' AND occurred_at >= %(begin)s
          AND (name = ANY(%(steps)s) AND occurred_at <= %(end)s + %(window)s OR {later_login})
    ) AS seen WHERE step IS NOT NULL
"""
LATER_LOGIN = {Unit.SESSION: "false", Unit.USER: "user_id IS NOT NULL"}
REGISTER = """
    SELECT *, max({before}) FILTER (WHERE step = {step} AND {fits})
        OVER (PARTITION BY actor ORDER BY at, step, event_id ROWS UNBOUNDED PRECEDING) AS s{step}
    FROM ({inner}) AS seen
"""
ACTORS = """
    SELECT (array_agg(device ORDER BY at, step, event_id) FILTER (WHERE step = 1 AND s1 IS NOT NULL))[1]
               AS device,
           {level} AS level,
           min(at) FILTER (WHERE s{last} IS NOT NULL) - min(s{last}) AS took
    FROM ({inner}) AS seen WHERE s1 IS NOT NULL GROUP BY actor
"""
TOTALS = """
    SELECT grouping(device) = 1, device,
           percentile_disc(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY took), {counts}
    FROM ({inner}) AS actors GROUP BY GROUPING SETS ((), (device))
"""


def sql(funnel: Funnel) -> str:
    """The statement of a funnel; its parameters are steps, begin, end and window."""
    last = len(funnel.steps)
    inner = HITS.format(actor=ACTOR[funnel.unit], later_login=LATER_LOGIN[funnel.unit])
    for step in range(1, last + 1):
        before = "at" if step == 1 else f"s{step - 1}"
        fits = "at < %(end)s" if step == 1 else f"at - {before} <= %(window)s"
        inner = REGISTER.format(before=before, step=step, fits=fits, inner=inner)
    numbers = range(1, last + 1)
    level = " + ".join(f"(count(s{step}) > 0)::int" for step in numbers)
    counts = ", ".join(f"count(*) FILTER (WHERE level >= {step})" for step in numbers)
    return TOTALS.format(
        counts=counts, inner=ACTORS.format(level=level, last=last, inner=inner)
    ).strip()


def run(funnel: Funnel, *, begin: datetime, end: datetime) -> Counts:
    """The funnel of those who entered in [begin, end)."""
    with connection.cursor() as cursor:
        cursor.execute(sql(funnel), parameters(funnel, begin, end))
        rows = cursor.fetchall()
    [(_all, _device, took, *counts)] = [row for row in rows if row[0]]
    median, p90 = took or (None, None)
    by_device = {row[1]: tuple(row[3:]) for row in rows if not row[0]}
    return Counts(tuple(counts), median, p90, by_device)


def parameters(funnel: Funnel, begin: datetime, end: datetime) -> dict[str, Any]:
    """What the statement is run with."""
    return {"steps": list(funnel.steps), "begin": begin, "end": end, "window": funnel.window}


# --- As a stream ------------------------------------------------------------------------------


def recount(funnel: Funnel, *, begin: datetime, end: datetime) -> Counts:
    """The same from the raw events, one after the other, without the window functions."""
    events = Event.objects.exclude(session_key="").filter(occurred_at__gte=begin)
    actor_of = _actor_of(funnel.unit, events)
    wanted = events.filter(name__in=funnel.steps, occurred_at__lte=end + funnel.window)
    rows = wanted.values_list("session_key", "occurred_at", "name", "device", "event_id")
    in_order = sorted(
        rows.iterator(chunk_size=5000), key=lambda row: (row[1], funnel.steps.index(row[2]), row[4])
    )
    hits = [Hit(actor_of(row[0]), row[1], funnel.steps.index(row[2]), row[3]) for row in in_order]
    return counts_of(hits, funnel, end=end)


def _actor_of(unit: Unit, events: Any) -> Callable[[str], str]:
    if unit is Unit.SESSION:
        return str
    known = dict(
        events.exclude(user_id=None)
        .order_by("user_id")
        .values_list("session_key", "user_id")
        .distinct()
    )
    return lambda session: str(known.get(session, session))


def counts_of(hits: Iterable[Hit], funnel: Funnel, *, end: datetime) -> Counts:
    """The counts of hits that come in order of time, of equal times by step."""
    by_actor: dict[str, list[Hit]] = defaultdict(list)
    for hit in hits:
        by_actor[hit.actor].append(hit)
    passages = [passage(own, funnel, end=end) for own in by_actor.values()]
    entered = [each for each in passages if each.level]
    devices = Counter(each.device for each in entered)
    took = sorted(each.took for each in entered if each.took is not None)
    median, p90 = (nearest_rank(took, rank) for rank in RANKS)
    return Counts(
        at_least(entered, funnel),
        median,
        p90,
        {
            device: at_least([each for each in entered if each.device == device], funnel)
            for device in sorted(devices)
        },
    )


def passage(hits: Sequence[Hit], funnel: Funnel, *, end: datetime) -> Passage:
    """One actor's way: the registers, updated hit by hit."""
    starts: list[datetime | None] = [None] * len(funnel.steps)
    took, device = None, ""
    for hit in hits:
        start = hit.at if hit.step == 0 else starts[hit.step - 1]
        if start is None or hit.at - start > funnel.window or start >= end:
            continue
        if starts[0] is None:
            device = hit.device
        starts[hit.step] = start
        if took is None and starts[-1] is not None:
            took = hit.at - start
    return Passage(sum(start is not None for start in starts), took, device)


def at_least(passages: Sequence[Passage], funnel: Funnel) -> tuple[int, ...]:
    """How many came as far as each step."""
    return tuple(
        sum(each.level > step for each in passages) for step, _name in enumerate(funnel.steps)
    )


def nearest_rank(ordered: Sequence[timedelta], rank: float) -> timedelta | None:
    """The smallest value that this share of them does not exceed."""
    return ordered[max(math.ceil(rank * len(ordered)), 1) - 1] if ordered else None
