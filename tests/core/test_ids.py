"""Ids: a frozen layout, and never the same one twice, whatever the clock does."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import pairwise
from uuid import RFC_4122

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.ids import (
    AheadOfClock,
    ClockWentBack,
    Generator,
    IdParts,
    decode,
    gene,
    gene_of,
    uuid7,
)
from core.ids.lease import machine_ms
from core.ids.snowflake import LAST_ID, LAST_MS, CeilingReached, compose, ms_of
from core.ids.uuids import ordered_of, uuid7_of
from tests.core.id_leases import Clock


def generator(clock: Callable[[], int], **limits: int) -> Generator:
    return Generator(node=7, clock=clock, **limits)


@pytest.mark.parametrize(
    ("owner_id", "expected"),
    [(1, 3079), ("1", 3079), (235916654608102411, 1536), ("buyer@example.org", 1816)],
)
def test_a_gene_is_frozen(owner_id: int | str, expected: int) -> None:
    assert gene(owner_id) == expected


def test_genes_spread_evenly() -> None:
    owners = [0] * 32
    for owner_id in range(32_000):
        owners[gene(owner_id << 12) % 32] += 1
    assert max(owners) < 1.15 * 1000


def test_the_layout_is_frozen() -> None:
    id = 235916654608102411
    parts = IdParts(datetime(2026, 11, 22, 12, 4, 16, 789_000, UTC), node=7, sequence=3, gene=1035)
    assert decode(id) == parts
    assert compose(28_123_456_789, 7, 3, 1035) == id
    assert generator(lambda: 28_123_456_789).new_id(1035) == id - (3 << 12)
    assert gene_of(id) == 1035


@given(st.integers(0, LAST_MS), st.integers(0, 255), st.integers(0, 7), st.integers(0, 4095))
def test_an_id_tells_its_parts(ms: int, node: int, sequence: int, gene: int) -> None:
    id = compose(ms, node, sequence, gene)
    parts = decode(id)
    assert (parts.node, parts.sequence, parts.gene, ms_of(id)) == (node, sequence, gene, ms)
    assert 0 <= id <= LAST_ID == 2**63 - 1


@pytest.mark.parametrize("number", [-1, LAST_ID + 1])
def test_what_is_no_id_is_not_decoded(number: int) -> None:
    with pytest.raises(ValueError, match="63 bits"):
        decode(number)


def test_a_gene_has_eight_ids_per_millisecond_and_borrows_the_next() -> None:
    new = generator(Clock(10_000)).new_id
    parts = [(ms_of(id), decode(id).sequence) for id in (new(5) for _ in range(10))]
    assert parts == [(10_000, sequence) for sequence in range(8)] + [(10_001, 0), (10_001, 1)]


def test_the_sequence_counts_per_gene() -> None:
    new = generator(Clock()).new_id
    assert [decode(new(each)).sequence for each in (5, 6, 5, 6)] == [0, 0, 1, 1]


def test_a_gene_borrows_at_most_a_second() -> None:
    clock = Clock(10_000)
    new = generator(clock).new_id
    burst = [new(5) for _ in range(8 * 1001)]
    assert ms_of(burst[-1]) == 11_000
    with pytest.raises(AheadOfClock):
        new(5)
    assert ms_of(new(6)) == 10_000
    clock.ms += 1
    assert ms_of(new(5)) == 11_001


def test_a_clock_a_little_back_goes_on_at_the_last_value() -> None:
    clock = Clock(10_000)
    new = generator(clock).new_id
    before = new(5)
    clock.ms = 5_000
    assert new(5) > before
    assert ms_of(new(6)) == 10_000


def test_a_clock_far_back_stops_the_generator_until_it_has_caught_up() -> None:
    clock = Clock(10_000)
    new = generator(clock).new_id
    before = new(5)
    clock.ms = 4_999
    with pytest.raises(ClockWentBack):
        new(5)
    clock.ms = 5_000
    assert new(5) > before


def test_ids_lie_strictly_above_the_last_high_water_and_not_above_the_ceiling() -> None:
    issuing = generator(Clock(10_000), above_ms=10_500, ceiling_ms=10_501)
    assert [ms_of(issuing.new_id(5)) for _ in range(8)] == [10_501] * 8
    with pytest.raises(CeilingReached):
        issuing.new_id(5)
    issuing.raise_ceiling(10_502)
    assert ms_of(issuing.new_id(5)) == 10_502


def test_a_closed_generator_tells_its_high_water_and_stays_closed() -> None:
    issuing = generator(Clock(10_000), above_ms=9_000)
    for _ in range(9):
        issuing.new_id(5)
    assert issuing.close() == 10_001
    issuing.raise_ceiling(20_000)
    with pytest.raises(CeilingReached):
        issuing.new_id(5)


def test_an_unused_generator_has_the_high_water_it_began_above() -> None:
    assert generator(Clock(10_000), above_ms=9_000).close() == 9_000


def test_the_last_millisecond_is_the_end() -> None:
    with pytest.raises(CeilingReached):
        generator(lambda: LAST_MS + 1).new_id(5)


@pytest.mark.parametrize("wrong", [-1, 4096])
def test_a_wrong_gene_is_refused(wrong: int) -> None:
    with pytest.raises(ValueError, match="gene"):
        generator(Clock()).new_id(wrong)


@pytest.mark.parametrize("wrong", [-1, 256])
def test_a_wrong_node_is_refused(wrong: int) -> None:
    with pytest.raises(ValueError, match="node"):
        Generator(node=wrong, clock=Clock())


@given(st.lists(st.tuples(st.integers(-7_000, 3_000), st.integers(0, 3), st.integers(1, 40))))
def test_whatever_the_clock_does_no_id_comes_twice(steps: list[tuple[int, int, int]]) -> None:
    clock = Clock(50_000)
    issuing = generator(clock, above_ms=50_500)
    issued: list[int] = []
    for move_ms, of_gene, count in steps:
        clock.ms += move_ms
        for _ in range(count):
            try:
                issued.append(issuing.new_id(of_gene))
            except (ClockWentBack, AheadOfClock):
                break
    assert len(set(issued)) == len(issued)
    assert all(ms_of(id) > 50_500 for id in issued)
    for each in range(4):
        in_order = [id for id in issued if gene_of(id) == each]
        assert in_order == sorted(in_order)
    assert issuing.close() == max([50_500, *map(ms_of, issued)])


def test_threads_share_a_generator() -> None:
    issuing = generator(machine_ms)
    with ThreadPoolExecutor(8) as pool:
        issued = list(pool.map(lambda step: issuing.new_id(step % 8), range(20_000)))
    assert len(set(issued)) == 20_000


def test_a_uuid7_is_one_by_the_standard_and_says_when_it_was_made() -> None:
    before_ms = time.time_ns() // 1_000_000
    made = uuid7()
    assert (made.version, made.variant) == (7, RFC_4122)
    assert 0 <= (made.int >> 80) - before_ms < 1_000


def test_uuid7s_of_one_process_grow() -> None:
    made = [uuid7() for _ in range(20_000)]
    assert all(earlier < later for earlier, later in pairwise(made))


def test_uuid7s_of_many_threads_differ() -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: uuid7(), range(20_000)))
    assert len(set(made)) == 20_000


@given(st.integers(0, 2**122 - 1))
def test_the_ordered_bits_of_a_uuid7_are_kept(ordered: int) -> None:
    made = uuid7_of(ordered)
    assert (made.version, made.variant) == (7, RFC_4122)
    assert ordered_of(made) == ordered
