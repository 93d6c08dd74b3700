"""The thread in which time acts: what is slow or late comes, what nobody pays is closed."""

import logging
import threading
import time

from .payments import Payments

log = logging.getLogger(__name__)


class Timer:
    def __init__(self, payments: Payments) -> None:
        self._payments = payments
        self._changed = threading.Event()

    def start(self) -> None:
        self._payments.book.subscribe(self._changed.set)
        threading.Thread(target=self._run, name="timer", daemon=True).start()

    def _run(self) -> None:
        while True:
            # Cleared before looking: what changes from here on is seen by the next round.
            self._changed.clear()
            try:
                pause_seconds = self._payments.settle_due()
            except Exception:
                log.exception("What is due could not be settled.")
                time.sleep(1)
                continue
            self._changed.wait(pause_seconds)
