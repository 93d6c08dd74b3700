"""`manage.py funnel`: the shop's funnel in numbers, and whether a recount agrees."""

import json
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from analytics.funnels import SHOP, Counts, Unit, days, recount, run
from core import clock


class Command(BaseCommand):
    """Exit status 1 where a recount from the raw events differs."""

    help = "Counts the shop's funnel of the visits that began on these days (UTC)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--from", type=date.fromisoformat, help="first day; six days ago")
        parser.add_argument("--to", type=date.fromisoformat, help="last day; today")
        parser.add_argument("--unit", type=Unit, choices=list(Unit), default=Unit.SESSION)
        parser.add_argument("--json", action="store_true", help="the numbers as JSON")
        parser.add_argument("--recount", action="store_true", help="compare with the raw events")

    def handle(self, *args: Any, **options: Any) -> None:
        last: date = options["to"] or clock.now().date()
        first: date = options["from"] or last - timedelta(days=6)
        funnel = replace(SHOP, unit=options["unit"])
        begin, end = days(first, last)
        counts = run(funnel, begin=begin, end=end)
        if options["json"]:
            self.stdout.write(json.dumps(as_json(counts), indent=2))
        else:
            self.report(counts)
        if options["recount"]:
            again = recount(funnel, begin=begin, end=end)
            if again != counts:
                raise CommandError(f"The recount differs: {as_json(again)}", returncode=1)
            self.stderr.write("The recount from the raw events agrees.", style_func=str)

    def report(self, counts: Counts) -> None:
        """A table for people."""
        self.stdout.write(f"{'step':<17} {'count':>7} {'overall':>8} {'step':>7} {'drop':>6}")
        for row in as_json(counts)["steps"]:
            self.stdout.write(
                f"{row['event']:<17} {row['count']:>7} {row['overall'] or '–':>8}"
                f" {row['step'] or '–':>7} {row['drop']:>6}"
            )
        self.stdout.write(
            f"time to convert: median {counts.median or '–'}, p90 {counts.p90 or '–'}"
        )


def as_json(counts: Counts) -> dict[str, Any]:
    """Shares as text with four decimals, times in seconds."""
    return {
        "steps": [
            {
                "event": name,
                "count": counts.counts[step],
                "overall": text(counts.overall(step)),
                "step": text(counts.onward(step)),
                "drop": counts.drop(step),
            }
            for step, name in enumerate(SHOP.steps)
        ],
        "median_s": seconds(counts.median),
        "p90_s": seconds(counts.p90),
        "by_device": counts.by_device,
    }


def text(share: object | None) -> str | None:
    """As text, or nothing."""
    return None if share is None else str(share)


def seconds(took: timedelta | None) -> float | None:
    """As seconds, or nothing."""
    return None if took is None else took.total_seconds()
