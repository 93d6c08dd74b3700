"""`manage.py replay DIR`: real orders of a real marketplace, from cart to their final state."""

import fcntl
import json
import time
from argparse import ArgumentTypeError
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import CommandError, call_command
from django.core.management.base import BaseCommand, CommandParser

from core.management.commands.migrate import fully_migrated
from core.management.commands.up import StopRequests
from core.management.embedded import make_private
from orders.management.replay.drive import PATIENCE_SECONDS, PAUSE_SECONDS, Drive
from orders.management.replay.look import parked_streams, undelivered_events
from orders.management.replay.processes import Processes
from orders.management.replay.read import BrokenInput, Marketplace, Order, read
from orders.management.replay.report import Report, as_json, as_text, outcomes
from orders.management.replay.shop import set_up

SAY_SECONDS = 5
STOPPED_STATUS = 130


class Command(BaseCommand):
    """Exit status 1 where an order missed its state or a sum differs. Progress goes to stderr."""

    requests: StopRequests
    processes: Processes
    progress: Callable[[], str]

    help = "Drives the orders of Olist's marketplace data through the shop. May be run again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", metavar="DIR", type=Path, help="where the CSV files lie")
        parser.add_argument("--limit", type=positive, help="only the first N orders with items")
        parser.add_argument("--json", action="store_true", help="the table as JSON")

    def handle(self, *, folder: Path, limit: int | None, **options: Any) -> None:
        self.began_at, self.said_at = time.monotonic(), 0.0
        try:
            data = read(folder)
        except BrokenInput as error:
            raise CommandError(f"Nothing was changed. {error}") from error
        with only_one_here(), StopRequests() as self.requests:
            if not fully_migrated():
                call_command("migrate", verbosity=0)
            with Processes(say=self.say, hurried=lambda: self.requests.count > 1) as self.processes:
                report = self.replay(data, data.with_items(limit))
        if options["json"]:
            self.stdout.write(json.dumps(as_json(report), indent=2))
        else:
            self.stdout.write("\n".join(as_text(report)))
        if not report.is_level:
            raise CommandError("The replay differs from the data.", returncode=1)

    def replay(self, data: Marketplace, orders: Sequence[Order]) -> Report:
        self.progress = lambda: "setting up"
        shop = set_up(data, orders, pulse=self.pulse)
        self.processes.wait_until_ready(pulse=self.pulse)
        drive = Drive(orders, shop, pulse=self.pulse)
        self.progress = drive.counts
        drive.run()
        self.progress = lambda: f"{undelivered_events()} events to deliver"
        undelivered = self.wait_for_outbox()
        return Report(
            data=data,
            outcomes=outcomes(drive.journeys),
            driven=sum(journey.is_driven for journey in drive.journeys),
            seconds=time.monotonic() - self.began_at,
            undelivered_events=undelivered,
            parked_streams=parked_streams(),
        )

    def wait_for_outbox(self) -> int:
        """Until every event is delivered; answers how many are not where that does not move."""
        count, moved_at = undelivered_events(), time.monotonic()
        while count and time.monotonic() < moved_at + PATIENCE_SECONDS:
            self.pulse()
            time.sleep(PAUSE_SECONDS)
            before, count = count, undelivered_events()
            if count != before:
                moved_at = time.monotonic()
        return count

    def pulse(self) -> None:
        """Between two steps: ends the replay if that was asked for, tends the processes, tells."""
        if self.requests.count:
            raise CommandError("Stopped; run it again to go on.", returncode=STOPPED_STATUS)
        self.processes.tend()
        if time.monotonic() > self.said_at + SAY_SECONDS:
            self.said_at = time.monotonic()
            self.say(f"{self.said_at - self.began_at:4.0f} s: {self.progress()}")

    def say(self, line: str) -> None:
        self.stderr.write(line, style_func=str)
        self.stderr.flush()


def positive(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise ArgumentTypeError("a number from 1")
    return int(text)


@contextmanager
def only_one_here() -> Iterator[None]:
    make_private(settings.STATE_DIR)
    with (settings.STATE_DIR / "replay.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CommandError(f"A replay runs already, on {settings.STATE_DIR}.") from None
        yield
