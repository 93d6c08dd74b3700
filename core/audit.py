"""The auditor: every invariant is a view that must be empty, read in one snapshot.

Apps register their views; `migrate` rebuilds them in the schema `audit`. A view judges business
time, and leaves what is younger than `audit_grace()` to the processes that are just handling it.
"""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from core.errors import ProgrammingMistake
from core.snapshot import snapshot

ROWS_SHOWN = 20
# Every view reads its tables whole, so no join of it is better done row by row. A planner that last
# saw a table empty would think so, and read the full one thousands of times.
UNHURRIED = """
    SET LOCAL statement_timeout = 0; SET LOCAL enable_nestloop = off; SET LOCAL jit = off
"""


@dataclass(frozen=True, slots=True)
class View:
    """One invariant: its code in the catalogue, what must hold, and the rows that break it."""

    code: str
    name: str
    must_hold: str
    sql: str


@dataclass(frozen=True, slots=True)
class Violation:
    """The rows of one view: how many, and the first of them."""

    view: View
    count: int
    rows: list[dict[str, Any]]


views: dict[str, View] = {}


def invariant(code: str, name: str, must_hold: str, sql: str) -> None:
    """Registers the view `audit.<name>`. Raises ProgrammingMistake for a name that is taken."""
    if name in views:
        raise ProgrammingMistake(f"two invariants are called {name}")
    views[name] = View(code, name, must_hold, sql)


def drop() -> None:
    """Takes the views away, so that a migration may change what they read."""
    with connection.cursor() as cursor:
        cursor.execute("DROP SCHEMA IF EXISTS audit CASCADE")


def install() -> None:
    """Builds all registered views anew."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DROP SCHEMA IF EXISTS audit CASCADE")
        cursor.execute("CREATE SCHEMA audit")
        for view in views.values():
            cursor.execute(f"CREATE VIEW audit.{view.name} AS {view.sql}")


def run(*, final: bool = False) -> list[Violation]:
    """Reads all views in one snapshot; answers those that are not empty.

    `final` takes away every grace: for a system that has come to rest.
    """
    with snapshot() as cursor:
        cursor.execute(UNHURRIED)
        seconds = 0 if final else settings.AUDIT_GRACE_SECONDS
        cursor.execute("SELECT set_config('quayside.grace_seconds', %s, true)", [str(seconds)])
        found = [_read(cursor, view) for view in sorted(views.values(), key=lambda v: v.code)]
    return [violation for violation in found if violation.count]


def _read(cursor: Any, view: View) -> Violation:
    cursor.execute(f"SELECT * FROM audit.{view.name}")
    columns = [column.name for column in cursor.description]
    rows = cursor.fetchall()
    return Violation(
        view, len(rows), [dict(zip(columns, row, strict=True)) for row in rows[:ROWS_SHOWN]]
    )
