"""`manage.py outbox list | retry ID | skip ID --reason …`: streams that stand still."""

from getpass import getuser
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.errors import DomainError
from core.intervene import stream_retry, stream_skip
from core.models import OutboxStream


class Command(BaseCommand):
    """A stream is parked after 12 failures; only its own events wait."""

    help = "Lists streams that fail, delivers one again, or gives up its first event."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        actions.add_parser("list")
        for name in ("retry", "skip"):
            action = actions.add_parser(name)
            action.add_argument("stream_id", type=int)
            action.add_argument("--reason", required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        if options["action"] == "list":
            self.show()
            return
        do = stream_retry if options["action"] == "retry" else stream_skip
        try:
            stream = do(
                stream_id=options["stream_id"],
                reason=options["reason"],
                actor=f"staff:{getuser()}",
            )
        except DomainError as refusal:
            raise CommandError(str(refusal.message)) from refusal
        self.stdout.write(f"{stream}: {options['action']}")

    def show(self) -> None:
        """One line per stream that has failed and not yet gone on."""
        for stream in OutboxStream.objects.filter(attempts__gt=0).order_by("available_at"):
            state = "parked" if stream.parked else f"again at {stream.available_at:%H:%M:%S}"
            self.stdout.write(
                f"{stream.pk} {stream}: event {stream.delivered_seq + 1} of {stream.last_seq},"
                f" {stream.attempts} failures, {state}: {stream.last_error}"
            )
