"""`manage.py audit --once`: a process that says by its exit status whether the books hold."""

import json
import subprocess
import sys
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from core import audit
from core.management.commands import audit as audit_command
from inventory.models import StockItem
from tests.audit.walks import walk
from tests.factories.stock import make_stock
from tests.factories.story import deliver_events
from tests.threads import succeeded, together

pytestmark = pytest.mark.django_db(transaction=True)


def auditor(environment: dict[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "manage.py", "audit", "--once", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


def document(finished: "subprocess.CompletedProcess[str]") -> Any:
    return json.loads(finished.stdout)


def test_what_was_walked_cleanly_is_clean(process_environment: dict[str, str]) -> None:
    walk()

    assert audit.run() == []
    assert audit.run(final=True) == []
    finished = auditor(process_environment, "--json", "--final")
    assert finished.returncode == 0, finished.stderr
    assert document(finished) == {"invariants": len(audit.views), "violations": []}


def test_a_broken_book_ends_in_exit_status_1(process_environment: dict[str, str]) -> None:
    item = make_stock(units=10)
    StockItem.objects.update(on_hand=9)

    finished = auditor(process_environment, "--json")

    assert finished.returncode == 1
    row = {"id": item.id, "on_hand": 9, "reserved": 0, "journal_on_hand": 10, "journal_reserved": 0}
    violation = {
        "code": "I02",
        "name": "inv_02_stock_equals_journal",
        "must_hold": audit.views["inv_02_stock_equals_journal"].must_hold,
        "count": 1,
        "rows": [row],
    }
    assert document(finished) == {"invariants": len(audit.views), "violations": [violation]}


def test_a_person_reads_what_is_broken(process_environment: dict[str, str]) -> None:
    make_stock(units=10)
    StockItem.objects.update(on_hand=9)

    finished = auditor(process_environment)

    assert finished.returncode == 1
    said = finished.stdout.splitlines()
    assert said[0] == "I02 both counters of a stock item are the sums of its movements: 1"
    assert said[-1] == f"{len(audit.views)} invariants read, 1 broken"


def final() -> str:
    out = StringIO()
    call_command("audit", "--once", "--final", "--json", stdout=out)
    return out.getvalue()


def test_the_final_audit_waits_for_what_is_on_its_way() -> None:
    make_stock()

    said: list[str] = []

    succeeded(together(lambda: said.append(final()), deliver_events))

    assert json.loads(said[0])["violations"] == []


def test_the_final_audit_excuses_nothing_that_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    make_stock()
    monkeypatch.setattr(audit_command, "QUIET_WITHIN_SECONDS", 0.2)

    assert audit.run() == []
    with pytest.raises(CommandError) as failed:
        final()
    assert failed.value.returncode == 1
