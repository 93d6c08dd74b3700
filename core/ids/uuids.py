"""UUIDs of version 7 (RFC 9562): ids of events and requests that sort by time. Not secrets."""

import os
import secrets
import threading
import time
from uuid import UUID

_RANDOM_BITS = 74
_VERSION = 7 << 76
_VARIANT = 2 << 62


class _Source:
    """48 bits of Unix milliseconds and 74 random ones, read as one number that only grows."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def next(self) -> UUID:
        ms = time.time_ns() // 1_000_000
        with self._lock:
            if ms > self._last >> _RANDOM_BITS:
                # The top bit stays free, so that counting up in this millisecond has room.
                self._last = ms << _RANDOM_BITS | secrets.randbits(_RANDOM_BITS - 1)
            else:
                self._last += 1 + secrets.randbits(32)
            return uuid7_of(self._last)


def uuid7_of(ordered: int) -> UUID:
    """The UUID of 122 bits: version and variant go between them, their order stays."""
    high, low = ordered >> 62, ordered & ((1 << 62) - 1)
    return UUID(int=(high >> 12) << 80 | _VERSION | (high & 0xFFF) << 64 | _VARIANT | low)


def ordered_of(uuid: UUID) -> int:
    """The 122 bits of a UUID without version and variant: the inverse of `uuid7_of`."""
    return (uuid.int >> 80) << 74 | (uuid.int >> 64 & 0xFFF) << 62 | uuid.int & ((1 << 62) - 1)


def uuid7() -> UUID:
    """A new UUIDv7, above all that this process has made before, whatever its clock does."""
    return _source.next()


def _start_anew() -> None:
    global _source
    _source = _Source()


_source = _Source()
# A child neither waits for a lock that its parent's thread held nor counts on from its number.
os.register_at_fork(after_in_child=_start_anew)
