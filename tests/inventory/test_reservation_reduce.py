"""Giving up some units of a line: on sale again, or lost; and what is left of it goes on."""

import pytest

from core.errors import Conflict, Invalid
from inventory.models import Reservation, StockMovement
from inventory.services import (
    reservation_commit,
    reservation_reduce,
    reservation_release,
    reservation_ship,
    stock_take,
)
from tests.factories.stock import (
    broken_stock_views,
    counters,
    in_command,
    make_stock,
    reserve,
    want,
)

pytestmark = pytest.mark.django_db


def reduce(row: Reservation, units: int, **choice: bool) -> Reservation:
    quantities = {row.reference: units}
    in_command(reservation_reduce, quantities=quantities, reason="called off", **choice)
    return Reservation.objects.get(pk=row.pk)


def committed(units: int, *, shipped: int = 0) -> Reservation:
    row = reserve(make_stock(units=10), units)
    in_command(reservation_commit, references=[row.reference])
    if shipped:
        in_command(reservation_ship, quantities={row.reference: shipped})
    return row


def test_units_go_back_on_sale_until_none_is_left() -> None:
    row = reserve(make_stock(units=10), 4)
    left = reduce(row, 1)
    assert (left.status, left.outstanding) == ("held", 3)
    assert counters(row.stock_item) == (10, 3)
    assert reduce(row, 3).status == "released"
    assert counters(row.stock_item) == (10, 0)
    assert broken_stock_views() == {}


def test_lost_units_leave_the_shelf() -> None:
    row = committed(4)
    assert reduce(row, 1, restock=False).outstanding == 3
    assert reduce(row, 3, restock=False).status == "released"
    assert counters(row.stock_item) == (6, 0)
    changes = StockMovement.objects.filter(reason="write_off").order_by("id")
    assert [(move.on_hand_change, move.reserved_change) for move in changes] == [(-1, -1), (-3, -3)]
    assert broken_stock_views() == {}


def test_a_line_whose_other_units_have_left_has_shipped() -> None:
    row = committed(4, shipped=3)
    assert reduce(row, 1).status == "shipped"
    assert counters(row.stock_item) == (7, 0)
    assert broken_stock_views() == {}


def test_the_last_unit_that_is_left_ships_the_line() -> None:
    row = committed(4)
    reduce(row, 2)
    in_command(reservation_ship, quantities={row.reference: 2})
    assert Reservation.objects.get(pk=row.pk).status == "shipped"
    assert counters(row.stock_item) == (8, 0)
    assert broken_stock_views() == {}


def test_a_reduced_line_is_released_with_what_is_left_of_it() -> None:
    row = reserve(make_stock(units=10), 4)
    reduce(row, 1)
    in_command(reservation_release, references=[row.reference], reason="timeout")
    assert Reservation.objects.get(pk=row.pk).released_quantity == 4
    assert counters(row.stock_item) == (10, 0)
    assert broken_stock_views() == {}


@pytest.mark.parametrize(("units", "kind"), [(0, Invalid), (-1, Invalid), (4, Conflict)])
def test_only_what_is_outstanding_is_given_up(units: int, kind: type[Exception]) -> None:
    row = committed(4, shipped=1)
    with pytest.raises(kind):
        reduce(row, units)
    assert counters(row.stock_item) == (9, 3)


def test_what_is_released_already_can_not_be_given_up() -> None:
    row = reserve(make_stock(), 1)
    reduce(row, 1)
    with pytest.raises(Conflict, match=r"reservation\.released"):
        reduce(row, 1)


def test_stock_is_taken_and_sold_at_once() -> None:
    item = make_stock(units=4)
    assert in_command(stock_take, wants=[want(item, 4)])
    assert Reservation.objects.get().status == "committed"
    assert counters(item) == (4, 4)
    assert broken_stock_views() == {}


def test_stock_that_is_short_is_not_taken() -> None:
    item = make_stock(units=4)
    assert not in_command(stock_take, wants=[want(item, 5)])
    assert counters(item) == (4, 0)
