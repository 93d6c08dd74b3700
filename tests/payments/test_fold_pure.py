"""What channels say, in every order and number: one state per set of statements, as a pure function."""

import random
from collections.abc import Iterable, Iterator, Sequence
from itertools import permutations

import pytest

from core.states import Machine
from payments import fold
from payments.fold import Kind, Tally, tally
from payments.states import ATTEMPT, CAPTURE, REFUND

# A statement: what it is about, its kind, the channel's reference, minor units.
Statement = tuple[str, str, str, int]

# A payment of 100.00 taken at once and given back in two parts; each noun was refused before, and the
# attempt was closed as well.
AT_ONCE: tuple[Statement, ...] = (
    ("attempt", Kind.AUTHORISED, "pay", 10_000),
    ("attempt", Kind.CAPTURED, "pay", 10_000),
    ("attempt", Kind.FAILED, "pay", 10_000),
    ("attempt", Kind.CLOSED, "pay", 10_000),
    ("refund", Kind.REFUND_FAILED, "back", 4_000),
    ("refund", Kind.REFUND_SUCCEEDED, "back.2", 4_000),
)
# Promised, taken for two orders of which one was refused at first; the rest is let go.
LATER: tuple[Statement, ...] = (
    ("attempt", Kind.AUTHORISED, "pay", 10_000),
    ("attempt", Kind.CLOSED, "pay", 10_000),
    ("capture one", Kind.CAPTURED, "one", 6_000),
    ("capture two", Kind.CAPTURE_FAILED, "two", 3_000),
    ("capture two", Kind.CAPTURED, "two.2", 3_000),
    ("refund", Kind.REFUND_SUCCEEDED, "back", 1_000),
)
FEW, MANY = 20_000, 1_000_000

# The machine of each noun, the state of a new row, and its fold.
MACHINES: dict[str, tuple[Machine, str]] = {
    "attempt": (ATTEMPT, "created"),
    "capture": (CAPTURE, "requested"),
    "refund": (REFUND, "sent"),
}


def verb_of(noun: str, kinds: set[str], *, later: bool) -> str:
    match noun:
        case "attempt":
            return fold.attempt_verb(kinds, captures_later=later)
        case "capture":
            return fold.capture_verb(kinds)
        case _:
            return fold.refund_verb(kinds)


def play(statements: Iterable[Statement], *, later: bool) -> tuple[dict[str, str], Tally]:
    """Takes statements in one by one as the services do: the states at the end, and the sums.

    Fails where a statement asks for a step that the machine does not have.
    """
    states: dict[str, str] = {}
    kinds: dict[str, set[str]] = {}
    told = []
    for subject, kind, reference, minor in statements:
        noun = subject.split()[0]
        machine, first = MACHINES[noun]
        state = states.setdefault(subject, first)
        kinds.setdefault(subject, set()).add(kind)
        told.append((kind, reference, minor))
        verb = verb_of(noun, kinds[subject], later=later)
        target = machine.edge(verb).target
        if target != state:
            assert machine.may(verb, state), (subject, state, verb)
            states[subject] = target
    return states, tally(told)


def disturbed(events: Sequence[Statement]) -> Iterator[list[Statement]]:
    """An order of arrival as it is, with each told twice, and with each lost and reconciled."""
    yield list(events)
    for place, event in enumerate(events):
        yield [*events[:place], event, *events[place:]]
        yield [*events, event]
        yield [*events[:place], *events[place + 1 :], event]


@pytest.mark.parametrize(
    ("events", "later"), [(AT_ONCE, False), (LATER, True)], ids=["once", "later"]
)
def test_all_720_orders_of_six_events_end_in_one_state(
    events: tuple[Statement, ...], later: bool
) -> None:
    expected = play(events, later=later)
    orders = 0
    for order in permutations(events):
        orders += 1
        for arrival in disturbed(order):
            assert play(arrival, later=later) == expected
    assert orders == 720


def test_the_states_are_those_that_the_strongest_word_names() -> None:
    assert play(AT_ONCE, later=False) == (
        {"attempt": "succeeded", "refund": "succeeded"},
        Tally(captured_minor=10_000, refunded_minor=4_000),
    )
    assert play(LATER, later=True) == (
        {
            "attempt": "closed",
            "capture one": "succeeded",
            "capture two": "succeeded",
            "refund": "succeeded",
        },
        Tally(captured_minor=9_000, refunded_minor=1_000),
    )


def end_state_of_sequences(count: int) -> None:
    """Some of the events, in any order, each told up to three times: one end per set."""
    chance = random.Random("fold")
    ends: dict[tuple[bool, frozenset[Statement]], object] = {}
    for _ in range(count):
        events, later = chance.choice(((AT_ONCE, False), (LATER, True)))
        some = chance.sample(events, chance.randint(1, len(events)))
        arrival = [event for event in some for _ in range(chance.choice((1, 1, 1, 2, 3)))]
        chance.shuffle(arrival)
        end = play(arrival, later=later)
        assert ends.setdefault((later, frozenset(some)), end) == end
    assert len(ends) == 2 * (2**6 - 1)


def test_twenty_thousand_sequences_end_as_their_sets_do() -> None:
    end_state_of_sequences(FEW)


@pytest.mark.long
def test_a_million_sequences_end_as_their_sets_do() -> None:
    end_state_of_sequences(MANY)
