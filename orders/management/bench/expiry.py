"""Running out of time: thousands of unpaid groups, real processes, and how late the last of them is."""

import math
import tempfile
import time
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection

from accounts.models import Customer
from core import audit, clock
from core.heartbeats import silent_hearts
from core.management.children import shop_children
from core.management.supervisor import Supervisor
from core.models import StateChange
from orders import states
from orders.management.bench import shop
from orders.management.bench.measure import run
from orders.management.bench.server import database_url
from orders.management.replay.look import undelivered_events
from orders.models import OrderGroup

PROCESSES = ("worker", "beat", "relay")
PLACERS = 4
HEAD_START = timedelta(seconds=5)
LOOK_SECONDS = 0.1
PATIENCE_SECONDS = 600
# The birth keeps the first deadline too, or the history would not be the row's.
SPREAD = """
    WITH due AS (
        SELECT id, %(first)s::timestamptz
                   + (row_number() OVER (ORDER BY id) - 1) * %(step)s::interval AS at
        FROM orders_ordergroup WHERE status = %(status)s
    ), born AS (
        UPDATE core_statechange step
        SET changes = jsonb_set(changes, '{pay_before}', jsonb_build_array(NULL,
            to_char(due.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"')))
        FROM due WHERE step.noun = 'order_group' AND step.object_id = due.id AND step.seq = 1
    )
    UPDATE orders_ordergroup grp SET pay_before = due.at FROM due WHERE grp.id = due.id
"""
EXPIRED = (
    f"SELECT count(*), business_now() FROM orders_ordergroup WHERE status = '{states.EXPIRED}'"
)


def measure(*, groups: int, minutes: float) -> dict[str, Any]:
    """Places the groups, spreads their deadlines over the minutes, and watches them expire.

    Nobody gets mail of it: that is other work, on the same two cores.
    """
    goods = shop.build_shop()
    Customer.objects.update(accepts_mail=False)
    run(lambda: shop.place, shop.build_carts(goods, groups), PLACERS)
    with tempfile.TemporaryDirectory() as folder, _processes(Path(folder)) as processes:
        _until(processes, lambda: not silent_hearts() and not undelivered_events())
        deadlines = _spread(timedelta(minutes=minutes))
        late = _watch(processes, deadlines)
        _until(processes, lambda: not undelivered_events())
    early = sum(at < deadlines[id_] for id_, at in _decisions())
    return {
        "groups": len(deadlines),
        "minutes": minutes,
        "early": early,
        "late_seconds": {name: late[_rank(share, len(late))] for name, share in SHARES.items()},
        "broken_invariants": [violation.view.code for violation in audit.run(final=True)],
    }


SHARES = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999, "most": 1.0}


def table(figures: dict[str, Any]) -> list[str]:
    """For people."""
    late = "  ".join(f"{name} {s:.2f} s" for name, s in figures["late_seconds"].items())
    return [
        f"{figures['groups']} groups with deadlines over {figures['minutes']:g} minutes",
        f"expired and to be seen as such after the deadline: {late}",
        f"before it: {figures['early']}",
        f"invariants that do not hold: {', '.join(figures['broken_invariants']) or 'none'}",
        "",
    ]


def _rank(share: float, count: int) -> int:
    return math.ceil(share * count) - 1


def _processes(folder: Path) -> Supervisor:
    environment = {"DATABASE_URL": database_url(), "DEMO": "1", "STATE_DIR": str(folder)}
    children = [
        replace(child, environment={**child.environment, **environment})
        for child in shop_children()
        if child.name in PROCESSES
    ]
    return Supervisor(
        children, log_dir=folder, working_dir=settings.BASE_DIR, say=lambda line: None
    )


def _until(processes: Supervisor, ask: Any) -> None:
    ends_at = time.monotonic() + PATIENCE_SECONDS
    while not ask():
        processes.tend()
        if time.monotonic() > ends_at:
            raise RuntimeError("it does not come about")
        time.sleep(LOOK_SECONDS)


def _spread(over: timedelta) -> dict[int, datetime]:
    """Gives the groups deadlines at even distances, the first in some seconds; answers them."""
    unpaid = OrderGroup.objects.filter(status=states.PENDING_PAYMENT)
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        given: dict[str, Any] = {"first": clock.now() + HEAD_START, "step": over / unpaid.count()}
        cursor.execute(SPREAD, {**given, "status": states.PENDING_PAYMENT})
    return dict(unpaid.values_list("id", "pay_before"))


def _watch(processes: Supervisor, deadlines: dict[int, datetime]) -> list[float]:
    """How late each group was seen as expired, in seconds, the least late first.

    Seen by another transaction, so after the commit; who expires takes the longest overdue first.
    """
    due, late = sorted(deadlines.values()), list[float]()
    ends_at = time.monotonic() + (due[-1] - due[0]).total_seconds() + PATIENCE_SECONDS
    while len(late) < len(due):
        processes.tend()
        with connection.cursor() as cursor:
            cursor.execute(EXPIRED)
            count, now = cursor.fetchone()
        late += [(now - at).total_seconds() for at in due[len(late) : count]]
        if time.monotonic() > ends_at:
            raise RuntimeError(f"only {count} of {len(due)} groups have expired")
        time.sleep(LOOK_SECONDS)
    return sorted(late)


def _decisions() -> list[tuple[int, datetime]]:
    """Each group, and the business time under the lock by which it was expired."""
    steps = StateChange.objects.filter(noun="order_group", verb="expire")
    return list(steps.values_list("object_id", "at"))
