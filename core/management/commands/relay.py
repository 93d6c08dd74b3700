"""`manage.py relay`: delivers the outbox until it is told to stop, and keeps vital clocks going."""

import signal
import time
from typing import Any

from django.core.management.base import BaseCommand
from django.db import InterfaceError, OperationalError, connection

from core import relay
from core.heartbeats import beat, silent_hearts
from core.sweep import vital_clocks
from core.tasks import hand_over, hand_over_patiently

IDLE_SECONDS = 0.02
HEARTBEAT_SECONDS = 2.0
PAUSE_AFTER_LOSS_SECONDS = 0.5


def stand_in_for_beat() -> None:
    """Runs the vital clocks while beat, or who carries its word, gives no sign of life."""
    if "beat" in silent_hearts():
        for clock in vital_clocks:
            clock.run_if_due()


class Command(BaseCommand):
    """One relay is enough, two are safe; each claims streams that the other has not."""

    help = "Delivers the outbox to local consumers and hands external streams to the workers."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stopping = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.stop)
        last_beat = 0.0
        while not self.stopping:
            try:
                if time.monotonic() - last_beat > HEARTBEAT_SECONDS:
                    beat(name="relay")
                    stand_in_for_beat()
                    last_beat = time.monotonic()
                if not relay.deliver(hand_over, patient=hand_over_patiently):
                    time.sleep(IDLE_SECONDS)
            except (OperationalError, InterfaceError) as error:
                self.stderr.write(f"database away, trying again: {error}")
                connection.close()
                time.sleep(PAUSE_AFTER_LOSS_SECONDS)

    def stop(self, number: int, frame: object) -> None:
        """Ends after the round that is running."""
        self.stopping = True
