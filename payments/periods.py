"""When a merchant's statement begins and ends: at midnight in the merchant's own zone. Pure."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo


def period_of(schedule: str, zone: str, moment: datetime) -> tuple[datetime, datetime]:
    """The day, the week from Monday or the month that holds the moment, up to the next one's begin."""
    first, after = _days(schedule, moment.astimezone(ZoneInfo(zone)).date())
    return _midnight(first, zone), _midnight(after, zone)


def _days(schedule: str, day: date) -> tuple[date, date]:
    match schedule:
        case "daily":
            return day, day + timedelta(days=1)
        case "weekly":
            monday = day - timedelta(days=day.weekday())
            return monday, monday + timedelta(days=7)
        case "monthly":
            first = day.replace(day=1)
            return first, (first + timedelta(days=31)).replace(day=1)
    raise ValueError(schedule)


def _midnight(day: date, zone: str) -> datetime:
    return datetime.combine(day, time.min, ZoneInfo(zone)).astimezone(UTC)
