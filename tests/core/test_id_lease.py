"""The lease of a node number: one holder at a time, and no id that its next holder could issue."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import transaction

from core.ids import ClockWentBack, Issuer, Lease, LeaseLost, NoLeaseFree, decode, lease, new_id
from core.ids.lease import FILL, STALE_SECONDS, connect, machine_ms
from core.ids.snowflake import CeilingReached, ms_of
from tests.core.id_leases import (
    Clock,
    Connection,
    Switch,
    age,
    expire,
    held_nodes,
    lease_table,
    occupy_all_but,
    row_of,
    seconds_to_live,
)

SHORTEST_HIGH_WATER_MS = 40_000


@pytest.fixture
def leases(db: None) -> Iterator[Connection]:
    with lease_table() as outside:
        yield outside


@pytest.fixture
def issuer(leases: Connection) -> Iterator[Issuer]:
    one = Issuer()
    yield one
    one.release()


def test_the_first_id_takes_a_lease_for_a_minute(leases: Connection, issuer: Issuer) -> None:
    node = decode(issuer.new_id(5)).node
    holder, held, high_water_ms = row_of(leases, node)
    assert held
    assert f":{os.getpid()}:" in holder
    assert 50 < seconds_to_live(leases, node) <= 60
    assert high_water_ms > machine_ms() + SHORTEST_HIGH_WATER_MS


def test_the_lease_is_taken_outside_the_callers_transaction(
    leases: Connection, issuer: Issuer
) -> None:
    with transaction.atomic():
        node = decode(issuer.new_id(5)).node
        assert row_of(leases, node)[1]
        transaction.set_rollback(True)
    assert row_of(leases, node)[1]


def test_two_processes_hold_two_nodes(leases: Connection, issuer: Issuer) -> None:
    other = Issuer()
    assert decode(issuer.new_id(5)).node != decode(other.new_id(5)).node
    other.release()


def test_a_node_that_is_being_taken_is_passed_over(leases: Connection, issuer: Issuer) -> None:
    leases.execute("UPDATE core_idlease SET high_water_ms = node_id")
    with connect() as taking, taking.transaction():
        assert Lease.take(taking, clock=machine_ms).node == 0
        assert decode(issuer.new_id(5)).node == 1


def test_the_node_with_the_lowest_high_water_is_taken(leases: Connection, issuer: Issuer) -> None:
    leases.execute("UPDATE core_idlease SET high_water_ms = 6")
    leases.execute("UPDATE core_idlease SET high_water_ms = 5 WHERE node_id = 17")
    assert decode(issuer.new_id(5)).node == 17


def test_a_new_holder_starts_strictly_above_the_high_water(
    leases: Connection, issuer: Issuer
) -> None:
    ahead_ms = machine_ms() + 3_000
    leases.execute("UPDATE core_idlease SET high_water_ms = %s", [ahead_ms])
    assert ms_of(issuer.new_id(5)) == ahead_ms + 1


def test_only_a_free_or_expired_node_is_taken(leases: Connection, issuer: Issuer) -> None:
    occupy_all_but(leases, 9)
    assert decode(issuer.new_id(5)).node == 9
    with pytest.raises(NoLeaseFree):
        Issuer().new_id(5)
    expire(leases, 11)
    other = Issuer()
    assert decode(other.new_id(5)).node == 11
    other.release()


def test_a_node_last_used_by_a_clock_far_ahead_is_not_taken(
    leases: Connection, issuer: Issuer
) -> None:
    leases.execute("UPDATE core_idlease SET high_water_ms = %s", [machine_ms() + 600_000])
    with pytest.raises(NoLeaseFree, match="ahead"):
        issuer.new_id(5)


def test_missing_rows_are_filled_in(leases: Connection, issuer: Issuer) -> None:
    leases.execute("DELETE FROM core_idlease")
    issuer.new_id(5)
    assert leases.execute("SELECT count(*), max(node_id) FROM core_idlease").fetchone() == (
        256,
        255,
    )


def test_an_emptied_table_makes_no_id_twice(leases: Connection, issuer: Issuer) -> None:
    before = [issuer.new_id(5) for _ in range(2_000)]
    leases.execute("DELETE FROM core_idlease")
    leases.execute(FILL, {"last": 255})
    occupy_all_but(leases, decode(before[0]).node)
    issuer.secure()
    after = [issuer.new_id(5) for _ in range(2_000)]
    assert decode(after[0]).node == decode(before[0]).node
    assert min(after) > max(before)


def test_the_keeper_renews_the_lease(
    leases: Connection, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "RENEW_SECONDS", 0.05)
    node = decode(issuer.new_id(5)).node
    leases.execute(
        "UPDATE core_idlease SET expires_at = clock_timestamp(), high_water_ms = 1"
        " WHERE node_id = %s",
        [node],
    )
    wait_until(lambda: row_of(leases, node)[1])
    assert 50 < seconds_to_live(leases, node) <= 60
    assert row_of(leases, node)[2] > machine_ms() + SHORTEST_HIGH_WATER_MS


def test_the_keeper_survives_a_database_that_is_away(
    leases: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "RENEW_SECONDS", 0.05)
    monkeypatch.setattr(lease, "RETRY_SECONDS", 0.05)
    database = Switch()
    one = Issuer(connect=database)
    node = decode(one.new_id(5)).node
    database.away = True
    wait_until(lambda: database.refused >= 2)
    expire(leases, node)
    database.away = False
    wait_until(lambda: row_of(leases, node)[1])
    one.release()


def test_a_process_that_could_not_renew_stops_issuing_and_goes_on_when_it_can(
    leases: Connection,
) -> None:
    database = Switch()
    one = Issuer(connect=database)
    before = one.new_id(5)
    database.away = True
    assert one.new_id(5) > before
    age(one, STALE_SECONDS + 1)
    for _ in range(2):
        with pytest.raises(LeaseLost):
            one.new_id(5)
    database.away = False
    after = one.new_id(5)
    assert after > before
    assert decode(after).node == decode(before).node
    one.release()


def test_a_process_whose_node_was_taken_takes_another(leases: Connection, issuer: Issuer) -> None:
    node = decode(issuer.new_id(5)).node
    leases.execute("UPDATE core_idlease SET holder = 'another' WHERE node_id = %s", [node])
    age(issuer, STALE_SECONDS + 1)
    assert decode(issuer.new_id(5)).node != node
    assert row_of(leases, node)[0] == "another"


def test_a_clock_that_jumps_forward_is_put_on_record_before_it_is_used(leases: Connection) -> None:
    clock = Clock(machine_ms())
    one = Issuer(clock=clock)
    node = decode(one.new_id(5)).node
    clock.ms += 3_600_000
    assert ms_of(one.new_id(5)) == clock.ms
    assert row_of(leases, node)[2] >= clock.ms
    clock.ms -= 3_600_000
    with pytest.raises(ClockWentBack):
        one.new_id(5)
    one.release()
    assert row_of(leases, node)[2] == clock.ms + 3_600_000


def test_a_holder_that_was_suspended_is_fenced_off_by_its_own_ceiling(leases: Connection) -> None:
    clock = Clock(machine_ms())
    suspended, other = Issuer(clock=clock), Issuer(clock=clock)
    node = decode(suspended.new_id(5)).node
    of_before = suspended.secure().generator
    occupy_all_but(leases, node)
    expire(leases, node)
    clock.ms += 58_000
    last_of_before = max(of_before.new_id(gene) for gene in range(100))
    first_of_other = other.new_id(5)
    assert decode(first_of_other).node == node
    assert first_of_other > last_of_before
    clock.ms = ms_of(first_of_other)
    with pytest.raises(CeilingReached):
        of_before.new_id(5)
    with pytest.raises(NoLeaseFree):
        suspended.new_id(5)
    other.release()
    suspended.release()


def test_a_released_lease_is_free_with_its_real_high_water(
    leases: Connection, issuer: Issuer
) -> None:
    last = max(issuer.new_id(5) for _ in range(100))
    issuer.release()
    assert row_of(leases, decode(last).node) == ("", False, ms_of(last))
    assert issuer.new_id(5) > last


def test_a_release_without_a_lease_or_a_database_is_quiet(leases: Connection) -> None:
    Issuer().release()
    database = Switch()
    one = Issuer(connect=database)
    one.new_id(5)
    database.away = True
    one.release()
    with pytest.raises(LeaseLost):
        one.new_id(5)


def test_the_keeper_takes_nothing_after_a_release(
    leases: Connection, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "RENEW_SECONDS", 0)
    for _ in range(20):
        issuer.new_id(5)
        keeper = issuer._keeper
        issuer.release()
        assert keeper is not None
        keeper.join(10)
        assert held_nodes(leases) == 0


def test_many_threads_take_one_lease_together(leases: Connection) -> None:
    database, barrier = Switch(), threading.Barrier(32)
    one = Issuer(connect=database)

    def first_id(gene: int) -> int:
        barrier.wait()
        return one.new_id(gene)

    with ThreadPoolExecutor(32) as pool:
        issued = list(pool.map(first_id, range(32)))
    assert len({decode(id).node for id in issued}) == 1
    assert held_nodes(leases) == 1
    assert database.reached <= 4
    one.release()


def test_a_busy_gene_waits_for_the_clock(leases: Connection) -> None:
    issued = [new_id(5) for _ in range(9_000)]
    assert len(set(issued)) == 9_000
    assert issued == sorted(issued)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
