"""What the tests of the id lease share: the table seen from outside, a clock, a database switch."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from core import ids
from core.ids import Issuer
from core.ids.lease import FILL, connect

Connection = psycopg.Connection[Any]


class Clock:
    """A clock that stands still until told otherwise."""

    def __init__(self, ms: int = 10_000) -> None:
        self.ms = ms

    def __call__(self) -> int:
        return self.ms


@contextmanager
def lease_table() -> Iterator[Connection]:
    """The lease table from outside every transaction; all nodes free and never used."""
    ids.release()
    with connect() as outside:
        free_all(outside)
        yield outside
        ids.release()
        free_all(outside)


def free_all(outside: Connection) -> None:
    outside.execute(FILL, {"last": 255})
    outside.execute("UPDATE core_idlease SET holder = '', expires_at = NULL, high_water_ms = 0")


def occupy_all_but(outside: Connection, node: int) -> None:
    outside.execute(
        "UPDATE core_idlease SET holder = 'another', expires_at = 'infinity' WHERE node_id <> %s",
        [node],
    )


def expire(outside: Connection, node: int) -> None:
    outside.execute(
        "UPDATE core_idlease SET expires_at = clock_timestamp() - interval '1 second'"
        " WHERE node_id = %s",
        [node],
    )


def row_of(outside: Connection, node: int) -> tuple[str, bool, int]:
    """Holder, is held, high water."""
    row = outside.execute(
        "SELECT holder, coalesce(expires_at > clock_timestamp(), false), high_water_ms"
        " FROM core_idlease WHERE node_id = %s",
        [node],
    ).fetchone()
    assert row is not None
    holder, held, high_water_ms = row
    return holder, held, high_water_ms


def held_nodes(outside: Connection) -> int:
    row = outside.execute("SELECT count(*) FROM core_idlease WHERE holder <> ''").fetchone()
    assert row is not None
    return int(row[0])


def seconds_to_live(outside: Connection, node: int) -> float:
    row = outside.execute(
        "SELECT extract(epoch FROM expires_at - clock_timestamp())::float"
        " FROM core_idlease WHERE node_id = %s",
        [node],
    ).fetchone()
    assert row is not None
    return float(row[0])


class Switch:
    """Connects to the real database, or to a port where none listens."""

    def __init__(self) -> None:
        self.away = False
        self.reached = self.refused = 0

    def __call__(self) -> Connection:
        if not self.away:
            self.reached += 1
            return connect()
        self.refused += 1
        return psycopg.connect("host=127.0.0.1 port=1 connect_timeout=2")


def age(one: Issuer, seconds: float) -> None:
    """Lets the last renewal be that long ago."""
    assert one._lease is not None
    one._lease.renewed_at -= seconds
