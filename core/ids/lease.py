"""The right of one process to issue ids: a row of `core_idlease`, and who keeps it.

The row's high water is a promise: its holder issues nothing above it, the next holder nothing at or
below it. So no two processes issue the same id, whatever clocks, pauses and crashes do. The times
to live only decide when a node number may be used again.
"""

import atexit
import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, Self
from uuid import uuid4

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections

from core.ids.snowflake import (
    BACK_LIMIT_MS,
    EPOCH_MS,
    NODES,
    AheadOfClock,
    CeilingReached,
    Generator,
    IdsUnavailable,
)

logger = logging.getLogger(__name__)

TTL_SECONDS = 60
RENEW_SECONDS = 20
RETRY_SECONDS = 2
STALE_SECONDS = 45
# How far above the clock the high water is put. More than STALE_SECONDS and what a generator may
# run ahead, so a holder meets it only when its clock jumps.
RESERVE_MS = 60_000
# A gene that is 1 s ahead of the clock waits for it, in small steps.
WAIT_SECONDS = 0.005
WAITS = 400

FILL = """
    INSERT INTO core_idlease (node_id, holder, high_water_ms)
    SELECT node_id, '', 0 FROM generate_series(0, %(last)s) AS node_id
    ON CONFLICT DO NOTHING
"""
# MATERIALIZED, or a nested loop may run the subquery again and lock a second row.
# Equal high waters are drawn by lot: after a table was emptied, nobody runs into a number that a
# process still uses until it notices.
TAKE = """
    WITH free AS MATERIALIZED (
        SELECT node_id, high_water_ms FROM core_idlease
        WHERE (expires_at IS NULL OR expires_at < clock_timestamp())
          AND high_water_ms < %(latest_ms)s
        ORDER BY high_water_ms, random()
        LIMIT 1
        FOR UPDATE SKIP LOCKED
    )
    UPDATE core_idlease AS lease
    SET holder = %(holder)s,
        expires_at = clock_timestamp() + make_interval(secs => %(ttl)s),
        high_water_ms = greatest(free.high_water_ms, %(ceiling_ms)s)
    FROM free WHERE lease.node_id = free.node_id
    RETURNING lease.node_id, free.high_water_ms, lease.high_water_ms
"""
RENEW = """
    UPDATE core_idlease
    SET expires_at = clock_timestamp() + make_interval(secs => %(ttl)s),
        high_water_ms = greatest(high_water_ms, %(ceiling_ms)s)
    WHERE node_id = %(node)s AND holder = %(holder)s
    RETURNING high_water_ms
"""
RELEASE = """
    UPDATE core_idlease
    SET holder = '', expires_at = NULL, high_water_ms = %(high_water_ms)s
    WHERE node_id = %(node)s AND holder = %(holder)s
"""


class LeaseLost(IdsUnavailable):
    """This process holds no lease that is fresh, and the database gave it none."""


class NoLeaseFree(IdsUnavailable):
    """Every node number is held, or was last used by a clock more than 5 s ahead of this one."""


def machine_ms() -> int:
    """Milliseconds since 2026-01-01 by this machine's clock."""
    return time.time_ns() // 1_000_000 - EPOCH_MS


def connect() -> "psycopg.Connection[Any]":
    """A short connection of its own: a lease never hangs on a caller's transaction."""
    parameters = connections[DEFAULT_DB_ALIAS].get_connection_params()
    return psycopg.connect(**{"connect_timeout": 5, **parameters, "autocommit": True})


class Lease:
    """One held row of `core_idlease` and the generator of its node. Made by `take`."""

    def __init__(self, *, node: int, holder: str, generator: Generator, renewed_at: float) -> None:
        self.node = node
        self.holder = holder
        self.generator = generator
        self.renewed_at = renewed_at

    @classmethod
    def take(
        cls, connection: "psycopg.Connection[Any]", *, clock: Callable[[], int], above_ms: int = -1
    ) -> Self:
        """Takes the free row with the lowest high water, filling in rows that are missing.

        The ids lie above that high water and above `above_ms`. Raises NoLeaseFree.
        """
        renewed_at, now_ms = time.monotonic(), clock()
        holder = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex}"
        values = {
            "holder": holder,
            "latest_ms": now_ms + BACK_LIMIT_MS,
            "ceiling_ms": now_ms + RESERVE_MS,
            "ttl": TTL_SECONDS,
        }
        row = connection.execute(TAKE, values).fetchone()
        if row is None:
            connection.execute(FILL, {"last": NODES - 1})
            row = connection.execute(TAKE, values).fetchone()
        if row is None:
            raise NoLeaseFree(NoLeaseFree.__doc__)
        node, high_water_ms, ceiling_ms = row
        generator = Generator(
            node=node,
            clock=clock,
            above_ms=max(high_water_ms, above_ms),
            ceiling_ms=ceiling_ms,
        )
        return cls(node=node, holder=holder, generator=generator, renewed_at=renewed_at)

    def renew(self, connection: "psycopg.Connection[Any]") -> bool:
        """Puts expiry and high water further out; False when another process has the row."""
        renewed_at = time.monotonic()
        values = {
            "node": self.node,
            "holder": self.holder,
            "ceiling_ms": self.generator.clock() + RESERVE_MS,
            "ttl": TTL_SECONDS,
        }
        row = connection.execute(RENEW, values).fetchone()
        if row is None:
            return False
        self.generator.raise_ceiling(row[0])
        self.renewed_at = renewed_at
        return True

    def release(self, connection: "psycopg.Connection[Any]") -> None:
        """Ends issuing and gives the row back with the real high water, free for the next at once."""
        values = {
            "node": self.node,
            "holder": self.holder,
            "high_water_ms": self.generator.close(),
        }
        connection.execute(RELEASE, values)


