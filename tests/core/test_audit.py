"""The auditor: views that must be empty, read in one snapshot, never written through."""

import json
from collections.abc import Callable, Iterator
from io import StringIO
from time import sleep

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection
from django.utils import timezone

from core import audit
from core.audit import invariant
from core.errors import ProgrammingMistake
from core.models import Heartbeat
from tests.threads import succeeded, together

pytestmark = pytest.mark.django_db(transaction=True)

HEARTS = "SELECT name FROM core_heartbeat"


@pytest.fixture(autouse=True)
def own_views(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No view but those of the test."""
    with monkeypatch.context() as patch:
        patch.setattr(audit, "views", {})
        yield
    audit.install()


def install(**views: str) -> None:
    for name, sql in views.items():
        invariant(f"X{len(audit.views):02}", name, f"{name} is empty", sql)
    audit.install()


def beat(*names: str) -> None:
    Heartbeat.objects.bulk_create(Heartbeat(name=name, at=timezone.now()) for name in names)


def found(*, final: bool = False) -> dict[str, list[dict[str, object]]]:
    return {violation.view.name: violation.rows for violation in audit.run(final=final)}


def command(*arguments: str) -> str:
    out = StringIO()
    call_command("audit", "--once", *arguments, stdout=out)
    return out.getvalue()


def test_empty_views_are_no_violation() -> None:
    install(hearts=HEARTS, beats=HEARTS)

    assert audit.run() == []


def test_the_rows_of_a_view_are_its_violation() -> None:
    install(hearts=HEARTS, nothing=f"{HEARTS} WHERE false")
    beat("a", "b")

    [violation] = audit.run()

    assert (violation.view.code, violation.view.must_hold) == ("X00", "hearts is empty")
    assert violation.count == 2
    assert sorted(str(row["name"]) for row in violation.rows) == ["a", "b"]


def test_only_the_first_rows_are_shown_but_all_are_counted() -> None:
    install(hearts=HEARTS)
    beat(*[f"heart {number}" for number in range(30)])

    [violation] = audit.run()

    assert (violation.count, len(violation.rows)) == (30, audit.ROWS_SHOWN)


def test_violations_come_in_the_order_of_their_codes() -> None:
    invariant("I02", "second", "", HEARTS)
    invariant("I01", "first", "", HEARTS)
    audit.install()
    beat("a")

    assert [violation.view.code for violation in audit.run()] == ["I01", "I02"]


def test_all_views_see_one_snapshot() -> None:
    sleeping = (
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
        " AND datname = current_database()"
    )

    def beat_meanwhile() -> None:
        with connection.cursor() as cursor:
            for _ in range(500):
                cursor.execute(sleeping)
                if cursor.fetchone() == (1,):
                    return beat("a")
                sleep(0.01)
        raise TimeoutError

    install(slow="SELECT pg_sleep(0.5)::text AS slept OFFSET 1", late=HEARTS)

    results = together(audit.run, beat_meanwhile)

    assert succeeded(results) == [[], None]
    assert list(found()) == ["late"]


def test_a_view_changes_nothing() -> None:
    install(writing="SELECT nextval('core_order_number_seq')")

    with pytest.raises(DatabaseError, match="read-only"):
        audit.run()


def test_the_grace_is_the_settings_and_none_at_the_end() -> None:
    install(grace="SELECT extract(epoch FROM audit_grace())::int AS seconds")

    assert found() == {"grace": [{"seconds": 60}]}
    assert found(final=True) == {"grace": [{"seconds": 0}]}
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM audit_grace())::int")
        assert cursor.fetchone() == (60,)


def test_installing_takes_away_what_is_no_longer_registered() -> None:
    install(old=HEARTS)
    audit.views.clear()
    install(new=HEARTS)

    with connection.cursor() as cursor:
        cursor.execute("SELECT viewname FROM pg_views WHERE schemaname = 'audit'")
        assert cursor.fetchall() == [("new",)]


def test_the_command_says_how_many_hold() -> None:
    install(hearts=HEARTS)

    assert command() == "1 invariants read, 0 broken\n"


def expect_exit_1(run: Callable[[], object]) -> None:
    with pytest.raises(CommandError) as failed:
        run()
    assert failed.value.returncode == 1


def test_the_command_fails_and_shows_what_is_broken() -> None:
    install(hearts=HEARTS)
    beat("a")
    out = StringIO()

    expect_exit_1(lambda: call_command("audit", "--once", stdout=out))

    assert "X00 hearts is empty: 1" in out.getvalue()
    assert "{'name': 'a'}" in out.getvalue()
    assert "1 invariants read, 1 broken" in out.getvalue()


def test_the_command_speaks_json() -> None:
    install(hearts="SELECT name, at FROM core_heartbeat")
    beat("a")
    out = StringIO()

    expect_exit_1(lambda: call_command("audit", "--once", "--json", stdout=out))

    document = json.loads(out.getvalue())
    assert document["invariants"] == 1
    [violation] = document["violations"]
    assert (violation["code"], violation["count"]) == ("X00", 1)
    assert violation["rows"][0]["name"] == "a"


def test_two_invariants_of_one_name_are_refused() -> None:
    invariant("X01", "hearts", "", HEARTS)
    with pytest.raises(ProgrammingMistake):
        invariant("X02", "hearts", "", HEARTS)
