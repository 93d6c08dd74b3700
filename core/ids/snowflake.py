"""The 63 bits of an id, and the generator that counts them up. Pure: no Django, no database.

    40 bits milliseconds since 2026-01-01 | 8 bits node | 3 bits sequence | 12 bits gene

The node is a lease (`lease.py`), the gene the shard key of the row's owner. Ids sort by time.
"""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import NamedTuple

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
EPOCH_MS = int(EPOCH.timestamp() * 1000)

GENE_BITS = 12
SEQUENCE_BITS = 3
NODE_BITS = 8
MS_BITS = 40
GENE_MASK = (1 << GENE_BITS) - 1
SEQUENCE_MASK = (1 << SEQUENCE_BITS) - 1
NODES = 1 << NODE_BITS
SEQUENCE_SHIFT = GENE_BITS
NODE_SHIFT = SEQUENCE_SHIFT + SEQUENCE_BITS
MS_SHIFT = NODE_SHIFT + NODE_BITS
LAST_MS = (1 << MS_BITS) - 1
LAST_ID = (1 << (MS_SHIFT + MS_BITS)) - 1

# A busy gene may borrow this much of the future, and a clock may go back by that much.
AHEAD_LIMIT_MS = 1_000
BACK_LIMIT_MS = 5_000


class IdsUnavailable(RuntimeError):
    """No id can be issued without the risk of issuing it twice."""


class ClockWentBack(IdsUnavailable):
    """The machine's clock stands more than 5 s before a time that ids were issued for."""


class AheadOfClock(IdsUnavailable):
    """One gene has used every id up to 1 s ahead of the clock. A few milliseconds later it has more."""


class CeilingReached(IdsUnavailable):
    """The next id would lie above the high water that the lease has on record."""


class IdParts(NamedTuple):
    """What an id says of itself."""

    at: datetime
    node: int
    sequence: int
    gene: int


def gene(owner_id: int | str) -> int:
    """The shard key 0..4095 of an owner: a hash, because the low bits of ids are not even."""
    digest = blake2b(str(owner_id).encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") & GENE_MASK


def gene_of(id: int) -> int:
    """The shard key that an id carries."""
    return id & GENE_MASK


def ms_of(id: int) -> int:
    """Milliseconds since 2026-01-01 that an id carries."""
    return id >> MS_SHIFT


def compose(ms: int, node: int, sequence: int, gene: int) -> int:
    """The id of these parts; each must be within its bits."""
    return ms << MS_SHIFT | node << NODE_SHIFT | sequence << SEQUENCE_SHIFT | gene


def decode(id: int) -> IdParts:
    """The parts of an id. ValueError for a number that is no id."""
    if not 0 <= id <= LAST_ID:
        raise ValueError(f"{id} is outside the 63 bits of an id")
    return IdParts(
        at=EPOCH + timedelta(milliseconds=ms_of(id)),
        node=id >> NODE_SHIFT & (NODES - 1),
        sequence=id >> SEQUENCE_SHIFT & SEQUENCE_MASK,
        gene=id & GENE_MASK,
    )


class Generator:
    """Issues the ids of one node, strictly above `above_ms` and never above `ceiling_ms`.

    `clock` answers milliseconds since 2026-01-01. Each gene has 8 ids per millisecond and then
    goes on in the next one, at most 1 s ahead of the clock. It never sleeps: what it can't issue
    now it refuses (AheadOfClock, ClockWentBack, CeilingReached). Threads may share it.
    """

    def __init__(
        self,
        *,
        node: int,
        clock: Callable[[], int],
        above_ms: int = -1,
        ceiling_ms: int = LAST_MS,
    ) -> None:
        if not 0 <= node < NODES:
            raise ValueError(f"node {node} is outside 0..{NODES - 1}")
        self._node_part = node << NODE_SHIFT
        self.clock = clock
        self._latest_ms = above_ms + 1
        self._high_water_ms = above_ms
        self._ceiling_ms = min(ceiling_ms, LAST_MS)
        # Per gene the last (millisecond, sequence) issued, as one number: ms * 8 + sequence.
        self._ticks: dict[int, int] = {}
        self._lock = threading.Lock()

    def new_id(self, gene: int) -> int:
        """The next id of this gene (0..4095)."""
        if not 0 <= gene <= GENE_MASK:
            raise ValueError(f"gene {gene} is outside 0..{GENE_MASK}")
        with self._lock:
            now = self._now()
            tick = max(now << SEQUENCE_BITS, self._ticks.get(gene, -1) + 1)
            ms = tick >> SEQUENCE_BITS
            if ms - now > AHEAD_LIMIT_MS:
                raise AheadOfClock(f"gene {gene} is {ms - now} ms ahead of the clock")
            if ms > self._ceiling_ms:
                raise CeilingReached(f"{ms} is above the ceiling {self._ceiling_ms}")
            self._ticks[gene] = tick
            if ms > self._high_water_ms:
                self._high_water_ms = ms
            return ms << MS_SHIFT | self._node_part | (tick & SEQUENCE_MASK) << GENE_BITS | gene

    def _now(self) -> int:
        """The clock's reading, or its latest one while it stands a little before that."""
        now = self.clock()
        if now >= self._latest_ms:
            self._latest_ms = now
        elif self._latest_ms - now > BACK_LIMIT_MS:
            raise ClockWentBack(f"the clock went back by {self._latest_ms - now} ms")
        return self._latest_ms

    def raise_ceiling(self, ceiling_ms: int) -> None:
        """Allows ids up to that millisecond; a closed generator stays closed."""
        with self._lock:
            if self._ceiling_ms >= 0:
                self._ceiling_ms = min(ceiling_ms, LAST_MS)

    def close(self) -> int:
        """Ends issuing for good and answers the real high water in milliseconds."""
        with self._lock:
            self._ceiling_ms = -1
            return self._high_water_ms
