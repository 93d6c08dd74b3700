"""Stock for tests, and the parts of its services run as a service would run them."""

from collections.abc import Callable
from itertools import count
from typing import Any, TypeVar

from django.db import connection

from catalog.models import Sku
from core.command import command
from inventory.models import Reservation, StockItem
from inventory.selectors import stock_for
from inventory.services import Want, stock_receive, stock_reserve
from tests.factories import TESTER, fresh, make_sku

R = TypeVar("R")

_line_ids = count(1_000_001)


def in_command(part: Callable[..., R], **arguments: Any) -> R:
    """Runs a part in a transaction of its own, by the tester."""
    return command(lambda: part(**{"actor": TESTER, **arguments}))()


def make_stock(sku: Sku | None = None, *, units: int = 10) -> StockItem:
    """A stock item with that many units."""
    sku = sku or make_sku()
    item_id = stock_receive(
        sku_id=sku.pk, quantity=units, dedup_key=fresh("stock-{}"), actor=TESTER
    )
    return StockItem.objects.get(pk=item_id)


def want(item: StockItem, quantity: int = 1, *, reference: int | None = None) -> Want:
    """Units of that item for a new order line, or for the one given."""
    [option] = stock_for([item.sku_id]).values()
    return Want(
        reference=reference or next(_line_ids),
        sku_id=item.sku_id,
        stock_item_id=option.stock_item_id,
        shard_key=option.shard_key,
        quantity=quantity,
    )


def reserve(item: StockItem, quantity: int = 1, *, reference: int | None = None) -> Reservation:
    """A held reservation."""
    [row] = in_command(stock_reserve, wants=[want(item, quantity, reference=reference)])
    return row


def counters(item: StockItem) -> tuple[int, int]:
    """(on hand, reserved) as the database has them now."""
    return StockItem.objects.values_list("on_hand", "reserved").get(pk=item.pk)


def broken(view: str) -> list[tuple[Any, ...]]:
    """The rows of an audit view."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM audit.{view}")
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


STOCK_VIEWS = (
    "inv_01_reserved_equals_reservations",
    "inv_02_stock_equals_journal",
    "inv_03_stock_bounds",
    "inv_03_stock_bounds_guarded",
    "inv_04_no_oversell",
)


def broken_stock_views() -> dict[str, list[tuple[Any, ...]]]:
    """The stock's audit views that are not empty."""
    return {view: rows for view in STOCK_VIEWS if (rows := broken(view))}
