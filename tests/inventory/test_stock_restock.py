import pytest

from core.errors import Conflict, NotFound
from inventory.models import Reservation
from inventory.services import (
    reservation_commit,
    reservation_release,
    reservation_ship,
    stock_restock,
)
from tests.factories import TESTER
from tests.factories.stock import broken_stock_views, counters, in_command, make_stock, reserve

pytestmark = pytest.mark.django_db


@pytest.fixture
def row() -> Reservation:
    """Four units, three of which have left."""
    row = reserve(make_stock(units=10), 4)
    in_command(reservation_commit, references=[row.reference])
    in_command(reservation_ship, quantities={row.reference: 3})
    return row


def restock(reference: int, quantity: int, key: str = "return 1") -> None:
    stock_restock(reference=reference, quantity=quantity, dedup_key=key, actor=TESTER)


def test_ship_then_restock_puts_the_units_back_on_the_shelf(row: Reservation) -> None:
    restock(row.reference, 3)

    assert counters(row.stock_item) == (10, 1)
    assert broken_stock_views() == {}


def test_a_repeated_restock_is_quiet(row: Reservation) -> None:
    for _ in range(2):
        restock(row.reference, 3)

    assert counters(row.stock_item) == (10, 1)


def test_no_more_comes_back_than_has_left(row: Reservation) -> None:
    restock(row.reference, 2)

    with pytest.raises(Conflict, match=r"stock\.restock_exceeded"):
        restock(row.reference, 2, key="return 2")

    assert counters(row.stock_item) == (9, 1)
    assert broken_stock_views() == {}


def test_what_left_before_the_rest_was_released_can_come_back(row: Reservation) -> None:
    in_command(reservation_release, references=[row.reference], reason="cancelled")

    restock(row.reference, 3)

    assert counters(row.stock_item) == (10, 0)
    assert broken_stock_views() == {}


def test_units_of_no_known_line_come_back_to_a_stock_item() -> None:
    item = make_stock(units=10)

    stock_restock(stock_item_id=item.pk, quantity=2, dedup_key="found", actor=TESTER)

    assert counters(item) == (12, 0)
    assert broken_stock_views() == {}


def test_an_unknown_line_is_refused() -> None:
    with pytest.raises(NotFound, match=r"stock\.unknown"):
        restock(123, 1)
