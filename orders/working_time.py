"""Working time: Monday to Friday from 9 to 17 o'clock where the merchant is. Pure."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

OPENS, CLOSES = time(9), time(17)
SATURDAY = 5


def after_working_hours(moment: datetime, *, hours: int, time_zone: str) -> datetime:
    """The moment, in UTC, at which that many working hours have passed since `moment`.

    Between opening and closing the time that passes is counted, whatever the local clock does.
    """
    zone, left = ZoneInfo(time_zone), timedelta(hours=hours)
    since = moment.astimezone(UTC)
    day = moment.astimezone(zone).date()
    while True:
        opens = max(since, datetime.combine(day, OPENS, zone).astimezone(UTC))
        closes = datetime.combine(day, CLOSES, zone).astimezone(UTC)
        if day.weekday() < SATURDAY and opens < closes:
            if left <= closes - opens:
                return opens + left
            left -= closes - opens
        day += timedelta(days=1)
