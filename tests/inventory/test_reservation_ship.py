import pytest

from core.errors import Conflict, Invalid
from inventory.models import Reservation, StockMovement
from inventory.services import reservation_commit, reservation_ship
from tests.factories.stock import broken_stock_views, counters, in_command, make_stock, reserve

pytestmark = pytest.mark.django_db


@pytest.fixture
def row() -> Reservation:
    row = reserve(make_stock(units=10), 4)
    in_command(reservation_commit, references=[row.reference])
    return row


def ship(row: Reservation, quantity: int) -> Reservation:
    in_command(reservation_ship, quantities={row.reference: quantity})
    return Reservation.objects.get(pk=row.pk)


def test_what_ships_leaves_the_shelf_and_the_promise(row: Reservation) -> None:
    shipped = ship(row, 4)

    movement = StockMovement.objects.get(reason="ship")
    assert (shipped.status, shipped.shipped_quantity) == ("shipped", 4)
    assert (movement.on_hand_change, movement.reserved_change) == (-4, -4)
    assert counters(row.stock_item) == (6, 0)
    assert broken_stock_views() == {}


def test_a_line_ships_in_parts_and_is_shipped_with_the_last_unit(row: Reservation) -> None:
    first = ship(row, 3)
    assert (first.status, first.shipped_quantity, first.outstanding) == ("committed", 3, 1)
    assert counters(row.stock_item) == (7, 1)
    assert broken_stock_views() == {}

    assert ship(row, 1).status == "shipped"
    assert counters(row.stock_item) == (6, 0)
    assert broken_stock_views() == {}


def test_shipping_again_what_has_left_whole_is_quiet(row: Reservation) -> None:
    for _ in range(2):
        ship(row, 4)

    assert counters(row.stock_item) == (6, 0)


def test_no_more_ships_than_was_promised(row: Reservation) -> None:
    ship(row, 3)

    with pytest.raises(Conflict, match=r"reservation\.exceeded") as refusal:
        ship(row, 2)

    assert refusal.value.facts["outstanding"] == 1
    assert counters(row.stock_item) == (7, 1)


@pytest.mark.parametrize("quantity", [1, 4])
def test_unpaid_units_do_not_ship(quantity: int) -> None:
    row = reserve(make_stock(), 4)

    with pytest.raises(Conflict, match=r"state\.conflict"):
        ship(row, quantity)


@pytest.mark.parametrize("quantity", [0, -1])
def test_a_senseless_quantity_is_refused(row: Reservation, quantity: int) -> None:
    with pytest.raises(Invalid, match=r"stock\.quantity"):
        ship(row, quantity)


def test_all_lines_ship_or_none(row: Reservation) -> None:
    other = reserve(make_stock(), 1)

    with pytest.raises(Conflict):
        in_command(reservation_ship, quantities={row.reference: 4, other.reference: 1})

    assert Reservation.objects.get(pk=row.pk).shipped_quantity == 0
    assert broken_stock_views() == {}
