"""Which processes have lately proved that they make progress."""

from datetime import timedelta

from django.db.models.functions import Now

from core.models import Heartbeat

HEARTS = ("worker", "beat", "relay")
LONGEST_SILENCE = timedelta(seconds=15)


def silent_hearts() -> list[str]:
    """Names of the hearts that have not beaten within 15 s, by the database's clock."""
    young = Heartbeat.objects.filter(at__gt=Now() - LONGEST_SILENCE)
    beating = set(young.values_list("name", flat=True))
    return [name for name in HEARTS if name not in beating]
