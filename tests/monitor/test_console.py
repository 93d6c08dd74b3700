"""The platform's staff see alarms and what to do about them; merchants do not."""

from datetime import UTC, datetime

import pytest

from core import monitor
from core.alarms import alarms_keep
from core.models import Alarm
from core.monitor import Level, Reading
from tests.consoles.world import member_client, staff_client
from tests.factories import TESTER, make_merchant

pytestmark = pytest.mark.django_db

ALARMS = "/platform/core/alarm/"
START = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def one_open_one_resolved() -> None:
    for minute, level in ((1, Level.WARN), (2, Level.CALM)):
        keep("S3", minute, level)
    keep("S1", 3, Level.PAGE)


def keep(code: str, minute: int, level: Level) -> None:
    at = START.replace(minute=minute)
    reading = Reading(monitor.conditions[code], at, level, int(level), at)
    alarms_keep(readings=[reading], actor=TESTER)


@pytest.mark.parametrize(
    ("standing", "codes"),
    [("", {"S1", "S3"}), ("?standing=open", {"S1"}), ("?standing=resolved", {"S3"})],
)
def test_alarms_are_listed_by_how_they_stand(standing: str, codes: set[str]) -> None:
    answer = staff_client().get(f"{ALARMS}{standing}")
    assert {row.condition for row in answer.context["cl"].result_list} == codes
    for code in codes:
        assert str(monitor.conditions[code].words) in answer.content.decode()


def test_an_alarm_says_what_is_to_be_done() -> None:
    alarm = Alarm.objects.get(condition="S1")
    shown = staff_client().get(f"{ALARMS}{alarm.pk}/change/").content.decode()
    assert "The repair expires it and releases its stock" in shown


def test_an_alarm_of_a_condition_that_is_gone_can_be_looked_at() -> None:
    Alarm.objects.update(condition="S99")
    assert staff_client().get(f"{ALARMS}{Alarm.objects.latest('pk').pk}/change/").status_code == 200


def test_the_first_page_counts_those_that_are_open() -> None:
    figures = staff_client().get("/platform/").context["figures"]
    assert {figure.label: figure.count for figure in figures}["Open alarms"] == 1


def test_a_merchant_sees_none() -> None:
    client = member_client(make_merchant())
    assert client.get(ALARMS).status_code != 200
    assert client.get(ALARMS.replace("platform", "merchant")).status_code == 404
