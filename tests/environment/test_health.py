"""What a load balancer is told: alive, ready, or which part is missing."""

from datetime import timedelta

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import F
from django.test import Client

from config.celery import app, broker_options
from core.heartbeats import HEARTS, LONGEST_SILENCE, beat
from core.models import Heartbeat


@pytest.fixture
def hearts_beat(db: None) -> None:
    for name in HEARTS:
        beat(name=name)


def problems(client: Client) -> dict[str, str]:
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["status"] == "not ready"
    found: dict[str, str] = answer.json()["problems"]
    return found


def test_alive_asks_for_nothing(client: Client) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}


@pytest.mark.usefixtures("hearts_beat")
def test_ready_when_database_broker_and_hearts_answer(client: Client) -> None:
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


@pytest.mark.usefixtures("hearts_beat")
def test_a_heart_that_has_been_silent_too_long_is_named(client: Client) -> None:
    Heartbeat.objects.filter(name="relay").update(at=F("at") - LONGEST_SILENCE)
    Heartbeat.objects.filter(name="worker").update(
        at=F("at") - LONGEST_SILENCE + timedelta(seconds=5)
    )
    assert problems(client) == {"silent": "relay"}


@pytest.mark.usefixtures("hearts_beat")
def test_a_migration_that_waits_is_named(client: Client) -> None:
    last = MigrationRecorder(connection).migration_qs.filter(app="accounts").latest("id")
    last.delete()
    assert problems(client) == {"database": f"not migrated: accounts.{last.name}"}


@pytest.mark.usefixtures("hearts_beat")
def test_a_broker_that_is_away_is_named(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = broker_options("pgmq://", "postgresql://nobody@127.0.0.1:1/none")
    monkeypatch.setitem(app.conf, "broker_transport_options", {**nowhere, "pool_timeout": 0.2})
    assert problems(client) == {"broker": "does not answer"}


def test_both_can_only_be_read(client: Client) -> None:
    assert [client.post(path).status_code for path in ("/healthz", "/readyz")] == [405, 405]
