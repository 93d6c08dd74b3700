"""Row locks: always ordered by primary key, always FOR NO KEY UPDATE, always inside a command.

Each app names its locks in its own `locks.py` and takes them through `locked()`; the global order
stands in `orders/locks.py`. Rows come back marked with the running transaction, and `fire()`
refuses a row without that mark.
"""

from typing import TypeVar

from django.db import connection
from django.db.models import Model, QuerySet

from core.command import running
from core.errors import ProgrammingMistake

M = TypeVar("M", bound=Model)


def locked(rows: QuerySet[M], *, skip_locked: bool = False) -> list[M]:
    """Locks and returns the rows in primary key order.

    FOR NO KEY UPDATE lets others insert rows that point at these meanwhile.
    """
    token = running()
    found = list(
        rows.order_by("pk").select_for_update(no_key=True, skip_locked=skip_locked, of=("self",))
    )
    for row in found:
        row.__dict__["_locked_in"] = token
    return found


def require_locked(row: Model) -> None:
    """Raises unless the row was locked, or born, in the running transaction."""
    if row.__dict__.get("_locked_in") is not running():
        raise ProgrammingMistake(f"{row!r} is not locked in this transaction")


def mark_born(row: Model) -> None:
    """Marks a row that this transaction creates: nobody else can see it, so it counts as locked."""
    row.__dict__["_locked_in"] = running()


def lock_alarms() -> None:
    """One monitor at a time: two that find the same thing would both open an alarm."""
    running()
    with connection.cursor() as cursor:
        cursor.execute("LOCK TABLE core_alarm IN SHARE ROW EXCLUSIVE MODE")
