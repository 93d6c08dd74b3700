"""Keeps a demo alive: shoppers come to its pages, its merchants ship, its carrier brings."""

import random
import time
from argparse import ArgumentParser, ArgumentTypeError
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from orders.management.simulate.sellers import Sellers
from orders.management.simulate.shoppers import Habits, Shopper, Street

MOST_AT_ONCE = 32
TICK_SECONDS = 0.5
SAY_SECONDS = 60


def rate(text: str) -> float:
    """More than nothing, and no more than 32 shoppers with their pauses can do."""
    value = float(text)
    if not 0 < value <= 120:
        raise ArgumentTypeError("more than 0 and at most 120")
    return value


class Command(BaseCommand):
    """Threads only browse; all that needs the database is done here."""

    help = "Buy, pay, fail, abandon and ship on a running demo, until Ctrl-C."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--rate", type=rate, required=True, help="orders placed per minute")
        parser.add_argument("--minutes", type=float, help="stop after these")
        parser.add_argument("--seed", type=int, help="for the same dice again")

    def handle(
        self, *, rate: float, minutes: float | None, seed: int | None, **options: Any
    ) -> None:
        if not settings.DEMO:
            raise CommandError("nobody shall buy by dice where it costs money")
        dice = random.Random(seed)  # noqa: S311 a play, no secret
        sellers, habits = Sellers(dice), Habits()
        ends_at = time.monotonic() + minutes * 60 if minutes else float("inf")
        per_second = rate / habits.places / 60
        next_comes_at, say_at = time.monotonic(), time.monotonic() + SAY_SECONDS
        visits: list[Future[str]] = []
        street = Street(f"http://127.0.0.1:{settings.PORT}", settings.SANDBOX_PAYMENT_URL)
        with ThreadPoolExecutor(MOST_AT_ONCE) as doors, closing_time(street):
            while time.monotonic() < ends_at:
                if time.monotonic() >= next_comes_at and not is_full(visits):
                    visits.append(doors.submit(shopper(street, dice, habits).visit))
                    next_comes_at += dice.expovariate(per_second)
                sellers.act()
                if time.monotonic() >= say_at:
                    visits = self.say(visits, sellers)
                    say_at += SAY_SECONDS
                time.sleep(min(TICK_SECONDS, 1 / per_second))
        self.say(visits, sellers)

    def say(self, visits: list[Future[str]], sellers: Sellers) -> list[Future[str]]:
        """Counts the visits that have ended since the last time; answers the others."""
        ended = Counter(visit.result() for visit in visits if visit.done())
        for who, counted in (("shoppers", ended), ("merchants", sellers.done)):
            words = ", ".join(f"{number} {word}" for word, number in counted.most_common())
            self.stdout.write(f"{who}: {words or 'nothing yet'}")
        self.stdout.flush()
        sellers.done.clear()
        return [visit for visit in visits if not visit.done()]


@contextmanager
def closing_time(street: Street) -> Iterator[None]:
    """However it ends, nobody has to be waited for."""
    try:
        yield
    finally:
        street.closing.set()


def shopper(street: Street, dice: random.Random, habits: Habits) -> Shopper:
    """Somebody new, with dice of their own: threads share none."""
    return Shopper(street, random.Random(dice.getrandbits(64)), habits)  # noqa: S311 as above


def is_full(visits: list[Future[str]]) -> bool:
    return sum(not visit.done() for visit in visits) >= MOST_AT_ONCE
