"""Every guard of the machines, at its edge: one microsecond before, exactly there, one after."""

from datetime import UTC, datetime, timedelta

import pytest

from core.fsm import Stateful
from core.states import Guard
from orders import states
from orders.machines import MACHINES
from orders.models import Order, OrderGroup
from payments.models import ManualTransfer
from payments.states import OF_LINE

DEADLINE = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
TICK = timedelta(microseconds=1)
WITHIN = DEADLINE - states.EXTENDABLE_WITHIN


def group(**fields: object) -> OrderGroup:
    return OrderGroup(**{"pay_before": DEADLINE, "extensions_left": 10, **fields})


def order(status: str = "paid", **fields: object) -> Order:
    return Order(status=status, **fields)


BY_TIME = [
    (states.IN_TIME, group(), DEADLINE, (True, False, False)),
    (states.OVERDUE, group(), DEADLINE, (False, True, True)),
    (states.NEARLY_DUE, group(), WITHIN, (False, True, True)),
    (states.NEARLY_DUE, group(), DEADLINE, (True, False, False)),
    (states.NEARLY_DUE, group(extensions_left=1), WITHIN, (False, True, True)),
    (states.NEARLY_DUE, group(extensions_left=0), WITHIN, (False, False, False)),
    (states.WINDOW_OVER, order(return_until=DEADLINE), DEADLINE, (False, True, True)),
]


@pytest.mark.parametrize(("guard", "row", "edge", "expected"), BY_TIME)
def test_a_guard_of_time_turns_at_its_microsecond(
    guard: Guard, row: object, edge: datetime, expected: tuple[bool, bool, bool]
) -> None:
    moments = (edge - TICK, edge, edge + TICK)
    assert tuple(guard.holds(row, at, ()) for at in moments) == expected


LEFT = DEADLINE
BY_FIELD = [
    (states.NOTHING_LEFT, order(), True),
    (states.NOTHING_LEFT, order(first_left_at=LEFT), False),
    (states.NO_REQUEST, order("packing"), True),
    (states.NO_REQUEST, order("packing", cancel_requested_until=DEADLINE), False),
    (states.REQUEST_OPEN, order("packing"), False),
    (states.REQUEST_OPEN, order("packing", cancel_requested_until=DEADLINE), True),
    (OF_LINE, ManualTransfer(refund_id=None), True),
    (OF_LINE, ManualTransfer(refund_id=1), False),
]


@pytest.mark.parametrize(("guard", "row", "expected"), BY_FIELD)
def test_a_guard_of_a_field_turns_with_it(guard: Guard, row: Stateful, expected: bool) -> None:
    for at in (DEADLINE - TICK, DEADLINE, DEADLINE + TICK):
        assert guard.holds(row, at, ()) is expected


BY_PARTS = [
    (["paid"], True, True),
    (["paid", "acknowledged"], True, True),
    (["paid", "packing"], False, True),
    (["acknowledged", "cancelled"], True, True),
    (["packing", "cancelled"], False, True),
    (["paid", "shipped"], False, False),
    (["paid", "delivered"], False, False),
    (["paid", "completed"], False, False),
    (["pending_payment"], False, False),
    (["cancelled"], False, False),
    ([], False, False),
]


@pytest.mark.parametrize(("parts", "none_packed", "none_left"), BY_PARTS)
def test_a_guard_of_parts_looks_at_all_that_live(
    parts: list[str], none_packed: bool, none_left: bool
) -> None:
    orders = [order(status) for status in parts]
    assert states.NONE_PACKED.holds(group(), DEADLINE, orders) is none_packed
    assert states.NONE_LEFT.holds(group(), DEADLINE, orders) is none_left


@pytest.mark.parametrize("guard", [states.NONE_PACKED, states.NONE_LEFT])
def test_one_unit_that_has_left_turns_a_guard_of_parts(guard: Guard) -> None:
    stays, leaves = order("acknowledged"), order("acknowledged", first_left_at=LEFT)
    assert guard.holds(group(), DEADLINE, [stays])
    assert not guard.holds(group(), DEADLINE, [stays, leaves])
    assert guard.holds(group(), DEADLINE, [stays, order("cancelled", first_left_at=LEFT)])


def test_every_guard_of_the_machines_is_tried_here() -> None:
    tried = {id(case[0]) for case in (*BY_TIME, *BY_FIELD)}
    tried |= {id(states.NONE_PACKED), id(states.NONE_LEFT)}
    used = {
        edge.guard.words: id(edge.guard)
        for machine in MACHINES
        for edge in (*machine.births, *machine.edges, *machine.asks)
        if edge.guard
    }
    assert {words for words, guard in used.items() if guard not in tried} == set()
