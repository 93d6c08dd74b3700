"""Alarms are opened, raised and resolved once each, and each is told once, to whom it is to be."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.core import mail as post_office
from django.core.mail.backends.locmem import EmailBackend
from pytest_django import Settings

from core import alarms, monitor, relay
from core.alarms import alarms_keep
from core.models import Alarm, Heartbeat, OutboxEvent, OutboxStream
from core.monitor import Condition, Level, Owner, Pace, Reading
from orders.models import OrderGroup
from tests.factories import TESTER
from tests.factories.story import make_group
from tests.monitor.cases import silent
from tests.threads import succeeded, together

START = datetime(2026, 11, 1, tzinfo=UTC)
Mends = list[int]


@pytest.fixture(autouse=True)
def told(db: None, settings: Settings) -> None:
    settings.MONITOR_MAILS = ["ops@example.com", "night@example.com"]


def reading(minute: int, level: Level, *, code: str = "S1", count: int = 1, **more: str) -> Reading:
    """What a look at that minute found."""
    at = START + timedelta(minutes=minute)
    found = count if level else 0
    return Reading(monitor.conditions[code], at, level, found, at if level else None, **more)  # type: ignore[arg-type]


def keep(*readings: Reading) -> None:
    alarms_keep(readings=readings, actor=TESTER)


def events() -> list[str]:
    return list(
        OutboxEvent.objects.filter(type__startswith="alarm.")
        .order_by("id")
        .values_list("type", flat=True)
    )


def deliver() -> None:
    """What the workers do, twice: repeated, nothing goes out again."""
    for stream in OutboxStream.objects.filter(aggregate_type="alarm"):
        for _ in range(2):
            relay.deliver_external(stream.pk)


def test_an_alarm_lives_from_the_first_reading_to_the_one_that_finds_nothing() -> None:
    keep(reading(0, Level.WARN))
    keep(reading(1, Level.WARN, count=7))
    alarm = Alarm.objects.get()
    assert (alarm.level, alarm.count, alarm.resolved_at) == ("warn", 7, None)
    assert (alarm.first_seen_at, alarm.last_seen_at) == (START, START + timedelta(minutes=1))

    keep(reading(2, Level.CALM))
    alarm.refresh_from_db()
    assert alarm.resolved_at == START + timedelta(minutes=2)
    keep(reading(3, Level.CALM))
    assert events() == ["alarm.opened", "alarm.resolved"]

    keep(reading(4, Level.PAGE))
    assert Alarm.objects.filter(resolved_at=None).get().level == "page"
    assert events() == ["alarm.opened", "alarm.resolved", "alarm.opened"]


def test_an_alarm_is_raised_once_and_never_sinks_while_it_is_open() -> None:
    levels = (Level.WARN, Level.PAGE, Level.WARN, Level.PAGE)
    for minute, level in enumerate(levels):
        keep(reading(minute, level))
    assert Alarm.objects.get().level == "page"
    assert events() == ["alarm.opened", "alarm.raised"]


def test_nothing_that_is_calm_opens_an_alarm() -> None:
    keep(reading(0, Level.CALM))
    assert not Alarm.objects.exists()


def test_a_reading_that_comes_late_says_nothing() -> None:
    keep(reading(5, Level.WARN))
    keep(reading(4, Level.CALM))
    assert Alarm.objects.get().resolved_at is None
    keep(reading(6, Level.CALM))
    keep(reading(5, Level.PAGE))
    assert events() == ["alarm.opened", "alarm.resolved"]


def test_a_condition_that_can_not_be_read_is_an_alarm() -> None:
    keep(reading(0, Level.WARN, count=0, error="canceling statement due to lock timeout"))
    deliver()
    assert Alarm.objects.get().note == "canceling statement due to lock timeout"
    assert "due to lock timeout" in post_office.outbox[0].body


def test_each_change_is_told_once_to_whom_it_is_to_be() -> None:
    for minute, level in enumerate((Level.WARN, Level.WARN, Level.PAGE, Level.PAGE, Level.CALM)):
        keep(reading(minute, level, count=3))
        deliver()

    words = monitor.conditions["S1"].words
    assert [message.subject for message in post_office.outbox] == [
        f"[Quayside warn] S1 {words}",
        f"[Quayside page] S1 {words}",
        f"[Quayside resolved] S1 {words}",
    ]
    assert {tuple(message.to) for message in post_office.outbox} == {
        ("ops@example.com", "night@example.com")
    }
    opened = str(post_office.outbox[0].body)
    assert "Found: 3. To be seen to by: platform." in opened
    assert monitor.conditions["S1"].runbook in opened
    assert f"/platform/core/alarm/{Alarm.objects.get().pk}/" in opened
    assert Alarm.objects.get().notified_at is not None


def test_a_mail_that_can_not_leave_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> int:
        raise ConnectionRefusedError

    keep(reading(0, Level.WARN))
    with monkeypatch.context() as broken:
        broken.setattr(EmailBackend, "send_messages", away)
        deliver()
    assert Alarm.objects.get().notified_at is None
    OutboxStream.objects.update(available_at=START)
    deliver()
    assert len(post_office.outbox) == 1


def test_where_nobody_is_to_be_told_nobody_is(settings: Settings) -> None:
    settings.MONITOR_MAILS = []
    keep(reading(0, Level.PAGE))
    deliver()
    assert post_office.outbox == []
    assert Alarm.objects.get().notified_at is None
    assert not OutboxStream.objects.exclude(delivered_seq=1).exists()


def test_alarms_of_two_conditions_know_nothing_of_each_other() -> None:
    keep(reading(0, Level.WARN), reading(0, Level.PAGE, code="S3"))
    keep(reading(1, Level.CALM), reading(1, Level.PAGE, code="S3"))
    assert [alarm.condition for alarm in Alarm.objects.filter(resolved_at=None)] == ["S3"]


@pytest.fixture
def mended(monkeypatch: pytest.MonkeyPatch) -> Mends:
    """Two conditions on every placed group, of which only one mends by itself."""
    done: Mends = []

    def make(code: str, *, automatic: bool) -> Condition:
        return Condition(
            code=code,
            name=code,
            words=code,
            owner=Owner.PLATFORM,
            warn_after=timedelta(0),
            page_after=timedelta(days=1),
            sql="SELECT id AS subject, placed_at AS since FROM orders_ordergroup",
            runbook="-",
            repair=done.append,
            automatic=automatic,
        )

    made = {code: make(code, automatic=code == "T1") for code in ("T1", "T2")}
    monkeypatch.setattr(monitor, "conditions", made)
    return done


@pytest.mark.django_db(transaction=True)
def test_a_round_keeps_and_mends_what_needs_no_person(mended: Mends) -> None:
    group = make_group()

    alarms.watch(Pace.SLOW)
    assert (mended, Alarm.objects.count()) == ([], 0)
    alarms.watch(Pace.QUICK)

    assert mended == [group.pk]
    assert {alarm.condition for alarm in Alarm.objects.all()} == {"T1", "T2"}


@pytest.mark.django_db(transaction=True)
def test_two_rounds_at_once_open_one_alarm(mended: Mends) -> None:
    make_group()

    def round_() -> list[Reading]:
        return alarms.watch(Pace.QUICK)

    succeeded(together(round_, round_, round_))

    assert sorted(alarm.condition for alarm in Alarm.objects.all()) == ["T1", "T2"]
    assert events() == ["alarm.opened", "alarm.opened"]


@pytest.mark.django_db(transaction=True)
def test_a_repair_that_fails_holds_up_no_other(
    mended: Mends, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups = [make_group(), make_group()]

    def refuse_the_first(group_id: int) -> None:
        if not mended:
            mended.append(0)
            raise ValueError(group_id)
        mended.append(group_id)

    broken = {
        code: replace(condition, repair=refuse_the_first)
        for code, condition in monitor.conditions.items()
        if condition.automatic
    }
    monkeypatch.setattr(monitor, "conditions", broken)
    alarms.watch(Pace.QUICK)
    assert len(mended) == 2
    assert mended[1] in {group.pk for group in groups}


def test_the_oldest_that_can_not_be_mended_do_not_keep_the_others_from_it(
    mended: Mends, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitor, "MOST_MENDED", 1)
    found = Reading(monitor.conditions["T1"], START, Level.WARN, 3, subjects=("1", "2", "3"))
    for _ in range(200):
        monitor.repair(found)
    assert len(mended) == 200
    assert set(mended) == {1, 2, 3}


@pytest.mark.django_db(transaction=True)
def test_a_clock_that_has_not_begun_is_missed_only_from_the_first_round_on() -> None:
    Heartbeat.objects.all().delete()

    [silence] = [found for found in alarms.watch(Pace.QUICK) if found.condition.code == "S16"]

    assert silence.level is Level.CALM
    silent("watch", timedelta(minutes=10))
    [silence] = [found for found in alarms.watch(Pace.QUICK) if found.condition.code == "S16"]
    assert silence.subjects == ("watch",)


@pytest.mark.django_db(transaction=True)
def test_on_a_healthy_system_a_round_finds_and_changes_nothing() -> None:
    group = make_group()
    for pace in Pace:
        assert [found for found in alarms.watch(pace) if found.level] == []
    assert OrderGroup.objects.get(pk=group.pk).version == group.version
    assert not Alarm.objects.exists()
