"""Money within two seconds of the deadline, before it or after: each group is paid or gets it back."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from django.conf import settings

from core import audit, clock
from core.management.supervisor import Child
from core.models import OutboxEvent, StateChange
from inventory.models import Reservation
from orders.management.replay.look import look, undelivered_events
from orders.models import OrderGroup, OrderLine
from orders.selectors.due import HOLD_LIMIT
from orders.services.expire import expire_due
from orders.services.pay import payment_start
from payments.models import Attempt
from tests.factories.story import BUYER, fresh_row, make_group, start_payment
from tests.faults.blows import money_here, money_there
from tests.faults.outcomes import (
    NEVER_CHARGED,
    PAID,
    REFUNDED,
    Judge,
    Outcome,
    assert_all_ended_well,
    ended,
    figures,
    punctual,
)
from tests.faults.rush import RELEASE, TOKENS, Rush
from tests.faults.shop import ALL, RunningShop, is_at_rest, own_place, processes, twin, wipe_unread

pytestmark = pytest.mark.django_db(transaction=True)

FEW, SOME = 80, 400
MANY = 12_500  # of ten, eight pay at their deadline: 10,000
PER_SECOND, MANY_PER_SECOND = 10, 20
# What is asked of a machine that does nothing else; the suite runs beside other things.
AT_MOST_SECONDS, AT_MOST_SECONDS_IN_THE_SUITE = 60, 150
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


def no_web_and_no_beat() -> list[Child]:
    """Nobody takes notifications, and nobody but the expiry asks the channel."""
    return [child for child in no_beat() if child.name != "web"]


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
    is_long = groups > FEW
    per_second = MANY_PER_SECOND if is_long else PER_SECOND
    # Three mails to each of ten thousand would be most of the work, and are not what is looked at.
    mails = groups <= SOME
    rush = Rush(shop, groups=groups, per_second=per_second, seed="deadline", mails=mails)
    rush.start_attempts()
    rush.run(strike)
    assert rush.failures == []
    outcomes = Judge(shop, rush).wait()
    print(figures(outcomes))  # noqa: T201 the measurement
    assert_all_ended_well(
        outcomes,
        shop.folder,
        at_most_seconds=AT_MOST_SECONDS if is_long else AT_MOST_SECONDS_IN_THE_SUITE,
    )
    return rush, outcomes


def ends(outcomes: Sequence[Outcome]) -> set[str]:
    return {outcome.end for outcome in outcomes}


def test_money_at_the_deadline_pays_or_goes_back(tmp_path: Path) -> None:
    with a_shop(tmp_path, whole) as shop:
        _, outcomes = drive(shop, groups=FEW)
        assert shop.said == []
    assert {PAID, REFUNDED, NEVER_CHARGED} <= ends(outcomes)


def test_without_a_beat_the_relay_expires(tmp_path: Path) -> None:
    with a_shop(tmp_path, no_beat) as shop:
        _, outcomes = drive(shop, groups=FEW // 2)
    assert NEVER_CHARGED in ends(outcomes)


def test_two_beats_wrong_clocks_and_a_wiped_broker_do_no_harm(tmp_path: Path) -> None:
    with a_shop(tmp_path, two_beats_and_wrong_clocks) as shop:
        rush, _ = drive(shop, groups=FEW // 2, strike=partial(wipe_unread, shop))
        assert shop.said == []
    assert minutes_off(rush) == {-CLOCK_OFF_MINUTES, 0, CLOCK_OFF_MINUTES}


def test_while_the_channel_is_away_goods_stay_held_up_to_the_limit(tmp_path: Path) -> None:
    with a_shop(tmp_path, whole) as shop:
        groups = [make_group() for _ in range(3)]
        attempts = [promise_to_pay(group) for group in groups]
        shop.until(lambda: {fresh_row(attempt).status for attempt in attempts} == {"processing"})
        with shop.paused("payment-sandbox"):
            clock.advance(timedelta(minutes=30))
            shop.until(lambda: statuses(groups) == {"expiring"})
            clock.advance(HOLD_LIMIT - timedelta(minutes=1))
            expire_due()  # whatever the clocks have done by now
            assert statuses(groups) == {"expiring"}
            assert held(groups) == {"held"}
            clock.advance(timedelta(minutes=1))
            shop.until(lambda: statuses(groups) == {"expired"})
            assert held(groups) == {"released"}
        for attempt in attempts:
            release_money(attempt)
        shop.until(lambda: all(map(ended, look([group.pk for group in groups]).values())))
        shop.until(lambda: is_at_rest(shop.folder))
    assert all(seen.captured_minor for seen in look([group.pk for group in groups]).values())
    assert audit.run(final=True) == []
    assert money_here() == money_there(tmp_path)


def test_money_that_nobody_told_of_is_found_by_asking_before_the_group_expires(
    tmp_path: Path,
) -> None:
    with a_shop(tmp_path, no_web_and_no_beat) as shop:
        groups = [make_group() for _ in range(3)]
        for group in groups:
            start_payment(group)
        shop.until(lambda: len(money_there(tmp_path)) == len(groups))
        assert money_here() == []
        clock.advance(timedelta(minutes=30))
        shop.until(lambda: statuses(groups) == {"paid"})
        shop.until(lambda: not undelivered_events())
    steps = StateChange.objects.filter(object_id=groups[0].pk).order_by("seq")
    assert list(steps.values_list("verb", flat=True))[:3] == ["place", "start_expiring", "pay"]
    assert held(groups) == {"committed"}
    assert audit.run(final=True) == []
    assert money_here() == money_there(tmp_path)


def promise_to_pay(group: OrderGroup) -> Attempt:
    """Money that comes when it is let go, even after its close."""
    return payment_start(
        group_id=group.pk,
        channel="sandbox",
        token=TOKENS[RELEASE],
        return_url="http://shop.invalid/return",
        actor=BUYER,
    )


def release_money(attempt: Attempt) -> None:
    url = f"{settings.SANDBOX_PAYMENT_URL}/control/release"
    httpx.post(url, json={"key": attempt.channel_key}, trust_env=False).raise_for_status()


def statuses(groups: Sequence[OrderGroup]) -> set[str]:
    return {fresh_row(group).status for group in groups}


def held(groups: Sequence[OrderGroup]) -> set[str]:
    lines = OrderLine.objects.filter(order__group__in=groups).values("pk")
    return set(Reservation.objects.filter(reference__in=lines).values_list("status", flat=True))


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
    assert ends(outcomes) >= {PAID, REFUNDED, NEVER_CHARGED}
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
