"""Reads the money's invariants within a test's own transaction."""

from django.db import connection

from core import audit

MINE = [
    name
    for name, view in audit.views.items()
    if "FROM payments_" in view.sql and "orders_" not in view.sql
]


def broken() -> list[str]:
    """The names of the money's views that are not empty."""
    return [name for name in MINE if rows_of(name)]


def rows_of(name: str) -> list[tuple[object, ...]]:
    """The rows of one view."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM audit.{name}")
        rows: list[tuple[object, ...]] = cursor.fetchall()
        return rows
