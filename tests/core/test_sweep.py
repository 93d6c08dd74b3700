"""Sweeps: one bad row stops no other; the relay stands in for beat, and only for a silent one."""

import math
import time
from collections.abc import Iterator, Sequence

import pytest

from core import tasks
from core.management.commands.relay import stand_in_for_beat
from core.sweep import Clock, sweep_in_halves, vital, vital_clocks

pytestmark = pytest.mark.django_db


@pytest.fixture
def runs() -> Iterator[list[str]]:
    """One vital clock of the test's own, which notes each of its runs, and then fails."""
    noted: list[str] = []

    def note() -> None:
        noted.append("run")
        raise OSError("it failed")

    before = vital_clocks[:]
    vital_clocks.clear()
    vital(note, every_seconds=60)
    yield noted
    vital_clocks[:] = before


def test_the_relay_runs_vital_clocks_while_beat_is_silent(runs: list[str]) -> None:
    stand_in_for_beat()
    assert runs == ["run"]


def test_the_relay_leaves_the_clocks_to_a_beat_that_lives(runs: list[str]) -> None:
    tasks.heartbeat()
    stand_in_for_beat()
    assert runs == []


def test_a_vital_clock_keeps_its_pace() -> None:
    runs: list[int] = []
    clock = Clock(lambda: runs.append(1), every_seconds=60)
    clock.run_if_due()
    clock.run_if_due()
    assert runs == [1]
    clock.last_run -= 60
    clock.run_if_due()
    assert runs == [1, 1]


def test_the_expiry_is_a_vital_clock() -> None:
    names = {clock.run.__name__ for clock in vital_clocks}
    assert "expire_due" in names


def test_a_failing_many_is_halved_down_to_the_one_that_fails() -> None:
    done: list[int] = []

    def service(ids: Sequence[int]) -> int:
        if 5 in ids:
            raise ValueError("not this one")
        done.extend(ids)
        return len(ids)

    assert sweep_in_halves(range(9), service, ends_at=math.inf) == 8
    assert done == [0, 1, 2, 3, 4, 6, 7, 8]
    assert sweep_in_halves([], service, ends_at=math.inf) == 0


def test_halving_ends_with_its_time_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    calls: list[Sequence[int]] = []
    ends_at = time.monotonic() + 0.2

    def service(ids: Sequence[int]) -> int:
        calls.append(ids)
        if len(calls) == 2:
            time.sleep(0.25)
        raise ValueError("not this one")

    assert sweep_in_halves(range(1000), service, ends_at=ends_at) == 0
    assert calls == [range(1000), range(500)]
    assert "0 to 499 failed, and no time is left to halve" in caplog.text


def test_a_half_that_finds_no_time_left_is_not_begun() -> None:
    calls: list[Sequence[int]] = []
    ends_at = time.monotonic() + 0.2

    def service(ids: Sequence[int]) -> int:
        calls.append(ids)
        if len(ids) > 4:
            raise ValueError("too many")
        time.sleep(0.25)
        return len(ids)

    assert sweep_in_halves(range(8), service, ends_at=ends_at) == 4
    assert calls == [range(8), range(4)]
