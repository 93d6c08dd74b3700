"""`manage.py states`: the document of all states, written from the machines or compared with them."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from orders.machines import document


class Command(BaseCommand):
    """Reads no database."""

    help = "Writes docs/states.md from the machines; --check compares instead."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="exit status 1 where it differs")
        parser.add_argument("--file", type=Path, default=settings.BASE_DIR / "docs" / "states.md")

    def handle(self, *args: Any, **options: Any) -> None:
        file: Path = options["file"]
        if not options["check"]:
            file.write_text(document(), encoding="utf-8")
        elif not file.exists() or file.read_text(encoding="utf-8") != document():
            raise CommandError(f"{file.name} is not what the code says: make states")
