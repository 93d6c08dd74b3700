"""Which processes have lately proved that they make progress."""

from datetime import timedelta

from django.db import connection
from django.db.models.functions import Now

from core import schedule
from core.models import Heartbeat

HEARTS = ("worker", "beat", "relay")
LONGEST_SILENCE = timedelta(seconds=15)


def beat(*, name: str) -> None:
    """Writes a heartbeat with the database's clock."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO core_heartbeat (name, at) VALUES (%s, clock_timestamp())"
            " ON CONFLICT (name) DO UPDATE SET at = excluded.at",
            [name],
        )


def count_from_now() -> None:
    """A clock that has never ticked is missed from now on, not from the beginning of time."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO core_heartbeat (name, at) SELECT name, clock_timestamp()"
            " FROM unnest(%s::text[]) AS clock (name) ON CONFLICT (name) DO NOTHING",
            [list(schedule.intervals)],
        )


def silent_hearts() -> list[str]:
    """Names of the hearts that have not beaten within 15 s, by the database's clock."""
    young = Heartbeat.objects.filter(at__gt=Now() - LONGEST_SILENCE)
    beating = set(young.values_list("name", flat=True))
    return [name for name in HEARTS if name not in beating]
