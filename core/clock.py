"""Business time: the one clock that deadlines, windows and audits are judged by.

It is the database's clock plus an offset that only a demo or a test may move, so that skewed
application hosts decide nothing. Ids, leases, back-off and logs keep the machine's own time.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection
from django.db.models import DateTimeField, F, Func

from core.errors import ProgrammingMistake
from core.models import BusinessClock, OutboxEvent


class BusinessNow(Func):
    """`business_now()` in a query: read by the statement, not at the start of the transaction."""

    function = "business_now"
    template = "%(function)s()"
    output_field = DateTimeField()


def now() -> datetime:
    """Business time of this moment. Ask after taking the lock whose wait may cross a deadline."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT business_now()")
        moment: datetime = cursor.fetchone()[0]
    return moment


def advance(by: timedelta) -> datetime:
    """Moves business time forward, on a demo or test database only; answers the new time."""
    if not movable():
        raise ProgrammingMistake("the business clock moves only in a demo or a test")
    if by < timedelta(0):
        raise ValueError("business time never goes back")
    BusinessClock.objects.filter(pk=1).update(offset=F("offset") + by)
    return now()


def begin_earlier(by: timedelta) -> bool:
    """Lets business time begin in the past, where nothing has happened yet; False where something has.

    So a demo can live through some weeks before its first visitor comes: `behind()` says how far
    it still has to go, `advance()` takes it there.
    """
    if not movable():
        raise ProgrammingMistake("the business clock moves only in a demo or a test")
    if OutboxEvent.objects.exists():
        return False
    return bool(BusinessClock.objects.filter(pk=1).update(offset=-by))


def behind() -> timedelta:
    """How far business time is behind the database's clock; nothing where it is level or ahead."""
    return max(-BusinessClock.objects.get(pk=1).offset, timedelta(0))


def movable() -> bool:
    """True on a demo and on a test database."""
    return settings.DEMO or str(connection.settings_dict["NAME"]).startswith("test_")
