"""Real threads, each with a connection of its own, and what the server counts of them."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from django.db import IntegrityError, OperationalError, connection

from core.errors import DomainError
from inventory.models import StockItem
from tests.threads import succeeded, together

MOST_BUYERS = 200
CONNECTIONS_LEFT_TO_OTHERS = 20
CHECK = "inventory_stockitem_bounds"


def at_once(tasks: Sequence[Callable[[], object]]) -> Counter[str]:
    """Runs each task in a thread of its own, all started together; counts how they ended."""

    def ended(task: Callable[[], object]) -> str:
        try:
            task()
        except DomainError as refusal:
            return refusal.code
        except (IntegrityError, OperationalError) as error:
            return type(error).__name__
        finally:
            query("SELECT pg_stat_force_next_flush()")
        return "done"

    return Counter(succeeded(together(*[partial(ended, task) for task in tasks])))


def buyers_allowed() -> int:
    """Two hundred, or as many as the server has connections left."""
    used = "(SELECT count(*) FROM pg_stat_activity)"
    [(free,)] = query(
        "SELECT current_setting('max_connections')::int"
        f" - current_setting('superuser_reserved_connections')::int - {used}"
    )
    return min(MOST_BUYERS, int(free) - CONNECTIONS_LEFT_TO_OTHERS)


def deadlocks() -> int:
    """How many the server has counted in this database."""
    [(count,)] = query("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
    return int(count)


def query(sql: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


@contextmanager
def without_stock_constraint() -> Iterator[None]:
    """Takes the stock's CHECK away and puts it back."""
    [(definition,)] = query(
        f"SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = '{CHECK}'"
    )
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE inventory_stockitem DROP CONSTRAINT {CHECK}")
        try:
            yield
        finally:
            StockItem.objects.update(reserved=0)
            cursor.execute(f"ALTER TABLE inventory_stockitem ADD CONSTRAINT {CHECK} {definition}")
