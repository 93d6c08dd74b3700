"""`GET /metrics`: what Prometheus reads, who may, and what it costs."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, connections
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from core import alarms, clock, monitor, schedule
from core.heartbeats import beat
from core.models import Alarm
from core.monitor import Level, Pace
from tests.factories.stock import make_stock
from tests.factories.story import deliver_events, make_group, make_paid_group
from tests.monitor.cases import silent

pytestmark = pytest.mark.django_db(transaction=True)

SAMPLE = re.compile(r'(quayside_[a-z_]+)(?:\{((?:[a-z]+="[^"\\\n]*",?)*)\})? ([-+.e0-9]+)\Z')
Samples = dict[str, float]


@pytest.fixture(autouse=True)
def ticking() -> None:
    for name in schedule.intervals:
        beat(name=name)


def scrape(client: Client) -> Samples:
    """Every sample by its name and first label: `condition_level:S1`."""
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    found: Samples = {}
    typed = set()
    for line in answer.content.decode().splitlines():
        if line.startswith("# TYPE"):
            typed.add(line.split()[2])
        if line.startswith("#"):
            continue
        parsed = SAMPLE.match(line)
        assert parsed, line
        name, labels, value = parsed.groups()
        assert name in typed, line
        first = labels.split('"')[1] if labels else ""
        key = f"{name.removeprefix('quayside_')}{':' if first else ''}{first}"
        assert key not in found, line
        found[key] = float(value)
    return found


def test_a_calm_system_tells_of_every_condition_and_clock(client: Client) -> None:
    deliver_events()
    found = scrape(client)
    for code in monitor.conditions:
        assert found[f"condition_level:{code}"] == found[f"condition_count:{code}"] == 0
        assert found[f"condition_readable:{code}"] == 1
    for name in schedule.intervals:
        assert 0 <= found[f"heartbeat_age_seconds:{name}"] < 60


def test_what_waits_is_told_as_it_is_now(client: Client) -> None:
    make_paid_group(orders=2)
    group = make_group()
    silent("relay", timedelta(0))
    silent("watch", timedelta(minutes=5))
    clock.advance(group.pay_before - clock.now() + timedelta(minutes=11))
    found = scrape(client)
    assert found["condition_level:S1"] == 2
    assert 660 <= found["condition_oldest_seconds:S1"] < 720
    assert found["condition_level:S16"] == 2
    assert found["heartbeat_age_seconds:watch"] > 299
    assert found["orders_open:paid"] == 2
    assert found["order_groups_open:pending_payment"] == 1
    assert found["outbox_streams_waiting"] > 0
    assert found["outbox_lag_seconds"] > 0


def test_what_reads_whole_tables_is_told_as_the_clock_has_found_it(client: Client) -> None:
    item = make_stock(units=10)
    type(item).objects.update(reserved=5)
    assert scrape(client)["condition_level:S11"] == 0
    alarms.watch(Pace.SLOW)
    found = scrape(client)
    assert (found["condition_level:S11"], found["condition_count:S11"]) == (2, 1)


def test_looking_changes_nothing(client: Client) -> None:
    group = make_group()
    clock.advance(group.pay_before - clock.now() + timedelta(minutes=11))
    scrape(client)
    group.refresh_from_db()
    assert group.status == "pending_payment"
    assert not Alarm.objects.exists()
    assert client.post("/metrics").status_code == 405


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"REMOTE_ADDR": "127.0.0.1"}, 200),
        ({"REMOTE_ADDR": "::1"}, 200),
        ({"REMOTE_ADDR": "10.0.0.7"}, 403),
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": "10.0.0.7"}, 403),
        ({"REMOTE_ADDR": "10.0.0.7", "HTTP_AUTHORIZATION": "Bearer secret"}, 200),
        ({"REMOTE_ADDR": "10.0.0.7", "HTTP_AUTHORIZATION": "Bearer wrong"}, 403),
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_AUTHORIZATION": "Bearer wrong"}, 403),
    ],
)
def test_only_this_machine_and_who_has_the_token_may_read(
    client: Client, settings: Settings, headers: dict[str, Any], status: int
) -> None:
    settings.METRICS_TOKEN = "secret"
    assert client.get("/metrics", **headers).status_code == status


def test_without_a_token_in_the_settings_none_opens(client: Client, settings: Settings) -> None:
    settings.METRICS_TOKEN = ""
    for given in ("Bearer ", "Bearer", "Bearer x"):
        answer = client.get("/metrics", REMOTE_ADDR="10.0.0.7", HTTP_AUTHORIZATION=given)
        assert answer.status_code == 403


@contextmanager
def locked(table: str) -> Iterator[None]:
    """Another connection holds the whole table."""
    taken, done = threading.Event(), threading.Event()

    def hold() -> None:
        other = connections["default"]
        other.set_autocommit(False)
        with other.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        taken.set()
        done.wait(30)
        other.rollback()
        other.close()

    thread = threading.Thread(target=hold)
    thread.start()
    taken.wait(30)
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_a_locked_table_costs_its_own_conditions_only(client: Client) -> None:
    with locked("payments_attempt"):
        found = scrape(client)
    assert found["condition_readable:S2"] == 0
    assert found["condition_level:S2"] == 1
    assert found["condition_readable:S1"] == 1


def test_a_locked_table_does_not_hold_the_monitor() -> None:
    with locked("payments_attempt"):
        readings = monitor.look(monitor.conditions.values())
    unread = {reading.condition.code for reading in readings if reading.error}
    assert unread == {"S2", "S21", "S22"}
    assert {found.level for found in readings if not found.error} == {Level.CALM}


def test_a_database_that_does_not_tell_is_said(client: Client) -> None:
    with locked("core_heartbeat"):
        assert client.get("/metrics").status_code == 503


def test_it_costs_the_same_however_many_orders_there_are(
    client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    scrape(client)
    with django_assert_max_num_queries(60) as queries:
        scrape(client)
    few = len(queries)
    make_paid_group(orders=3)
    connection.queries_log.clear()
    with django_assert_max_num_queries(few):
        scrape(client)
