"""What the clocks do: one service for each row that is due, each in a transaction of its own."""

import logging
from collections.abc import Callable, Iterable

logger = logging.getLogger(__name__)


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
