"""Ids of real processes: started together, forked, killed and ended."""

import os
import signal
import subprocess
import sys
from array import array
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from core import ids
from core.ids import Issuer, NoLeaseFree, decode, lease, new_id, uuid7, uuids
from core.ids.lease import connect, machine_ms
from core.ids.snowflake import ms_of
from tests.core.id_leases import Connection, expire, lease_table, occupy_all_but, row_of

# A process that forks while threads run; 3.12 warns of it in general.
forks = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


@pytest.fixture
def leases(db: None) -> Iterator[Connection]:
    with lease_table() as outside:
        yield outside


def report_ids(report: Any, count: int) -> None:
    """In a child: that many ids, then wait to be let go (or killed)."""
    uuid7()
    issued = array("q", (new_id(step % 64) for step in range(count)))
    report.send_bytes(issued.tobytes())
    report.recv_bytes()
    ids.release()
    report.send_bytes(b"left")


class Child:
    """A forked process that issues ids."""

    def __init__(self, count: int) -> None:
        processes = get_context("fork")
        self.report, theirs = processes.Pipe()
        self.process = processes.Process(target=report_ids, args=(theirs, count), daemon=True)
        self.process.start()
        theirs.close()

    def ids(self) -> list[int]:
        assert self.report.poll(30)
        return array("q", self.report.recv_bytes()).tolist()

    def leave(self) -> None:
        self.report.send_bytes(b"leave")
        assert self.report.recv_bytes() == b"left"
        self.process.join(10)
        assert self.process.exitcode == 0

    def kill(self) -> None:
        os.kill(self.process.pid or 0, signal.SIGKILL)
        self.process.join(10)


@forks
def test_two_processes_make_no_id_twice(leases: Connection) -> None:
    children = [Child(50_000), Child(50_000)]
    issued = [child.ids() for child in children]
    for child in children:
        child.leave()
    assert len(set(issued[0]) | set(issued[1])) == 100_000
    assert len({decode(id).node for one in issued for id in one}) == 2


@forks
def test_a_forked_child_takes_a_lease_of_its_own_and_leaves_its_parents_alone(
    leases: Connection,
) -> None:
    before = new_id(5)
    child = Child(10)
    nodes = {decode(id).node for id in child.ids()}
    assert len(nodes) == 1
    assert nodes != {decode(before).node}
    child.leave()
    assert row_of(leases, decode(before).node)[1]
    assert not row_of(leases, nodes.pop())[1]
    assert decode(new_id(5)).node == decode(before).node


@forks
def test_a_killed_process_keeps_its_node_until_it_expires(leases: Connection) -> None:
    ids.release()
    child = Child(20_000)
    issued = child.ids()
    node = decode(issued[0]).node
    child.kill()
    occupy_all_but(leases, node)
    with pytest.raises(NoLeaseFree):
        new_id(5)
    expire(leases, node)
    later = Issuer(clock=lambda: machine_ms() + 61_000)
    after = later.new_id(5)
    assert decode(after).node == node
    assert after > max(issued)
    later.release()


@forks
def test_a_fork_while_a_thread_holds_the_locks_leaves_a_child_that_works(
    leases: Connection,
) -> None:
    with lease._issuer._changing, uuids._source._lock:
        child = Child(10)
    assert len(child.ids()) == 10
    child.leave()


def test_a_process_that_ends_gives_its_lease_back(leases: Connection) -> None:
    script = "import django; django.setup(); from core.ids import new_id; print(new_id(5))"
    answer = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "DATABASE_URL": database_url()},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        check=True,
        text=True,
        timeout=60,
    )
    id = int(answer.stdout)
    assert row_of(leases, decode(id).node) == ("", False, ms_of(id))


def database_url() -> str:
    with connect() as connection:
        info = connection.info
        return f"postgresql://{info.user}@/{info.dbname}?host={quote(info.host, safe='')}"
