"""Histories of visits: the shared cases, stored events, and the search that tries every chain."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

from analytics.funnels import Hit, Passage
from analytics.models import Event
from core.ids import uuid7

CASES: list[dict[str, Any]] = json.loads(
    Path(__file__).with_name("funnel_cases.json").read_text(encoding="utf-8")
)
BEGIN = datetime(2026, 9, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Seen:
    """An event as a test says it."""

    session: str
    name: str
    at: datetime
    user: int | None = None
    device: str = ""


def store(seen: Iterable[Seen]) -> None:
    """The events, in the order given, which need not be that of their times."""
    Event.objects.bulk_create(
        Event(
            event_id=uuid7(),
            occurred_at=each.at,
            name=each.name,
            session_key=each.session,
            user_id=each.user,
            device=each.device,
        )
        for each in seen
    )


def of_case(case: dict[str, Any]) -> list[Seen]:
    return [
        Seen(e["session"], e["name"], datetime.fromisoformat(e["at"]), e["user"], e["device"])
        for e in case["events"]
    ]


def every_chain(hits: Sequence[Hit], steps: int, window: timedelta, end: datetime) -> Passage:
    """The longest chain and the time to convert, by trying every choice of one event per step."""
    order = {id(hit): place for place, hit in enumerate(hits)}
    by_step = [[hit for hit in hits if hit.step == step] for step in range(steps)]
    level, best = 0, None
    for length in range(1, steps + 1):
        for chain in product(*by_step[:length]):
            places = [order[id(hit)] for hit in chain]
            fits = chain[-1].at - chain[0].at <= window and chain[0].at < end
            if places != sorted(places) or not fits:
                continue
            level = length
            if length == steps:  # the first arrival, of it the latest start
                arrival = (places[-1], -places[0], chain[-1].at - chain[0].at)
                best = arrival if best is None else min(best, arrival)
    first = next((hit.device for hit in hits if hit.step == 0 and hit.at < end), "")
    return Passage(level, best[2] if best else None, first if level else "")
