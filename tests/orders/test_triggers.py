"""Hints at a deadline: held by the broker or by Redis, set anew when it moves, and never needed."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from pytest_django import Settings

from core import clock, relay
from orders import tasks, triggers
from orders.models import OrderGroup
from orders.services.extend import order_group_extend
from tests.factories.story import BUYER, expire_for_good, fresh_row, make_group, pay

pytestmark = pytest.mark.django_db(transaction=True)


def deliver_all() -> set[int]:
    """The relay's work, and that of the workers for external streams; answers which those were."""
    handed: set[int] = set()
    while relay.deliver(handed.add):
        pass
    for stream_id in handed:
        relay.deliver_external(stream_id)
    return handed


def waits(group: OrderGroup) -> list[float]:
    """In how many seconds the broker will show each message that names the group."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT extract(epoch FROM vt - clock_timestamp())::float8, message::text"
            " FROM pgmq.q_default ORDER BY msg_id"
        )
        return [seconds for seconds, text in cursor.fetchall() if f"[{group.pk}]" in text]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What was given to the broker, in place of one."""
    options: list[dict[str, Any]] = []
    monkeypatch.setattr(
        tasks.expire_group, "apply_async", lambda args, **given: options.append(given)
    )
    return options


@pytest.fixture
def message(settings: Settings) -> None:
    settings.EXPIRY_TRIGGERS = ["message"]


def test_without_a_trigger_nobody_is_told(sent: list[dict[str, Any]]) -> None:
    make_group()
    deliver_all()
    assert sent == []


@pytest.mark.usefixtures("message")
def test_the_database_as_the_broker_holds_the_message_itself() -> None:
    group = make_group()
    deliver_all()
    [seconds] = waits(group)
    assert 29 * 60 < seconds <= 30 * 60 + 1


@pytest.mark.usefixtures("message")
def test_a_later_deadline_gets_a_hint_of_its_own(sent: list[dict[str, Any]]) -> None:
    group = make_group()
    clock.advance(timedelta(minutes=28))
    deliver_all()
    order_group_extend(group_id=group.pk, actor=BUYER)
    deliver_all()
    first, second = (given["DelaySeconds"] for given in sent)
    assert 60 < first <= 120
    assert 240 < second <= 300


@pytest.mark.usefixtures("message")
@pytest.mark.parametrize("end", [pay, expire_for_good])
def test_what_waits_for_nothing_any_more_gets_no_hint(
    sent: list[dict[str, Any]],
    end: Callable[[OrderGroup], object],
) -> None:
    group = make_group()
    end(group)
    deliver_all()
    assert sent == []


def test_rabbitmq_is_given_a_delay_of_its_own(
    sent: list[dict[str, Any]], settings: Settings
) -> None:
    settings.BROKER_URL = "amqp://rabbit//"
    triggers.send_later(1, timedelta(seconds=61.2))
    assert sent == [{"retry": False, "countdown": 62}]


@pytest.mark.usefixtures("message")
def test_a_hint_that_can_not_be_set_is_left_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_args: object, **_options: object) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(tasks.expire_group, "apply_async", fail)
    group = make_group()
    triggers.arm(group.pk)
    assert f"no message for the deadline of {group.pk}" in caplog.text


def test_a_hint_too_early_or_twice_does_no_harm() -> None:
    group = make_group()
    tasks.expire_group(group.pk)
    assert fresh_row(group).status == "pending_payment"
    clock.advance(timedelta(minutes=30))
    tasks.expire_group(group.pk)
    tasks.expire_group(group.pk)
    assert fresh_row(group).status == "expired"


@pytest.mark.parametrize(
    ("given", "broker", "found"),
    [
        ([], "redis://r/0", []),
        (["message"], "pgmq://", []),
        (["message"], "amqp://r//", []),
        (["message"], "redis://r/0", ["expiry.E002"]),
        (["listener"], "pgmq://", ["expiry.E003"]),
        (["pigeon"], "pgmq://", ["expiry.E001"]),
    ],
)
def test_what_can_not_work_is_refused_at_the_start(
    settings: Settings, given: list[str], broker: str, found: list[str]
) -> None:
    settings.EXPIRY_TRIGGERS, settings.BROKER_URL = given, broker
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    assert [error.id for error in triggers.check_triggers()] == found


def test_a_key_names_its_group_and_no_other_key_does() -> None:
    assert triggers.group_of_key(f"{triggers.KEY_BEGINS}42") == 42
    assert [triggers.group_of_key(key) for key in ("42", "session:42", triggers.KEY_BEGINS)] == [
        None
    ] * 3
