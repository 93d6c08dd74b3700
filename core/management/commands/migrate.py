"""Django's `migrate`, with the audit views out of its way and the reference rows after it."""

from typing import Any

from django.core.management.commands.migrate import Command as Migrate
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from core import audit, reference


class Command(Migrate):
    """Views would block changes of the columns that they read, so they are built anew each time."""

    def handle(self, *args: Any, **options: Any) -> None:
        changes_something = not (options["plan"] or options["check_unapplied"])
        if changes_something:
            audit.drop()
        super().handle(*args, **options)
        if changes_something and fully_migrated():
            reference.write_all()
            audit.install()


def fully_migrated() -> bool:
    """False after going back to an older migration: then the tables may be missing."""
    executor = MigrationExecutor(connection)
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())
