"""Alarms: what the monitor found, kept from the first reading to the last, and told by mail.

A mail is an event of the alarm's own external stream: it leaves after the commit, is tried again
where the mail server is away, and goes out once each for opened, raised and resolved.
"""

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMessage
from django.db.models.functions import Now

from core import monitor
from core.command import command
from core.heartbeats import count_from_now
from core.locks import lock_alarms
from core.models import Alarm
from core.monitor import Level, Pace, Reading
from core.outbox import Event, Fact, emit, external

MONITOR = "system:monitor"
LONGEST_NOTE = 200


def watch(pace: Pace) -> list[Reading]:
    """One round of the clock: reads, keeps the alarms, and mends what needs no person."""
    count_from_now()
    readings = monitor.look(monitor.of_pace(pace))
    alarms_keep(readings=readings, actor=MONITOR)
    for reading in readings:
        if reading.condition.automatic:
            monitor.repair(reading)
    return readings


@command
def alarms_keep(*, readings: Iterable[Reading], actor: object) -> None:
    """Opens, raises and resolves the alarms of these readings.

    A reading that is older than what is known says nothing any more, so two monitors at once do no
    harm. Locks all alarms. Emits `alarm.opened`, `alarm.raised`, `alarm.resolved`.
    """
    lock_alarms()
    latest = Alarm.objects.order_by("condition", "-id").distinct("condition")
    known = {alarm.condition: alarm for alarm in latest}
    told = [_keep(reading, known.get(reading.condition.code)) for reading in readings]
    emit([fact for fact in told if fact])


def _keep(reading: Reading, latest: Alarm | None) -> Fact | None:
    if latest and reading.at <= (latest.resolved_at or latest.last_seen_at):
        return None
    if latest and latest.resolved_at is None:
        return _go_on(reading, latest)
    return _open(reading) if reading.level else None


def _open(reading: Reading) -> Fact:
    alarm = Alarm.objects.create(
        condition=reading.condition.code,
        level=_level(reading),
        first_seen_at=reading.at,
        **_seen(reading),
    )
    return _fact(alarm, "opened")


def _go_on(reading: Reading, alarm: Alarm) -> Fact | None:
    """The level never sinks while the alarm is open, so that each mail is sent once."""
    rows = Alarm.objects.filter(pk=alarm.pk)
    if not reading.level:
        rows.update(resolved_at=reading.at)
        return _fact(alarm, "resolved")
    is_raised = reading.level is Level.PAGE and alarm.level == Alarm.Level.WARN
    alarm.level = Alarm.Level.PAGE if is_raised else alarm.level
    seen = _seen(reading)
    rows.update(level=alarm.level, **seen)
    alarm.count, alarm.note = seen["count"], seen["note"]
    return _fact(alarm, "raised") if is_raised else None


def _level(reading: Reading) -> Alarm.Level:
    return Alarm.Level.PAGE if reading.level is Level.PAGE else Alarm.Level.WARN


def _seen(reading: Reading) -> dict[str, Any]:
    return {
        "count": reading.count,
        "oldest": reading.oldest,
        "note": reading.error[:LONGEST_NOTE],
        "last_seen_at": reading.at,
    }


def _fact(alarm: Alarm, past: str) -> Fact:
    return Fact(
        stream=("alarm", alarm.pk),
        shard_key=0,
        type=f"alarm.{past}",
        object_id=alarm.pk,
        payload={
            "condition": alarm.condition,
            "level": str(alarm.level),
            "count": alarm.count,
            "note": alarm.note,
        },
        external=True,
    )


@command
def alarm_notified(*, alarm_id: int, actor: object) -> None:
    """Records that a mail of the alarm has left. Locks and emits nothing."""
    Alarm.objects.filter(pk=alarm_id).update(notified_at=Now())


@external("alarm")
def mail_alarm(event: Event) -> None:
    """Tells who is to be told; nobody is by default."""
    if settings.MONITOR_MAILS:
        message(event).send()
        alarm_notified(alarm_id=event.object_id, actor=MONITOR)


def message(event: Event) -> EmailMessage:
    """The mail of an event, the same however often it is made."""
    told, past = event.payload, event.type.partition(".")[2]
    condition = monitor.conditions[told["condition"]]
    state = "resolved" if past == "resolved" else told["level"]
    lines = [
        f"{condition.code} {condition.words}.",
        told["note"] or f"Found: {told['count']}. To be seen to by: {condition.owner}.",
        condition.runbook,
        f"{settings.PUBLIC_URL}/platform/core/alarm/{event.object_id}/change/",
    ]
    return EmailMessage(
        subject=f"[Quayside {state}] {condition.code} {condition.words}",
        body="\n\n".join(lines[:1] + lines[3:] if past == "resolved" else lines) + "\n",
        to=settings.MONITOR_MAILS,
        headers={
            "Message-ID": f"<alarm.{event.id}@{urlsplit(settings.PUBLIC_URL).hostname}>",
            "Auto-Submitted": "auto-generated",
        },
    )
