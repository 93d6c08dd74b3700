"""What a channel has moved on one day, by its own account: its file of that day, or else its list."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol, runtime_checkable

from payments.channels.base import Movement, channel_named

DAY = timedelta(days=1)


@runtime_checkable
class Reports(Protocol):
    """A channel that closes each day with a file."""

    def report(self, day: date) -> list[Movement]: ...


def report_of(name: str, day: date) -> list[Movement]:
    """The movements of a day, by the channel's clock in UTC.

    Raises ChannelDown, ChannelRefused; Invalid `payment.channel_unknown`.
    """
    channel = channel_named(name)
    if isinstance(channel, Reports):
        return channel.report(day)
    begin, end = bounds(day)
    return [movement for movement in channel.movements(begin) if movement.at < end]


def bounds(day: date) -> tuple[datetime, datetime]:
    """When the day begins and when the next one does."""
    begin = datetime.combine(day, time(), UTC)
    return begin, begin + DAY
