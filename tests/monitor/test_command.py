"""`manage.py monitor`: a table for people, a document for machines, an exit status for both."""

import json
import subprocess
import sys
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from core import clock, monitor, schedule
from core.heartbeats import beat
from orders.models import OrderGroup
from tests.environment.conftest import REPOSITORY
from tests.factories.story import deliver_events, make_group
from tests.monitor.cases import silent

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def ticking() -> None:
    for name in schedule.intervals:
        beat(name=name)


def run(*arguments: str) -> tuple[int, str]:
    """The exit status and what is said."""
    out = StringIO()
    try:
        call_command("monitor", *arguments, stdout=out)
    except CommandError as error:
        return error.returncode, out.getvalue()
    return 0, out.getvalue()


def overdue(minutes: int) -> OrderGroup:
    group = make_group()
    deliver_events()
    clock.advance(group.pay_before - clock.now() + timedelta(minutes=minutes))
    return group


def of(code: str, document: str) -> Any:
    [found] = [entry for entry in json.loads(document) if entry["code"] == code]
    return found


def test_all_is_calm() -> None:
    status, said = run()
    assert status == 0
    assert len(said.splitlines()) == len(monitor.conditions)
    assert {line.split()[1] for line in said.splitlines()} == {"calm"}


@pytest.mark.parametrize(("minutes", "status", "level"), [(3, 1, "warn"), (11, 2, "page")])
def test_the_exit_status_says_how_urgent_it_is(minutes: int, status: int, level: str) -> None:
    group = overdue(minutes)
    assert run("--json")[0] == status
    said = run()[1]
    assert f"S1   {level}" in said
    assert f"1, the oldest for 0:{minutes:02}:" in said
    assert str(group.pk) in said


def test_machines_read_all_of_it() -> None:
    group = overdue(11)
    found = of("S1", run("--json")[1])
    age_seconds = found.pop("age_seconds")
    assert 660 <= age_seconds < 720
    assert found == {
        "code": "S1",
        "name": "unpaid_overdue",
        "owner": "platform",
        "level": "page",
        "count": 1,
        "oldest": group.pay_before.isoformat(),
        "subjects": [str(group.pk)],
        "error": "",
    }


def test_what_has_a_repair_is_mended() -> None:
    group = overdue(11)
    said = run("--repair", "S1")[1]
    assert said.startswith("S1: 1 of 1 worked on\n")
    assert OrderGroup.objects.get(pk=group.pk).status == "expired"
    assert run("--repair", "S1")[1].startswith("S1: 0 of 0 worked on\n")


@pytest.mark.parametrize("code", ["S14", "S99"])
def test_what_has_no_repair_is_refused(code: str) -> None:
    with pytest.raises(CommandError, match="no repair"):
        call_command("monitor", "--repair", code)


def test_a_process_of_its_own_knows_all_clocks(process_environment: dict[str, str]) -> None:
    silent("ask-channels", timedelta(hours=1))
    command = [sys.executable, "manage.py", "monitor", "--json"]
    done = subprocess.run(
        command, env=process_environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 2, done.stderr
    assert of("S16", done.stdout)["subjects"] == ["ask-channels"]


def test_the_runbook_is_the_one_that_is_kept() -> None:
    kept = (REPOSITORY / "docs" / "monitor.md").read_text(encoding="utf-8")
    assert run("--runbook") == (0, kept)
