"""`migrate`: the views step aside and come back, and every step can be undone and done again."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.core.management import call_command
from django.db import connection

from core import audit, ids
from core.management.commands.migrate import fully_migrated

pytestmark = pytest.mark.django_db(transaction=True)

SCHEMA = """
    SELECT 'column', format('%I.%I', table_schema, table_name), column_name,
           concat_ws(' ', data_type, is_nullable, column_default, identity_generation)
    FROM information_schema.columns WHERE table_schema IN ('public', 'audit')
    UNION ALL
    SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid)
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype <> 'n'
    UNION ALL
    SELECT 'index', tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL
    SELECT 'function', '', proname, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    UNION ALL
    SELECT 'sequence', '', sequencename, start_value::text FROM pg_sequences
    WHERE schemaname = 'public'
"""
VIEWS = "SELECT viewname FROM pg_views WHERE schemaname = 'audit'"
WRITTEN_BY_MIGRATE = ["core_staterule", "core_stateedge", "core_outboxroute", "core_idlease"]


def rows(sql: str) -> set[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return set(cursor.fetchall())


def migrate(*target: str, **options: object) -> None:
    call_command("migrate", *target, verbosity=0, **options)


def counts() -> dict[str, int]:
    return {table: len(rows(f"SELECT * FROM {table}")) for table in WRITTEN_BY_MIGRATE}


@contextmanager
def pointed_at(name: str) -> Iterator[None]:
    """The connection reaches another database of the same server."""
    own_name = connection.settings_dict["NAME"]
    ids.release()
    connection.close()
    connection.settings_dict["NAME"] = name
    try:
        yield
    finally:
        ids.release()
        connection.close()
        connection.settings_dict["NAME"] = own_name


@pytest.fixture
def scratch_database() -> Iterator[None]:
    """An empty database for the length of a test."""
    name = f"{connection.settings_dict['NAME']}_scratch"
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {name}")
        cursor.execute(f"CREATE DATABASE {name}")
    with pointed_at(name):
        yield
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE {name}")


@pytest.mark.usefixtures("scratch_database")
def test_the_kernel_can_be_taken_back_to_nothing_and_built_again() -> None:
    migrate()
    built, filled = rows(SCHEMA), counts()
    assert {view for (view,) in rows(VIEWS)} == set(audit.views)
    assert filled["core_idlease"] == 256
    assert fully_migrated()

    migrate("core", "zero")
    tables = connection.introspection.table_names()
    assert not [table for table in tables if table.startswith("core_")]
    assert not rows("SELECT proname FROM pg_proc WHERE proname IN ('business_now', 'audit_grace')")
    assert not rows("SELECT nspname FROM pg_namespace WHERE nspname IN ('pgmq', 'audit')")
    assert not fully_migrated()

    migrate()
    assert rows(SCHEMA) == built
    assert counts() == filled


def test_migrating_builds_the_views_anew() -> None:
    audit.drop()

    migrate()

    assert {view for (view,) in rows(VIEWS)} == set(audit.views)


@pytest.mark.parametrize("options", [{"plan": True}, {"check_unapplied": True}])
def test_looking_does_not_touch_the_views(
    options: dict[str, bool], capsys: pytest.CaptureFixture[str]
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE VIEW audit.bystander AS SELECT 1")

    migrate(**options)

    assert ("bystander",) in rows(VIEWS)
    migrate()
    assert ("bystander",) not in rows(VIEWS)
