"""`manage.py totp EMAIL`: the one-time code of one of the demo's staff."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.totp import totp_code
from core.management.logins import known_totp_secrets


class Command(BaseCommand):
    """What an app on a phone would show."""

    help = "Print the present one-time code of a login of the demo."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")

    def handle(self, *, email: str, **options: Any) -> None:
        if not settings.DEMO:
            raise CommandError("codes are told on a demo only")
        secrets = known_totp_secrets(settings.STATE_DIR)
        if email not in secrets:
            raise CommandError(f"{email} has no one-time codes here")
        self.stdout.write(totp_code(secrets[email]))
