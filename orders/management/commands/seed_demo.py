"""Furnish the demo: people, merchants, goods with pictures, and a past of some weeks."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from core import clock
from orders.management.demo.past import WEEKS, live_past, suspend_one
from orders.management.demo.people import plant_people
from orders.management.demo.stalls import hang_pictures, open_market, plant_categories
from orders.management.demo.taxes import plant_taxes
from orders.management.demo.vouchers import print_vouchers


class Command(BaseCommand):
    """Interrupted, it is finished by the next; finished, the next changes nothing."""

    help = "Furnish the demo; what is there already stays as it is."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--goods-only", action="store_true", help="no pictures and no past: people and goods"
        )

    def handle(self, *, goods_only: bool, **options: Any) -> None:
        if not settings.DEMO:
            raise CommandError("demo users and goods are made on a demo only")
        with connection.cursor() as cursor:  # what a power cut loses, the next seed makes anew
            cursor.execute("SET synchronous_commit = off")
        if not goods_only:
            clock.begin_earlier(WEEKS)
        plant_people()
        plant_categories()
        plant_taxes()
        open_market()
        print_vouchers()
        if not goods_only:
            hang_pictures()
            if clock.behind():
                live_past()
        suspend_one()
