"""Money within two seconds of the deadline, before it or after: each group is paid or gets it back."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest

from core.management.supervisor import Child
from core.models import OutboxEvent
from tests.faults.outcomes import (
    NEVER_CHARGED,
    PAID,
    Judge,
    Outcome,
    assert_all_ended_well,
    figures,
    punctual,
)
from tests.faults.rush import Rush
from tests.faults.shop import ALL, RunningShop, own_place, processes, twin, wipe_unread

pytestmark = pytest.mark.django_db(transaction=True)

FEW, SOME, MANY = 40, 400, 10_000
CLOCK_OFF_MINUTES = 10


@contextmanager
def a_shop(folder: Path, children: Callable[[], Sequence[Child]]) -> Iterator[RunningShop]:
    with own_place(folder), RunningShop(children(), folder) as shop:
        yield shop


def whole() -> list[Child]:
    return processes(*ALL)


def two_beats() -> list[Child]:
    return [*whole(), twin("beat")]


def two_beats_and_wrong_clocks() -> list[Child]:
    return [*wrong_clocks(), twin("beat")]


def no_beat() -> list[Child]:
    """Nobody is to start the worker again for its silence: it is beat that lets it speak."""
    [worker] = processes("worker")
    others = [name for name in ALL if name not in ("beat", "worker")]
    return [*processes(*others), replace(worker, answers=None)]


def wrong_clocks() -> list[Child]:
    """Two workers, one ahead of the time and one behind it, and nobody else to do their work."""
    ahead, behind = (
        {
            "DJANGO_SETTINGS_MODULE": "tests.faults.skewed",
            "CLOCK_OFF_MINUTES": str(minutes),
        }
        for minutes in (CLOCK_OFF_MINUTES, -CLOCK_OFF_MINUTES)
    )
    others = [name for name in ALL if name != "worker"]
    return [*processes(*others), *processes("worker", **ahead), twin("worker", **behind)]


def drive(
    shop: RunningShop, *, groups: int, strike: Callable[[], bool] = lambda: True
) -> tuple[Rush, list[Outcome]]:
    """A rush through that shop, judged; prints how it went."""
    rush = Rush(shop, groups=groups, seed="deadline")
    rush.start_attempts()
    rush.run(strike)
    outcomes = Judge(shop, rush).wait()
    print(figures(outcomes))  # noqa: T201 the measurement
    assert_all_ended_well(outcomes, shop.folder)
    return rush, outcomes


def ends(outcomes: Sequence[Outcome]) -> set[str]:
    return {outcome.end for outcome in outcomes}


def test_money_at_the_deadline_pays_or_goes_back(tmp_path: Path) -> None:
    with a_shop(tmp_path, whole) as shop:
        _, outcomes = drive(shop, groups=2 * FEW)
        assert shop.said == []
    assert {PAID, NEVER_CHARGED} < ends(outcomes)


def test_without_a_beat_the_relay_expires(tmp_path: Path) -> None:
    with a_shop(tmp_path, no_beat) as shop:
        _, outcomes = drive(shop, groups=FEW)
    assert NEVER_CHARGED in ends(outcomes)


def test_two_beats_wrong_clocks_and_a_wiped_broker_do_no_harm(tmp_path: Path) -> None:
    with a_shop(tmp_path, two_beats_and_wrong_clocks) as shop:
        rush, _ = drive(shop, groups=FEW, strike=partial(wipe_unread, shop))
        assert shop.said == []
    assert minutes_off(rush) == {-CLOCK_OFF_MINUTES, 0, CLOCK_OFF_MINUTES}


@pytest.mark.long
@pytest.mark.parametrize("children", [two_beats, no_beat, wrong_clocks])
def test_money_at_the_deadline_with_one_fault_alone(
    tmp_path: Path, children: Callable[[], Sequence[Child]]
) -> None:
    with a_shop(tmp_path, children) as shop:
        rush, outcomes = drive(shop, groups=SOME)
    assert NEVER_CHARGED in ends(outcomes)
    assert (len(minutes_off(rush)) == 3) == (children is wrong_clocks)


@pytest.mark.long
def test_money_at_the_deadline_with_a_broker_wiped(tmp_path: Path) -> None:
    with a_shop(tmp_path, whole) as shop:
        drive(shop, groups=SOME, strike=partial(wipe_unread, shop))
        assert shop.said == []


@pytest.mark.long
def test_money_of_ten_thousand_at_their_deadlines_pays_or_goes_back(tmp_path: Path) -> None:
    with a_shop(tmp_path, whole) as shop:
        _, outcomes = drive(shop, groups=MANY)
    assert ends(outcomes) > {PAID, NEVER_CHARGED}
    assert punctual(outcomes) > 0.99


def minutes_off(rush: Rush) -> set[int]:
    """How far the clocks were off by which processes made the ids of what became of attempts."""
    events = OutboxEvent.objects.filter(type__startswith="attempt.").exclude(type="attempt.started")
    return {
        round((made_at(id_) - rush.machine_time(at)) / 60)
        for id_, at in events.values_list("id", "created_at")
    }


def made_at(id_: UUID) -> float:
    """What the clock of its maker said, in seconds since 1970."""
    return (id_.int >> 80) / 1000
