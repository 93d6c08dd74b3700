"""`GET /metrics`: how things go on, in Prometheus' text format.

Read in one snapshot, and by indexes only: of the conditions that read whole tables it tells the
open alarm, and of orders only those that have not come to rest.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from core import monitor
from core.conditions import WAITING_STREAMS
from core.monitor import Condition, Level, Pace, Reading
from core.snapshot import snapshot

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
LOOPBACK = {"127.0.0.1", "::1"}
# What a proxy says of the one behind it: then loopback is the proxy's address.
FORWARDED = ("X-Forwarded-For", "Forwarded", "X-Real-IP")

Sample = tuple[dict[str, str], float]
Stand = tuple[dict[str, str], tuple[float, ...]]

OF_CONDITIONS = (
    ("condition_count", "What waits for too long."),
    ("condition_oldest_seconds", "Age of the oldest of it."),
    ("condition_level", "0 calm, 1 warn, 2 page."),
    ("condition_readable", "0 where the condition could not be read."),
)
OF_OUTBOX = (
    ("outbox_streams_waiting", "Streams with an event to deliver."),
    ("outbox_streams_parked", "Streams that were given up after failures in a row."),
    ("outbox_lag_seconds", "Age of the oldest event that is not delivered."),
)

HEARTS = """
    SELECT name, extract(epoch FROM clock_timestamp() - at)::float8 FROM core_heartbeat ORDER BY name
"""
OUTBOX = f"""
    SELECT count(*), count(*) FILTER (WHERE parked),
           coalesce(extract(epoch FROM clock_timestamp() - min(since)), 0)::float8
    FROM ({WAITING_STREAMS}) AS waiting
"""  # noqa: S608 our own constant
# Each state by its own partial index.
ORDERS = """
    SELECT status, count(*) FROM orders_order WHERE status IN ('paid', 'acknowledged', 'packing')
    GROUP BY status
    UNION ALL SELECT 'shipped', count(*) FROM orders_order WHERE status = 'shipped'
    UNION ALL SELECT 'delivered', count(*) FROM orders_order WHERE status = 'delivered'
"""
GROUPS = """
    SELECT 'pending_payment', count(*) FROM orders_ordergroup WHERE status = 'pending_payment'
    UNION ALL SELECT 'expiring', count(*) FROM orders_ordergroup WHERE status = 'expiring'
"""


# The alarms of what is not read for this. Their ages are of business time, as all of them are.
ALARMS = """
    SELECT condition, level, count, extract(epoch FROM business_now() - oldest)::float8, note
    FROM core_alarm WHERE resolved_at IS NULL
"""


@require_GET
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """403 for whom it is none of the business, 503 where the database does not tell."""
    if not may_read(request):
        return HttpResponse("not for you\n", status=403, content_type="text/plain")
    try:
        return HttpResponse("".join(document()), content_type=CONTENT_TYPE)
    except DatabaseError:
        return HttpResponse("the database does not tell\n", status=503, content_type="text/plain")


def may_read(request: HttpRequest) -> bool:
    """From this machine itself, or with the token of METRICS_TOKEN."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if settings.METRICS_TOKEN and scheme.lower() == "bearer":
        return constant_time_compare(token, settings.METRICS_TOKEN)
    is_direct = not any(name in request.headers for name in FORWARDED)
    return is_direct and request.META.get("REMOTE_ADDR") in LOOPBACK


def document() -> Iterator[str]:
    """All that is told, gauge by gauge."""
    with snapshot() as cursor:
        stands = [_read(reading) for reading in monitor.read(cursor, monitor.of_pace(Pace.QUICK))]
        cursor.execute(ALARMS)
        stands += _kept({row[0]: row[1:] for row in cursor.fetchall()})
        hearts = _labelled(cursor, HEARTS, "name")
        cursor.execute(OUTBOX)
        outbox = cursor.fetchone()
        orders, groups = _labelled(cursor, ORDERS, "state"), _labelled(cursor, GROUPS, "state")
    for part, (name, words) in enumerate(OF_CONDITIONS):
        yield from gauge(name, words, [(labels, values[part]) for labels, values in stands])
    yield from gauge("heartbeat_age_seconds", "Since a clock or process last got on.", hearts)
    for (name, words), value in zip(OF_OUTBOX, outbox, strict=True):
        yield from gauge(name, words, [({}, value)])
    yield from gauge("orders_open", "Orders that have not come to rest.", orders)
    yield from gauge("order_groups_open", "Order groups that wait for their money.", groups)


def _read(reading: Reading) -> Stand:
    condition, age_seconds = reading.condition, reading.age.total_seconds()
    values = (reading.count, age_seconds, int(reading.level), int(not reading.error))
    return _labels(condition), values


def _kept(alarms: dict[str, tuple[Any, ...]]) -> list[Stand]:
    """What the clock has found of the conditions that read whole tables."""
    stands: list[Stand] = []
    for condition in monitor.of_pace(Pace.SLOW):
        level, count, age_seconds, note = alarms.get(condition.code, ("calm", 0, 0, ""))
        values = (count, age_seconds or 0, int(Level[level.upper()]), int(not note))
        stands.append((_labels(condition), values))
    return stands


def _labels(condition: Condition) -> dict[str, str]:
    return {"code": condition.code, "name": condition.name, "owner": condition.owner}


def _labelled(cursor: Any, sql: str, label: str) -> list[Sample]:
    cursor.execute(sql)
    return [({label: name}, value) for name, value in cursor.fetchall()]


def gauge(name: str, words: str, samples: Iterable[Sample]) -> Iterator[str]:
    """One gauge with its samples. Labels are words of our own: nothing in them needs an escape."""
    yield f"# HELP quayside_{name} {words}\n# TYPE quayside_{name} gauge\n"
    for labels, value in samples:
        told = ",".join(f'{label}="{word}"' for label, word in labels.items())
        yield f"quayside_{name}{{{told}}} {value:g}\n" if told else f"quayside_{name} {value:g}\n"
