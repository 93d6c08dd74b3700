"""The same code on PostgreSQL, RabbitMQ and Redis, as production has them."""

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from kombu.connection import Connection

from config.celery import broker_options, queues
from core import clock
from core.heartbeats import beat, silent_hearts
from core.management.children import listener, shop_children
from core.management.supervisor import Supervisor
from core.models import Heartbeat, StateChange
from orders.management.replay.look import undelivered_events
from tests.environment.conftest import REPOSITORY, eventually
from tests.factories.story import fresh_row, make_group

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]

BROKERS = ["amqp://guest:guest@127.0.0.1:5672//", "redis://127.0.0.1:6379/0"]


def empty_queues(url: str) -> None:
    """Takes away what an earlier run left, or this one would leave."""
    with Connection(url, transport_options=broker_options(url, "")) as link:
        for queue in queues(url):
            bound = queue(link.default_channel)
            bound.declare()
            bound.purge()


@pytest.fixture(params=BROKERS, ids=["rabbitmq", "redis"])
def clocks(
    request: pytest.FixtureRequest, tmp_path: Path, process_environment: dict[str, str]
) -> Iterator[Supervisor]:
    """A real worker and beat on the broker."""
    empty_queues(request.param)
    environment = {**process_environment, "BROKER_URL": request.param}
    children = [
        replace(child, environment=environment)
        for child in shop_children()
        if child.name in {"worker", "beat"}
    ]
    supervisor = Supervisor(
        children, log_dir=tmp_path, working_dir=REPOSITORY, say=lambda line: None
    )
    with supervisor:
        yield supervisor
    empty_queues(request.param)


def wait_for_hearts(clocks: Supervisor) -> None:
    def ask() -> bool:
        clocks.tend()
        return set(silent_hearts()) == {"relay"}

    eventually(ask)


def test_the_clocks_go_and_go_on_when_the_worker_is_killed(clocks: Supervisor) -> None:
    wait_for_hearts(clocks)
    os.killpg(clocks.pid_of("worker"), signal.SIGKILL)
    Heartbeat.objects.all().delete()
    wait_for_hearts(clocks)


def test_the_server_is_the_one_that_was_named_and_the_cache_is_shared() -> None:
    assert connection.settings_dict["HOST"] == "127.0.0.1"
    cache.set("berth", "seven", timeout=5)
    assert cache.get("berth") == "seven"
    assert settings.CACHES["default"]["BACKEND"].endswith("RedisCache")


REDIS = "redis://127.0.0.1:6379/0"
HINTS = [(BROKERS[0], "message"), (BROKERS[0], "listener"), (BROKERS[1], "listener")]


@pytest.fixture(params=HINTS, ids=["rabbitmq-message", "rabbitmq-listener", "redis-listener"])
def hinted(
    request: pytest.FixtureRequest, tmp_path: Path, process_environment: dict[str, str]
) -> Iterator[Supervisor]:
    """A relay, a worker and a listener, but no beat: without a hint nothing would expire."""
    broker, trigger = request.param
    empty_queues(broker)
    environment = {
        **process_environment,
        "BROKER_URL": broker,
        "CACHE_URL": REDIS,
        "EXPIRY_TRIGGERS": trigger,
    }
    children = [
        replace(child, environment=environment)
        for child in [*shop_children(), listener()]
        if child.name in {"worker", "relay", "listener"}
    ]
    with Supervisor(
        children, log_dir=tmp_path, working_dir=REPOSITORY, say=lambda line: None
    ) as supervisor:
        yield supervisor
    empty_queues(broker)


def test_a_hint_expires_a_group_without_any_scan(hinted: Supervisor) -> None:
    def wait_until(ask: Callable[[], object]) -> None:
        def tended() -> object:
            hinted.tend()
            beat(name="beat")  # so that the relay does not stand in
            return ask()

        eventually(tended)

    first = make_group()
    wait_until(lambda: "relay" not in silent_hearts() and not undelivered_events())
    os.kill(hinted.pid_of("relay"), signal.SIGSTOP)
    group = make_group()
    clock.advance(group.pay_before - clock.now() - timedelta(seconds=4))
    os.kill(hinted.pid_of("relay"), signal.SIGCONT)
    wait_until(lambda: fresh_row(group).status == "expired")
    late = StateChange.objects.get(object_id=group.id, verb="expire").at - group.pay_before
    assert timedelta(0) <= late < timedelta(seconds=5)
    assert fresh_row(first).status == "pending_payment"  # its hint is set for another half hour
