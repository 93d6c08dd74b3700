"""Run the shop: database, web, worker, beat, relay and, with --demo, users and sandboxes."""

import fcntl
import os
import signal
import socket
import time
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Self

import httpx
from django.conf import settings
from django.core.management import CommandError, call_command
from django.core.management.base import BaseCommand
from django.db import connection

from core.management.children import sandbox_children, shop_children, simulator
from core.management.logins import known_logins, known_totp_secrets, logins_file
from core.management.supervisor import Child, Supervisor
from core.models import Heartbeat

STANDARD_INPUT = 0
# What a demo shows beside the shop.
PLACES = (
    ("merchants", "/merchant/"),
    ("platform", "/platform/"),
    ("API", "/api/v1/docs"),
    ("mailbox", "/demo/mailbox/"),
)
TEND_SECONDS = 0.2
ASK_SECONDS = 0.5
READY_SECONDS = 60
# The children of a killed supervisor are still leaving their ports.
PORT_SECONDS = 8


class Command(BaseCommand):
    help = "Run the shop until Ctrl-C: web, worker, beat, relay; with --demo users and sandboxes."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--demo", action="store_true", help="demo users and sandboxes too")
        # Both are read by manage.py, before the settings are.
        parser.add_argument("--port", type=int, help="of the web; the sandboxes take the next two")
        parser.add_argument("--state-dir", help="where everything that is kept lies (default: var)")
        parser.add_argument(
            "--simulate",
            type=float,
            metavar="RATE",
            help="with --demo: simulated shoppers who place so many orders a minute",
        )

    def handle(self, *, demo: bool, simulate: float | None, **options: Any) -> None:
        began_at = time.monotonic()
        if simulate and not demo:
            raise CommandError("only a demo is simulated: give --demo too")
        children = shop_children() + (sandbox_children() if demo else [])
        children += [simulator(simulate)] if simulate else []
        with only_one_here():
            wait_for_ports(range(settings.PORT, settings.PORT + (3 if demo else 1)))
            self.prepare_database(demo=demo)
            with StopRequests() as requests:
                self.run(children, requests, demo=demo, began_at=began_at)

    def prepare_database(self, *, demo: bool) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 0")
        call_command("migrate", verbosity=0)
        if demo:
            call_command("seed_demo")
        # What an earlier run wrote says nothing about this one.
        Heartbeat.objects.all().delete()
        connection.close()

    def run(
        self, children: list[Child], requests: "StopRequests", *, demo: bool, began_at: float
    ) -> None:
        supervisor = Supervisor(
            children,
            log_dir=settings.STATE_DIR / "logs",
            working_dir=settings.BASE_DIR,
            say=self.say,
        )
        try:
            supervisor.start()
            if self.gets_ready(supervisor, requests):
                self.announce(time.monotonic() - began_at, demo=demo)
            while not requests.made():
                supervisor.tend()
                time.sleep(TEND_SECONDS)
        finally:
            self.say("Stopping …")
            supervisor.stop(hurried=lambda: requests.count > 1)
            self.say("Stopped.")

    def gets_ready(self, supervisor: Supervisor, requests: "StopRequests") -> bool:
        """False where it is to stop before, or where it takes so long that this is said."""
        give_up_at = time.monotonic() + READY_SECONDS
        while reasons := missing():
            if requests.made():
                return False
            if time.monotonic() > give_up_at:
                self.say(f"Not ready: {reasons}. The logs are in {settings.STATE_DIR / 'logs'}.")
                return False
            supervisor.tend()
            time.sleep(ASK_SECONDS)
        return True

    def announce(self, seconds: float, *, demo: bool) -> None:
        self.say(f"Ready after {seconds:.1f} s: {settings.PUBLIC_URL}")
        if demo:
            for name, path in PLACES:
                self.say(f"  {name:<16} {settings.PUBLIC_URL}{path}")
            self.say(f"  {'payment sandbox':<16} {settings.SANDBOX_PAYMENT_URL}")
            self.say(f"  {'carrier sandbox':<16} {settings.SANDBOX_CARRIER_URL}")
        if logins := known_logins(settings.STATE_DIR):
            self.say(f"Logins, kept in {logins_file(settings.STATE_DIR)}:")
            for email, password in logins.items():
                self.say(f"  {email}  {password}")
        for email in known_totp_secrets(settings.STATE_DIR):
            self.say(f"  {email} needs a one-time code too: manage.py totp {email}")
        self.say("Ctrl-C stops everything.")

    def say(self, line: str) -> None:
        # A terminal that was closed must not keep anything from being stopped.
        with suppress(OSError):
            self.stdout.write(line)
            self.stdout.flush()


class StopRequests:
    """Counts INT, TERM and HUP, also where the shell that began this had them ignored.

    A terminal that is closed counts too: its HUP goes to the session's leader, and a `make` that
    leads one keeps it to itself.
    """

    SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __init__(self) -> None:
        self.count = 0
        self._had_terminal = os.isatty(STANDARD_INPUT)

    def made(self) -> bool:
        return self.count > 0 or (self._had_terminal and not os.isatty(STANDARD_INPUT))

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._note) for number in self.SIGNALS}
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: object) -> None:
        self.count += 1


def missing() -> str:
    """What /readyz still misses; empty once it is ready."""
    try:
        answer = httpx.get(f"http://127.0.0.1:{settings.PORT}/readyz", timeout=5)
    except httpx.HTTPError:
        return "web does not answer"
    return "" if answer.is_success else answer.text


@contextmanager
def only_one_here() -> Iterator[None]:
    with (settings.STATE_DIR / "up.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CommandError(f"it runs already, on {settings.STATE_DIR}") from None
        yield


def wait_for_ports(ports: Iterable[int]) -> None:
    give_up_at = time.monotonic() + PORT_SECONDS
    for port in ports:
        while not is_free(port):
            if time.monotonic() > give_up_at:
                raise CommandError(f"port {port} is taken: choose another with --port")
            time.sleep(TEND_SECONDS)


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
