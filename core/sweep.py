"""What the clocks do: a service for each row that is due, or for many; and who stands in for them."""

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Clock:
    """Work that a relay does itself, every so many seconds, while beat gives no sign of life."""

    run: Callable[[], object]
    every_seconds: float
    last_run: float = 0.0

    def run_if_due(self) -> None:
        """A failure is logged: it must not end the relay, whose own work it is not."""
        if time.monotonic() - self.last_run < self.every_seconds:
            return
        try:
            self.run()
        except Exception:
            logger.exception("%s failed", self.run)
        self.last_run = time.monotonic()


vital_clocks: list[Clock] = []


def vital(run: Callable[[], object], *, every_seconds: float) -> None:
    """Registers a clock that must go on without beat, broker and workers."""
    vital_clocks.append(Clock(run, every_seconds))


def sweep(ids: Iterable[int], service: Callable[[int], object]) -> int:
    """Calls the service for each id; answers how many times it answered something true.

    A row that fails is logged and left to the next scan; it never stops the others.
    """
    done = 0
    for id_ in ids:
        try:
            done += bool(service(id_))
        except Exception:
            logger.exception("%s failed", id_)
    return done


def sweep_in_halves(
    ids: Sequence[int], service: Callable[[Sequence[int]], int], *, ends_at: float
) -> int:
    """Calls the service, which does all or nothing, for all ids at once; answers its count.

    Where it fails it is called for each half, down to the one row that can't be done: that is
    logged and left to the next scan, and so is what is left at `ends_at` (`time.monotonic()`).
    """
    if not ids:
        return 0
    try:
        return service(ids)
    except Exception:
        if len(ids) == 1:
            logger.exception("%s failed", ids[0])
            return 0
        if time.monotonic() >= ends_at:
            logger.exception("%s to %s failed, and no time is left to halve", ids[0], ids[-1])
            return 0
    middle = len(ids) // 2
    done = sweep_in_halves(ids[:middle], service, ends_at=ends_at)
    if time.monotonic() < ends_at:
        done += sweep_in_halves(ids[middle:], service, ends_at=ends_at)
    return done
