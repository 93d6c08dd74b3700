"""`manage.py audit --once`: reads every invariant, says what is broken."""

import json
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import F

from core import audit
from core.models import OutboxStream

QUIET_WITHIN_SECONDS = 60


class Command(BaseCommand):
    """Exit status 1 on any violation."""

    help = "Reads all invariants in one snapshot; exit status 1 on any violation."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", required=True)
        parser.add_argument("--json", action="store_true", help="the result as JSON")
        parser.add_argument("--final", action="store_true", help="no grace: the system is at rest")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["final"]:
            wait_for_quiet()
        violations = audit.run(final=options["final"])
        if options["json"]:
            self.stdout.write(json.dumps(as_json(violations), default=str, indent=2))
        else:
            for violation in violations:
                self.stdout.write(
                    f"{violation.view.code} {violation.view.must_hold}: {violation.count}"
                )
                for row in violation.rows:
                    self.stdout.write(f"    {row}")
            self.stdout.write(f"{len(audit.views)} invariants read, {len(violations)} broken")
        if violations:
            raise CommandError("the books do not hold", returncode=1)


def wait_for_quiet() -> None:
    """Returns when the outbox has come to rest, at the latest after a minute."""
    give_up_at = time.monotonic() + QUIET_WITHIN_SECONDS
    waiting = OutboxStream.objects.filter(last_seq__gt=F("delivered_seq"), parked=False)
    while waiting.exists() and time.monotonic() < give_up_at:
        time.sleep(0.1)


def as_json(violations: list[audit.Violation]) -> dict[str, Any]:
    """The result for machines: how many were read, and each broken one with its first rows."""
    return {
        "invariants": len(audit.views),
        "violations": [
            {
                "code": violation.view.code,
                "name": violation.view.name,
                "must_hold": violation.view.must_hold,
                "count": violation.count,
                "rows": violation.rows,
            }
            for violation in violations
        ],
    }
