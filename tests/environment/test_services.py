"""The same code on PostgreSQL, RabbitMQ and Redis, as production has them."""

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from kombu.connection import Connection

from config.celery import broker_options, queues
from core.heartbeats import silent_hearts
from core.management.children import shop_children
from core.management.supervisor import Supervisor
from core.models import Heartbeat
from tests.environment.conftest import REPOSITORY, eventually

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