class Issuer:
    """Issues the ids of one process: takes its lease when first asked, then keeps it renewed."""

    def __init__(
        self,
        *,
        connect: "Callable[[], psycopg.Connection[Any]]" = connect,
        clock: Callable[[], int] = machine_ms,
    ) -> None:
        self._connect = connect
        self._clock = clock
        self._lease: Lease | None = None
        self._issued_up_to_ms = -1
        self._changing = threading.Lock()
        self._keeper: threading.Thread | None = None
        self._leaving = threading.Event()

    def new_id(self, gene: int) -> int:
        """The next id of this gene. Raises IdsUnavailable; touches the database only for the lease."""
        lease = self._lease
        if lease is None or time.monotonic() - lease.renewed_at > STALE_SECONDS:
            lease = self.secure()
        try:
            return lease.generator.new_id(gene)
        except CeilingReached:
            return self.secure().generator.new_id(gene)

    def secure(self) -> Lease:
        """Renews the lease, or takes another where there is none or it is lost.

        Raises LeaseLost where the database does not answer, NoLeaseFree.
        """
        asked_at = time.monotonic()
        with self._changing:
            if self._lease is not None and self._lease.renewed_at >= asked_at:
                return self._lease
            return self._renew_or_take()

    def _renew_or_take(self) -> Lease:
        try:
            with self._connect() as connection:
                self._lease = self._renewed_or_taken(connection)
        except psycopg.Error as error:
            raise LeaseLost(f"{LeaseLost.__doc__} {error}") from error
        self._keep_renewing()
        return self._lease

    def _renewed_or_taken(self, connection: "psycopg.Connection[Any]") -> Lease:
        if self._lease is not None:
            if self._lease.renew(connection):
                return self._lease
            logger.warning("the lease on node %s of ids was lost", self._lease.node)
            self._issued_up_to_ms = self._lease.generator.close()
            self._lease = None
        return Lease.take(connection, clock=self._clock, above_ms=self._issued_up_to_ms)

    def _keep_renewing(self) -> None:
        if self._keeper is None or not self._keeper.is_alive():
            self._leaving = threading.Event()
            self._keeper = threading.Thread(
                target=self._renew_until, args=(self._leaving,), name="id-lease", daemon=True
            )
            self._keeper.start()

    def _renew_until(self, leaving: threading.Event) -> None:
        pause_seconds = RENEW_SECONDS
        while not leaving.wait(pause_seconds):
            try:
                with self._changing:
                    # Released while this waited for the lock: nothing is left to renew.
                    if not leaving.is_set():
                        self._renew_or_take()
                pause_seconds = RENEW_SECONDS
            except IdsUnavailable as error:
                logger.warning("the lease of ids was not renewed: %s", error)
                pause_seconds = RETRY_SECONDS

    def release(self) -> None:
        """Gives the lease back; the next id takes a new one. Quiet where the database is gone."""
        with self._changing:
            self._leaving.set()
            self._keeper = None
            lease, self._lease = self._lease, None
            if lease is None:
                return
            self._issued_up_to_ms = lease.generator.close()
            try:
                with self._connect() as connection:
                    lease.release(connection)
            except psycopg.Error as error:
                # It runs at exit, too, where the database and the log's streams may be gone.
                logger.debug("the lease of ids was left to expire: %s", error)


def new_id(gene: int) -> int:
    """A new id of this gene (0..4095), unique over all processes of this database.

    Waits while the gene is 1 s ahead of the clock (8 ids per millisecond), at most 2 s. Raises
    IdsUnavailable: AheadOfClock, ClockWentBack, LeaseLost, NoLeaseFree.
    """
    for _ in range(WAITS):
        try:
            return _issuer.new_id(gene)
        except AheadOfClock:
            time.sleep(WAIT_SECONDS)
    return _issuer.new_id(gene)


def release() -> None:
    """Gives this process's lease back, for processes that end without `atexit` handlers."""
    _issuer.release()


def _start_anew() -> None:
    global _issuer
    _issuer = Issuer()


_issuer = Issuer()
# A child takes a lease of its own and leaves its parent's alone.
os.register_at_fork(after_in_child=_start_anew)
atexit.register(release)
