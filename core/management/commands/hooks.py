"""`manage.py hooks list | replay --reason … [--since --state --id]`: notifications from outside."""

from argparse import ArgumentTypeError
from datetime import UTC, datetime
from getpass import getuser
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import QuerySet

from core.errors import DomainError
from core.intervene import hook_replay
from core.models import Hook

# Where nobody says which: those that somebody has to look at.
TO_LOOK_AT = (Hook.State.REVIEW, Hook.State.UNMATCHED)


class Command(BaseCommand):
    """Replaying is safe: what a notification says is kept once, however often it is taken in."""

    help = "Lists notifications from channels and carriers, or has them processed once more."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        for name in ("list", "replay"):
            action = actions.add_parser(name)
            action.add_argument("--since", type=moment, help="received then or later, ISO 8601")
            action.add_argument(
                "--state",
                action="append",
                choices=Hook.State.values,
                help="may be given more than once; review and unmatched where none is given",
            )
            action.add_argument("--id", type=int, action="append", help="these alone, in any state")
        action.add_argument("--reason", required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        hooks = chosen(options["since"], options["state"], options["id"])
        if options["action"] == "list":
            self.show(hooks)
            return
        if not options["since"] and not options["id"]:
            raise CommandError("Say which: --since or --id.")
        self.replay(list(hooks.values_list("pk", flat=True)), options["reason"])

    def show(self, hooks: QuerySet[Hook]) -> None:
        """One line for each; its body is not shown."""
        for hook in hooks.defer("payload").iterator():
            self.stdout.write(
                f"{hook.pk} {hook.received_at:%Y-%m-%d %H:%M:%S} {hook} {hook.state} {hook.note}"
            )

    def replay(self, hook_ids: list[int], reason: str) -> None:
        """One after the other; one that is refused stops none of the others."""
        refused = 0
        for hook_id in hook_ids:
            try:
                hook_replay(hook_id=hook_id, reason=reason, actor=f"staff:{getuser()}")
            except DomainError as refusal:
                if refusal.code == "stream.reason_missing":
                    raise CommandError(str(refusal.message)) from refusal
                refused += 1
                self.stderr.write(f"{hook_id}: {refusal.message}")
        self.stdout.write(f"{len(hook_ids) - refused} are processed again")


def chosen(
    since: datetime | None, states: list[str] | None, hook_ids: list[int] | None
) -> QuerySet[Hook]:
    """The notifications that are asked for, in the order in which they came."""
    hooks = Hook.objects.order_by("received_at", "pk")
    if since:
        hooks = hooks.filter(received_at__gte=since)
    if hook_ids:
        hooks = hooks.filter(pk__in=hook_ids)
    if states or not hook_ids:
        hooks = hooks.filter(state__in=states or TO_LOOK_AT)
    return hooks


def moment(text: str) -> datetime:
    """An ISO 8601 time; UTC where it names no offset."""
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text} is no ISO 8601 time") from None
    return given if given.tzinfo else given.replace(tzinfo=UTC)
