"""Working time, against a second way to count it: minute by minute on the merchant's wall."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from orders.working_time import after_working_hours

ZONES = st.sampled_from(
    [
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "Asia/Kolkata",
        "Pacific/Apia",
        "Australia/Lord_Howe",
    ]
)
MOMENTS = st.datetimes(datetime(2011, 12, 1), datetime(2030, 1, 1)).map(  # noqa: DTZ001 named below
    lambda naive: naive.replace(second=0, microsecond=0, tzinfo=UTC)
)
HOURS = st.integers(1, 40)


def is_open(moment: datetime, zone: str) -> bool:
    local = moment.astimezone(ZoneInfo(zone))
    return local.weekday() < 5 and time(9) <= local.time() < time(17)


@given(moment=MOMENTS, hours=HOURS, zone=ZONES)
@settings(max_examples=60, derandomize=True, deadline=None)
def test_exactly_so_many_working_minutes_pass(moment: datetime, hours: int, zone: str) -> None:
    ends = after_working_hours(moment, hours=hours, time_zone=zone)
    minutes = (ends - moment) // timedelta(minutes=1)
    worked = sum(is_open(moment + timedelta(minutes=n), zone) for n in range(minutes))
    assert worked == 60 * hours
    assert is_open(ends - timedelta(minutes=1), zone)


@given(moment=MOMENTS, later=st.integers(0, 10_000), hours=HOURS, zone=ZONES)
@settings(max_examples=200, derandomize=True, deadline=None)
def test_who_asks_later_is_answered_no_earlier(
    moment: datetime, later: int, hours: int, zone: str
) -> None:
    then = moment + timedelta(minutes=later)
    first = after_working_hours(moment, hours=hours, time_zone=zone)
    assert first <= after_working_hours(then, hours=hours, time_zone=zone)
    assert first < after_working_hours(moment, hours=hours + 1, time_zone=zone)


def local(day: date, hour: float, zone: str) -> datetime:
    midnight = datetime.combine(day, time(0), ZoneInfo(zone))
    return midnight + timedelta(hours=hour)


def test_a_weekend_in_which_the_clocks_change_does_not_count() -> None:
    berlin = "Europe/Berlin"
    friday, monday = date(2026, 3, 27), date(2026, 3, 30)
    ends = after_working_hours(local(friday, 15, berlin), hours=4, time_zone=berlin)
    assert ends == local(monday, 11, berlin)
    assert ends - local(friday, 15, berlin).astimezone(UTC) == timedelta(hours=67)


def test_a_request_in_the_morning_is_answered_before_the_evening() -> None:
    berlin, tuesday = "Europe/Berlin", date(2026, 11, 24)
    for asked, answered in ((6, 13), (9, 13), (13, 17), (13.5, 24 + 9.5), (20, 24 + 13)):
        ends = after_working_hours(local(tuesday, asked, berlin), hours=4, time_zone=berlin)
        assert ends == local(tuesday, answered, berlin)
