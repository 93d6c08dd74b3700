"""Each clock proves that it ticks, in one place, and no clock stands elsewhere."""

import re

import pytest

from config.celery import BEAT_SCHEDULE, CLOCK_OF_TASK, app
from core import schedule
from core.models import Heartbeat
from tests.architecture import sources

app.loader.import_default_modules()  # as a worker does

ELSEWHERE = re.compile(r"crontab|PeriodicTask|IntervalSchedule|add_periodic_task|beat_schedule\b")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", BEAT_SCHEDULE)
def test_a_clock_that_ran_has_its_heartbeat(name: str) -> None:
    Heartbeat.objects.all().delete()
    done = app.tasks[BEAT_SCHEDULE[name]["task"]].apply()
    assert done.successful(), done.traceback
    assert Heartbeat.objects.filter(name=name).exists()


@pytest.mark.django_db(transaction=True)
def test_a_clock_whose_job_failed_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    task = app.tasks["orders.tasks.complete_due_orders"]
    monkeypatch.setattr("orders.services.complete.complete_due", lambda: 1 / 0)
    assert task.apply().failed()
    assert not Heartbeat.objects.filter(name="complete-due-orders").exists()


def test_two_clocks_never_share_a_task() -> None:
    assert len(CLOCK_OF_TASK) == len(BEAT_SCHEDULE)


def test_the_monitor_knows_every_clock() -> None:
    assert schedule.intervals == {name: e["schedule"] for name, e in BEAT_SCHEDULE.items()}


def test_what_goes_to_the_queue_of_the_clocks_is_what_they_send() -> None:
    ours = [name for name in app.tasks if name.split(".", maxsplit=1)[0] in sources.APPS]
    route = app.amqp.router.route
    on_clocks = {name for name in ours if route({}, name)["queue"].name == "clocks"}
    assert on_clocks == set(CLOCK_OF_TASK)


def clocks_elsewhere(texts: sources.Sources) -> list[str]:
    return [
        path
        for path, text in texts.items()
        if path != "config/celery.py" and ELSEWHERE.search(text)
    ]


def test_no_clock_stands_elsewhere() -> None:
    assert clocks_elsewhere(sources.ours()) == []
    planted = {"orders/tasks.py": "app.add_periodic_task(5.0, expire.s())"}
    assert clocks_elsewhere(planted) == ["orders/tasks.py"]
