"""Whatever is done to a stock item, in whatever order, its books hold; refusals change nothing."""

from collections.abc import Callable

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import DomainError
from inventory.models import Reservation, StockItem
from inventory.services import (
    reservation_commit,
    reservation_release,
    reservation_ship,
    stock_adjust,
    stock_restock,
)
from tests.factories import TESTER, fresh
from tests.factories.stock import broken_stock_views, counters, in_command, make_stock, reserve

pytestmark = pytest.mark.django_db

LINES = (71, 72, 73)
Step = Callable[[StockItem, int, int], object]

STEPS: dict[str, Step] = {
    "reserve": lambda item, line, units: reserve(item, units, reference=line),
    "commit": lambda item, line, units: in_command(reservation_commit, references=[line]),
    "release": lambda item, line, units: in_command(
        reservation_release, references=[line], reason="test"
    ),
    "ship": lambda item, line, units: in_command(reservation_ship, quantities={line: units}),
    "restock": lambda item, line, units: stock_restock(
        reference=line, quantity=units, dedup_key=fresh("back-{}"), actor=TESTER
    ),
    "adjust": lambda item, line, units: stock_adjust(
        stock_item_id=item.pk,
        change=units - 3 or 1,
        reason_note="counted",
        dedup_key=fresh("count-{}"),
        actor=TESTER,
    ),
}
steps = st.tuples(st.sampled_from(sorted(STEPS)), st.sampled_from(LINES), st.integers(1, 5))


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(steps, min_size=5, max_size=20))
def test_the_books_hold_after_any_steps(sequence: list[tuple[str, int, int]]) -> None:
    before_all = transaction.savepoint()
    try:
        _walk(make_stock(units=6), sequence)
        assert broken_stock_views() == {}
    finally:
        transaction.savepoint_rollback(before_all)


def _walk(item: StockItem, sequence: list[tuple[str, int, int]]) -> None:
    for name, line, units in sequence:
        before = counters(item)
        if name == "reserve" and _is_live(line):
            continue
        try:
            STEPS[name](item, line, units)
        except DomainError:
            assert counters(item) == before


def _is_live(line: int) -> bool:
    return Reservation.objects.filter(reference=line).exclude(status="released").exists()
