"""Empties the database after a test that commits, the way every `transaction=True` test gets it.

Nothing is to be done for it: write `@pytest.mark.django_db(transaction=True)` (or use
`transactional_db` or `live_server`), commit from as many threads and processes as you like, and
close the connection of each thread (`tests.threads.together` does). After the test the tables that
it filled are deleted from and the business clock is put back. Django's own flush would truncate
every table: the machines, routes, clock and id leases that `migrate` writes would be gone for all
later tests, and it takes ten times as long.
"""

from django.db import connection, transaction
from django.test import TransactionTestCase

TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
CLOCK_BACK = """
    UPDATE core_businessclock SET "offset" = interval '0' WHERE "offset" <> interval '0'
"""
# What migrating has filled: reference rows, permissions, leases, the clock.
kept: set[str] = set()


def install() -> None:
    """Takes the place of Django's flush."""
    TransactionTestCase._fixture_teardown = lambda case: empty()  # type: ignore[attr-defined]


def keep_what_migrate_wrote() -> None:
    """Remembers the tables that are filled before the first test."""
    kept.update(filled_tables())


def empty() -> None:
    """Deletes what tests have committed, in one transaction: foreign keys are judged at its end."""
    tables = sorted(filled_tables() - kept)
    deletes = [f"DELETE FROM {connection.ops.quote_name(table)}" for table in tables]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("; ".join([*deletes, CLOCK_BACK]))


def filled_tables() -> set[str]:
    """The tables that have a row, found in two statements."""
    with connection.cursor() as cursor:
        cursor.execute(TABLES)
        cursor.execute(
            " UNION ALL ".join(
                f"SELECT '{table}' WHERE EXISTS (SELECT FROM {connection.ops.quote_name(table)})"
                for (table,) in cursor.fetchall()
            )
        )
        return {table for (table,) in cursor.fetchall()}
