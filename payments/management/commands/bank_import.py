"""`manage.py bank_import FILE`: takes a statement of the bank in, all of it or nothing."""

from getpass import getuser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.actors import Actor, Role
from core.errors import DomainError
from payments.services.bank_import import statement_import


class Command(BaseCommand):
    """The same file twice is quiet; its lines are matched by the relay."""

    help = "Imports a bank statement: CSV with our header, or CAMT.053."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        try:
            content = path.read_bytes()
        except OSError as error:
            raise CommandError(f"{path}: {error.strerror}") from error
        try:
            imported = statement_import(
                name=path.name, content=content, actor=Actor(Role.STAFF, getuser())
            )
        except DomainError as refusal:
            raise CommandError(str(refusal.message)) from refusal
        self.stdout.write(f"{imported.new} new lines, {imported.known} known")
