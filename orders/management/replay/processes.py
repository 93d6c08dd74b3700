"""The shop's processes for as long as a replay runs: those that answer already are left alone."""

import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from django.conf import settings
from django.core.management import CommandError
from django.db import DatabaseError

from core.management.children import sandbox_children, shop_children
from core.management.supervisor import Supervisor
from core.models import Heartbeat

READY_SECONDS = 60
ASK_SECONDS = 0.5


class Processes:
    """Starts what does not answer, keeps it running, and stops what it started."""

    def __init__(self, *, say: Callable[[str], None], hurried: Callable[[], bool]) -> None:
        if not (settings.SANDBOX_PAYMENT_SECRETS and settings.SANDBOX_CARRIER_SECRETS):
            raise CommandError("SANDBOX_PAYMENT_SECRETS and SANDBOX_CARRIER_SECRETS are not set.")
        self._hurried = hurried
        self._children = shop_children() + sandbox_children()
        self._supervisor = Supervisor(
            self._children,
            log_dir=settings.STATE_DIR / "logs",
            working_dir=settings.BASE_DIR,
            say=say,
        )

    def __enter__(self) -> Self:
        self._supervisor.start_missing()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        started = self._supervisor.running()
        self._supervisor.stop(hurried=self._hurried)
        # The next replay shall not take them for alive.
        with suppress(DatabaseError):
            Heartbeat.objects.filter(name__in=started).delete()

    def tend(self) -> None:
        """Starts again what has died. Returns at once."""
        self._supervisor.tend()

    def wait_until_ready(self, *, pulse: Callable[[], None]) -> None:
        """Raises CommandError where something does not answer for a minute."""
        give_up_at = time.monotonic() + READY_SECONDS
        while silent := self._silent():
            if time.monotonic() > give_up_at:
                logs = settings.STATE_DIR / "logs"
                raise CommandError(f"No answer from {', '.join(silent)}: see {logs}.")
            pulse()
            time.sleep(ASK_SECONDS)

    def _silent(self) -> list[str]:
        return [child.name for child in self._children if child.answers and not child.answers()]
