"""`manage.py reconcile --channel NAME [--since … | --day …]`: what a channel lists against our book."""

import re
from datetime import date, datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.actors import system
from core import clock
from core.errors import DomainError
from payments.channels.base import ChannelDown, ChannelRefused, listing_channels
from payments.lists import open_differences
from payments.models import ReconciliationDay, ReconciliationTotal
from payments.services.day import settlement_day_close
from payments.services.reconcile import channel_reconcile

HOURS = re.compile(r"([0-9]{1,4})h")
ACTOR = system("reconcile command")


class Command(BaseCommand):
    """Exit status 1 where something differs that nobody has settled, or the channel does not answer."""

    help = "Compares what a channel lists with our book; exit status 1 where they differ."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--channel", required=True, choices=listing_channels())
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--since", help="26h, or an ISO time with its offset", type=since)
        what.add_argument("--day", help="certify this day: 2026-01-31", type=date.fromisoformat)

    def handle(self, *args: Any, **options: Any) -> None:
        channel = options["channel"]
        try:
            if options["day"]:
                self.close_day(channel, options["day"])
            else:
                self.reconcile(channel, options["since"])
        except (ChannelDown, ChannelRefused, DomainError) as error:
            raise CommandError(str(error), returncode=1) from error
        left = open_differences().filter(channel=channel).order_by("pk")
        for difference in left:
            self.stdout.write(
                f"{difference.pk} {difference.kind} {difference.about} {difference.ref}:"
                f" ours {difference.ours_minor}, theirs {difference.theirs_minor}"
                f" {difference.currency}"
            )
        if left:
            raise CommandError(f"{len(left)} differences are not settled", returncode=1)

    def reconcile(self, channel: str, moment: datetime | timedelta | None) -> None:
        begin = clock.now() - moment if isinstance(moment, timedelta) else moment
        run = channel_reconcile(channel=channel, since=begin, actor=ACTOR)
        self.stdout.write(f"{run.records} movements listed since {run.since.isoformat()}")

    def close_day(self, channel: str, day: date) -> None:
        certificate = settlement_day_close(channel=channel, day=day, actor=ACTOR)
        self.stdout.write(headline(certificate))
        for total in certificate.totals.order_by("currency"):
            self.stdout.write(line(total))


def headline(certificate: ReconciliationDay) -> str:
    """What is certified."""
    outcome = "level" if certificate.is_level else "differs"
    rows = f"{certificate.rows} rows, sha256 {certificate.sha256}"
    return f"{certificate}: {outcome}, {rows}"


def line(total: ReconciliationTotal) -> str:
    """Both sides of a currency, in minor units."""
    return (
        f"  {total.currency} channel {total.channel_gross_minor} - {total.channel_fee_minor}"
        f" = {total.channel_net_minor}, book {total.book_gross_minor} - {total.book_fee_minor}"
        f" = {total.book_net_minor}, settled {total.settled_minor},"
        f" difference {total.difference_minor}"
    )


def since(text: str) -> datetime | timedelta:
    """ValueError for what is neither hours nor a time with its offset."""
    if hours := HOURS.fullmatch(text):
        return timedelta(hours=int(hours[1]))
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time needs its offset")
    return moment
