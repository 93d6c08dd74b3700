"""`manage.py api_key create | revoke`: programs' ways in. The secret is printed once."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.actors import Actor, Role
from accounts.keys import MERCHANT_SCOPES, PLATFORM_SCOPES, api_key_create, api_key_revoke
from accounts.models import Merchant
from core.errors import DomainError


class Command(BaseCommand):
    """Only the digest is kept: a secret that is lost is replaced by another key."""

    help = "Makes or revokes an API key."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        create = actions.add_parser("create", help="prints the secret, once")
        owner = create.add_mutually_exclusive_group(required=True)
        owner.add_argument("--merchant", metavar="SLUG")
        owner.add_argument("--platform", action="store_true")
        create.add_argument("--name", required=True, help="what it is for")
        create.add_argument(
            "--scope",
            action="append",
            dest="scopes",
            choices=sorted(PLATFORM_SCOPES),
            help="may be given more than once; without it, all that such a key can have",
        )
        revoke = actions.add_parser("revoke", help="ends a key at once")
        revoke.add_argument("prefix", help="the letters between the first two underscores")
        for action in (create, revoke):
            action.add_argument("--actor", required=True, help="who does this")

    def handle(self, *args: Any, **options: Any) -> None:
        do = self.create if options["action"] == "create" else self.revoke
        try:
            do(options, Actor(Role.STAFF, options["actor"]))
        except DomainError as refusal:
            raise CommandError(str(refusal.message)) from refusal

    def create(self, options: dict[str, Any], actor: Actor) -> None:
        """Raises CommandError for a merchant that is not there."""
        merchant_id = None
        if options["merchant"]:
            merchant = Merchant.objects.filter(slug=options["merchant"]).first()
            if merchant is None:
                raise CommandError(f"There is no merchant {options['merchant']!r}.")
            merchant_id = merchant.pk
        every = PLATFORM_SCOPES if merchant_id is None else MERCHANT_SCOPES
        issued = api_key_create(
            merchant_id=merchant_id,
            name=options["name"],
            scopes=options["scopes"] or every,
            actor=actor,
        )
        self.stdout.write(issued.secret)

    def revoke(self, options: dict[str, Any], actor: Actor) -> None:
        """Quiet where it is revoked."""
        key = api_key_revoke(prefix=options["prefix"], actor=actor)
        self.stdout.write(f"{key}: revoked")
