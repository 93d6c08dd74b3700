"""Funnels: the shared cases, both forms against each other and against trying every chain."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from analytics.funnels import Counts, Funnel, Hit, Unit, counts_of, passage, recount, run
from analytics.models import Event
from core.errors import Invalid
from tests.analytics.histories import BEGIN, CASES, Seen, every_chain, of_case, store

STEPS = ("view_item", "add_to_cart", "begin_checkout", "purchase")
DAY = timedelta(days=1)
HOUR = Funnel(steps=STEPS, window=timedelta(hours=1))
# It says what a funnel without stitching would count; ours stitches, and is tested below.
NOT_OURS = {"F12x without stitching"}


def minute(number: float) -> datetime:
    return BEGIN + timedelta(hours=10, minutes=number)


def both(funnel: Funnel, begin: datetime = BEGIN, end: datetime = BEGIN + DAY) -> Counts:
    """What SQL and stream agree on."""
    counted = run(funnel, begin=begin, end=end)
    assert counted == recount(funnel, begin=begin, end=end)
    return counted


@pytest.mark.django_db
@pytest.mark.parametrize(
    "case", [case for case in CASES if case["name"] not in NOT_OURS], ids=lambda case: case["name"]
)
def test_a_shared_case_counts_as_it_says(case: dict[str, Any]) -> None:
    store(of_case(case))
    funnel = Funnel(
        steps=STEPS, window=timedelta(seconds=case["window_s"]), unit=Unit(case["unit"])
    )
    begin, end = (
        datetime.fromisoformat(case[edge]).replace(tzinfo=UTC) for edge in ("date_from", "date_to")
    )
    counted = both(funnel, begin, end)
    assert list(counted.counts) == case["expected"]["counts"]
    assert str(counted.overall(3)) == case["expected"]["overall"]
    median = case["expected"]["median_ttc_s"]
    assert counted.median == (None if median is None else timedelta(seconds=median))


@pytest.mark.django_db
def test_logging_in_stitches_the_anonymous_part_of_the_visit_to_the_user() -> None:
    [case] = [case for case in CASES if case["name"] in NOT_OURS]
    store(of_case(case))
    counted = both(Funnel(steps=STEPS, window=timedelta(hours=1), unit=Unit.USER))
    assert counted.counts == (1, 1, 1, 1)
    assert counted.median == timedelta(minutes=8)


@pytest.mark.django_db
def test_a_login_after_the_window_still_stitches_the_two_visits_of_a_user() -> None:
    store(
        [
            Seen("phone", "view_item", minute(0)),
            Seen("phone", "view_item", minute(0) + 9 * DAY, user=7),
            Seen("desk", "add_to_cart", minute(5), user=7),
        ]
    )
    assert both(Funnel(steps=STEPS, window=HOUR.window, unit=Unit.USER)).counts == (1, 1, 0, 0)
    assert both(HOUR).counts == (1, 0, 0, 0)


@pytest.mark.django_db
def test_shares_and_drops_are_those_of_the_second_case() -> None:
    store(of_case(CASES[1]))
    counted = both(Funnel(steps=STEPS, window=HOUR.window, unit=Unit.USER))
    assert [counted.onward(step) for step in range(4)] == [
        None,
        Decimal("0.6667"),
        Decimal("0.5000"),
        Decimal("1.0000"),
    ]
    assert [counted.drop(step) for step in range(4)] == [0, 1, 1, 0]
    assert counted.by_device == {"m": (3, 2, 1, 1)}


@pytest.mark.django_db
def test_of_nothing_there_is_no_share() -> None:
    counted = both(HOUR)
    assert counted == Counts((0, 0, 0, 0), None, None, {})
    assert counted.overall(3) is None


@pytest.mark.django_db
def test_events_at_the_same_time_count_the_lower_step_first() -> None:
    store(Seen("a", name, minute(0)) for name in reversed(STEPS))
    assert both(HOUR).counts == (1, 1, 1, 1)


@pytest.mark.django_db
def test_who_has_no_session_is_not_counted() -> None:
    store(Seen("", name, minute(0)) for name in STEPS)
    assert both(HOUR).counts == (0, 0, 0, 0)


@pytest.mark.django_db
def test_the_device_is_that_of_the_first_start_in_the_range() -> None:
    store(
        [
            Seen("a", "view_item", minute(0) - DAY, device="tablet"),
            Seen("a", "view_item", minute(0), device="mobile"),
            Seen("a", "view_item", minute(1), device="desktop"),
            Seen("a", "add_to_cart", minute(2), device="desktop"),
            Seen("b", "view_item", minute(0), device="desktop"),
        ]
    )
    assert both(HOUR).by_device == {"mobile": (1, 1, 0, 0), "desktop": (1, 0, 0, 0)}


@pytest.mark.django_db
def test_who_converts_twice_counts_once_with_the_first_time() -> None:
    for start, took in ((0, 10), (20, 3)):
        store(Seen("a", name, minute(start + took * n / 3)) for n, name in enumerate(STEPS))
    counted = both(HOUR)
    assert (counted.counts, counted.median) == ((1, 1, 1, 1), timedelta(minutes=10))


@pytest.mark.django_db
def test_the_range_takes_its_beginning_and_leaves_its_end() -> None:
    store(
        [
            Seen("first", "view_item", BEGIN),
            Seen("last", "view_item", BEGIN + DAY - timedelta(microseconds=1)),
            Seen("next", "view_item", BEGIN + DAY),
        ]
    )
    assert both(HOUR).counts == (2, 0, 0, 0)


@pytest.mark.django_db
def test_median_and_p90_are_times_that_somebody_took() -> None:
    for number in range(1, 11):
        store(
            Seen(f"s{number}", name, minute(number * place / 3)) for place, name in enumerate(STEPS)
        )
    counted = both(HOUR)
    assert counted.median == timedelta(minutes=5)
    assert counted.p90 == timedelta(minutes=9)


@pytest.mark.parametrize(
    ("steps", "code"),
    [
        (("view_item", "purchase", "view_item"), "duplicate_step"),
        (("view_item",), "step_count"),
        (tuple("abcdefghi"), "step_count"),
    ],
)
def test_a_funnel_that_makes_no_sense_is_refused(steps: tuple[str, ...], code: str) -> None:
    with pytest.raises(Invalid) as refusal:
        Funnel(steps=steps, window=DAY)
    assert refusal.value.code == code


# Few moments and few steps, so that times meet, windows end and chains cross.
hits = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 2)), max_size=12).map(
    lambda pairs: [Hit("a", minute(at), step) for at, step in sorted(pairs)]
)


@seed(3)
@settings(max_examples=400, deadline=None)
@given(hits, st.integers(0, 12), st.integers(1, 13))
def test_the_registers_find_what_trying_every_chain_finds(
    hits: list[Hit], window: int, end: int
) -> None:
    funnel = Funnel(steps=STEPS[:3], window=timedelta(minutes=window))
    found = passage(hits, funnel, end=minute(end))
    assert found == every_chain(hits, 3, funnel.window, minute(end))


events = st.lists(
    st.builds(
        Seen,
        session=st.sampled_from("abc"),
        name=st.sampled_from((*STEPS, "page_view")),
        at=st.integers(0, 90).map(minute),
        device=st.sampled_from(("mobile", "desktop")),
    ),
    max_size=40,
)
users = st.fixed_dictionaries({session: st.sampled_from((None, 1, 2)) for session in "abc"})


@pytest.mark.django_db
@seed(4)
@settings(max_examples=60, deadline=None)
@given(events, users, st.sampled_from(Unit))
def test_sql_stream_and_every_chain_agree(
    events: list[Seen], users: dict[str, int | None], unit: Unit
) -> None:
    Event.objects.all().delete()
    # A visit's user is known from its fourth event on.
    counted_so_far: dict[str, int] = defaultdict(int)
    known = []
    for seen in sorted(events, key=lambda seen: seen.at):
        counted_so_far[seen.session] += 1
        user = users[seen.session] if counted_so_far[seen.session] > 3 else None
        known.append(Seen(seen.session, seen.name, seen.at, user, seen.device))
    store(known)
    funnel = Funnel(steps=STEPS, window=timedelta(minutes=20), unit=unit)
    counted = both(funnel, BEGIN, minute(60))

    logged_in = {seen.session: str(seen.user) for seen in known if seen.user}
    by_actor: dict[str, list[Hit]] = defaultdict(list)
    for seen in known:
        if seen.name in STEPS:
            actor = seen.session if unit is Unit.SESSION else logged_in.get(seen.session)
            hit = Hit(actor or seen.session, seen.at, STEPS.index(seen.name), seen.device)
            by_actor[hit.actor].append(hit)
    passages = [
        every_chain(sorted(own, key=lambda h: (h.at, h.step)), 4, funnel.window, minute(60))
        for own in by_actor.values()
    ]
    assert counted.counts == tuple(sum(p.level > step for p in passages) for step in range(4))
    assert sum(sum(counts) for counts in counted.by_device.values()) == sum(counted.counts)


def test_counting_restarts_at_no_later_start() -> None:
    """What a naive count does: it forgets the chain at the second view, and finds nothing."""
    hits = [Hit("a", minute(at), step) for at, step in ((0, 0), (1, 1), (2, 0), (3, 2), (4, 3))]
    assert counts_of(hits, HOUR, end=BEGIN + DAY).counts == (1, 1, 1, 1)
