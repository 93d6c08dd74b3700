"""Writes events: what a page has seen, in one INSERT, or a count where nobody may be followed."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from django.db import connection

from analytics.models import Event
from core.clock import BusinessNow
from core.ids import uuid7

Fact = Mapping[str, Any]
PROPS = frozenset({"quantity"})
COUNT = """
    INSERT INTO analytics_dailycount AS known (day, name, count)
    SELECT business_now()::date, name, count
    FROM unnest(%s::text[], %s::bigint[]) AS given (name, count) ORDER BY name
    ON CONFLICT (day, name) DO UPDATE SET count = known.count + excluded.count
"""


def record_visit(
    facts: Iterable[Fact],
    *,
    session_key: str,
    user_id: int | None,
    device: str,
    age: timedelta,
) -> None:
    """Keeps what one request has told, as of `age` ago: when it came, before what it set going."""
    Event.objects.bulk_create(
        Event(
            event_id=uuid7(),
            occurred_at=BusinessNow() - age,
            session_key=session_key,
            user_id=user_id,
            channel="web",
            device=device,
            props={name: value for name, value in fact.items() if name in PROPS},
            **{name: value for name, value in fact.items() if name not in PROPS},
        )
        for fact in facts
    )


def count_only(facts: Iterable[Fact]) -> None:
    """Adds to the day's counts and keeps nothing else."""
    counts = Counter(fact["name"] for fact in facts)
    with connection.cursor() as cursor:
        cursor.execute(COUNT, [list(counts), list(counts.values())])
