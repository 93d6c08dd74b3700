"""`manage.py monitor [--json | --runbook | --repair CODE]`: what may not stay as it is."""

import json
from collections.abc import Iterable
from datetime import timedelta
from string import ascii_letters
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core import monitor
from core.monitor import Condition, Reading


class Command(BaseCommand):
    """Exit status 0: all is calm; 1: something is to be seen to; 2: at once."""

    help = "Reads all conditions of the monitor; exit status 1 for a warning, 2 for a page."

    def add_arguments(self, parser: CommandParser) -> None:
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--json", action="store_true", help="the result as JSON")
        what.add_argument("--repair", metavar="CODE", help="mend what this condition finds")
        what.add_argument("--runbook", action="store_true", help="docs/monitor.md")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["runbook"]:
            self.stdout.write(runbook(in_order()), ending="")
            return
        if options["repair"]:
            self.repair(options["repair"])
        readings = monitor.look(in_order())
        if options["json"]:
            self.stdout.write(json.dumps([as_json(reading) for reading in readings], indent=2))
        else:
            for reading in readings:
                self.stdout.write(as_line(reading))
        worst = max(reading.level for reading in readings)
        if worst:
            raise CommandError(f"the worst is: {worst.name.lower()}", returncode=worst.value)

    def repair(self, code: str) -> None:
        condition = monitor.conditions.get(code)
        if condition is None or condition.repair is None:
            raise CommandError(f"{code} has no repair: see --runbook", returncode=1)
        [reading] = monitor.look([condition])
        done = monitor.repair(reading)
        self.stdout.write(f"{code}: {done} of {len(reading.subjects)} worked on")


def in_order() -> list[Condition]:
    """All conditions: S2 before S10."""

    def place(condition: Condition) -> tuple[int, str]:
        return int(condition.code.strip(ascii_letters)), condition.code

    return sorted(monitor.conditions.values(), key=place)


def as_line(reading: Reading) -> str:
    """One line for people, and the first rows that wait."""
    condition = reading.condition
    if reading.error:
        return f"{condition.code:4} {'unread':6} {condition.words}: {reading.error}"
    line = f"{condition.code:4} {reading.level.name.lower():6} {condition.words}"
    if not reading.count:
        return line
    age = timedelta(seconds=int(reading.age.total_seconds()))
    named = ", ".join(reading.subjects[:5])
    return f"{line}: {reading.count}, the oldest for {age} ({condition.owner}): {named}"


def as_json(reading: Reading) -> dict[str, Any]:
    """A reading for machines."""
    return {
        "code": reading.condition.code,
        "name": reading.condition.name,
        "owner": reading.condition.owner,
        "level": reading.level.name.lower(),
        "count": reading.count,
        "oldest": reading.oldest.isoformat() if reading.oldest else None,
        "age_seconds": int(reading.age.total_seconds()),
        "subjects": list(reading.subjects),
        "error": reading.error,
    }


def runbook(conditions: Iterable[Condition]) -> str:
    """`docs/monitor.md`: a table and a paragraph per condition."""
    head = (
        "# The monitor's runbook\n\nWritten by `manage.py monitor --runbook > docs/monitor.md`; the"
        " texts stand beside the conditions.\n\n"
        "| Code | What | Warned of after | Somebody is woken after | Whose | Repair |\n"
        "|---|---|---|---|---|---|\n"
    )
    rows, parts = [], []
    for condition in conditions:
        times = " of its intervals" if condition.times != "1" else ""
        ages = [duration(age, times) for age in (condition.warn_after, condition.page_after)]
        cells = [condition.code, condition.words, *ages, condition.owner, repair_word(condition)]
        rows.append(f"| {' | '.join(map(str, cells))} |\n")
        parts.append(f"\n## {condition.code}: {condition.words}\n\n{condition.runbook}\n")
    return head + "".join(rows + parts)


def duration(age: timedelta, times: str) -> str:
    """An age in one unit."""
    seconds = int(age.total_seconds())
    if times:
        return f"{seconds}{times}"
    for unit, size in (("h", 3600), ("min", 60), ("s", 1)):
        if seconds and seconds % size == 0:
            return f"{seconds // size} {unit}"
    return "at once"


def repair_word(condition: Condition) -> str:
    """Who mends it."""
    if condition.repair is None:
        return "a person"
    return "automatic" if condition.automatic else f"`--repair {condition.code}`"
