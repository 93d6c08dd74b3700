"""Each view catches its planted fault, and nothing else does."""

import pytest
from django.db import connection

from inventory.models import Reservation, StockItem, StockMovement
from inventory.services import reservation_commit
from tests.factories.stock import broken_stock_views, in_command, make_stock, reserve

pytestmark = pytest.mark.django_db

UNGUARD = "ALTER TABLE inventory_stockitem DROP CONSTRAINT inventory_stockitem_bounds"


@pytest.fixture
def row() -> Reservation:
    """One unit of ten sold; the views are empty."""
    row = reserve(make_stock(units=10))
    in_command(reservation_commit, references=[row.reference])
    assert broken_stock_views() == {}
    return row


def execute(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(sql)


def move(row: Reservation, **change: int) -> None:
    """A movement and its counters, so that the journal holds."""
    StockMovement.objects.bulk_create(
        [
            StockMovement.build(
                row.shard_key,
                stock_item_id=row.stock_item_id,
                reason="reserve",
                dedup_key="planted",
                at=row.status_changed_at,
                **{f"{name}_change": units for name, units in change.items()},
            )
        ]
    )
    item = StockItem.objects.get(pk=row.stock_item_id)
    StockItem.objects.filter(pk=item.pk).update(
        **{name: getattr(item, name) + units for name, units in change.items()}
    )


def test_units_reserved_for_nobody_are_found(row: Reservation) -> None:
    move(row, reserved=1)

    assert set(broken_stock_views()) == {"inv_01_reserved_equals_reservations"}


def test_a_counter_that_moved_off_the_books_is_found(row: Reservation) -> None:
    StockItem.objects.filter(pk=row.stock_item_id).update(on_hand=9)

    assert set(broken_stock_views()) == {"inv_02_stock_equals_journal"}


def test_more_reserved_than_on_hand_is_found(row: Reservation) -> None:
    execute(UNGUARD)
    StockItem.objects.filter(pk=row.stock_item_id).update(reserved=11)

    assert "inv_03_stock_bounds" in broken_stock_views()


def test_a_guard_that_was_taken_away_is_found() -> None:
    execute(UNGUARD)

    assert set(broken_stock_views()) == {"inv_03_stock_bounds_guarded"}


def test_a_guard_that_was_never_checked_is_found() -> None:
    execute(UNGUARD)
    execute(
        "ALTER TABLE inventory_stockitem ADD CONSTRAINT inventory_stockitem_bounds"
        " CHECK (reserved >= 0 AND reserved <= on_hand) NOT VALID"
    )

    assert broken_stock_views() == {
        "inv_03_stock_bounds_guarded": [("inventory_stockitem_bounds",)]
    }


def test_more_sold_than_ever_came_is_found(row: Reservation) -> None:
    execute("ALTER TABLE inventory_stockitem DROP CONSTRAINT inventory_stockitem_bounds")
    Reservation.objects.filter(pk=row.pk).update(quantity=11)

    assert "inv_04_no_oversell" in broken_stock_views()
