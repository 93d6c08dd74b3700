"""How the counters of stock items move: journal first, then one conditional UPDATE, always last.

Only `stock_reserve` does not come through here: it joins the one statement that places an order.
"""

from collections import defaultdict
from collections.abc import Iterable

from django.db import connection
from django.utils.translation import gettext_lazy as _

from core.errors import Conflict, Invalid, ProgrammingMistake
from inventory.models import StockMovement

MOST_UNITS = 1_000_000  # in one movement; a mistyped number should not pass for stock
MOST_ON_HAND = 1_000_000_000
LONGEST_KEY = 100

MOVE = """
    WITH wanted AS (
        SELECT * FROM unnest(%s::bigint[], %s::int[], %s::int[]) AS given (id, on_hand, reserved)
    ), held AS (
        SELECT item.id FROM inventory_stockitem item JOIN wanted USING (id)
        ORDER BY item.id FOR NO KEY UPDATE OF item
    )
    UPDATE inventory_stockitem AS item
    SET on_hand = item.on_hand + wanted.on_hand, reserved = item.reserved + wanted.reserved
    FROM held JOIN wanted USING (id)
    WHERE item.id = held.id AND item.on_hand + wanted.on_hand <= %s
      AND item.reserved + wanted.reserved BETWEEN 0 AND item.on_hand + wanted.on_hand
    RETURNING item.id
"""


def require_quantity(quantity: int) -> None:
    """Raises Invalid `stock.quantity` unless it is 1 to a million units."""
    if not 1 <= quantity <= MOST_UNITS:
        raise Invalid(
            "stock.quantity",
            _("The quantity must be between 1 and %(most)s.") % {"most": MOST_UNITS},
            quantity=quantity,
            most=MOST_UNITS,
        )


def caller_key(merchant_id: int, dedup_key: str) -> str:
    """A caller's key as it is stored: apart from other merchants' and from our own."""
    if not 1 <= len(dedup_key) <= LONGEST_KEY:
        raise Invalid(
            "stock.key", _("The key must have 1 to %(most)s characters.") % {"most": LONGEST_KEY}
        )
    return f"{merchant_id}/{dedup_key}"


def write_once(movements: Iterable[StockMovement]) -> list[StockMovement]:
    """Writes the movements whose key is new and answers them; a known one is left out quietly.

    Raises Conflict `stock.key_reused` where a known movement says something else.
    """
    movements = sorted(movements, key=lambda row: (row.shard_key, row.dedup_key))
    StockMovement.objects.bulk_create(movements, ignore_conflicts=True)
    stored = {
        (row.shard_key, row.dedup_key): row
        for row in StockMovement.objects.filter(
            shard_key__in={row.shard_key for row in movements},
            dedup_key__in=[row.dedup_key for row in movements],
        )
    }
    new = []
    for row in movements:
        known = stored[row.shard_key, row.dedup_key]
        if known.id == row.id:
            new.append(row)
        elif _saying(known) != _saying(row):
            raise Conflict(
                "stock.key_reused", _("This key was used for another movement."), key=row.dedup_key
            )
    return new


def _saying(row: StockMovement) -> tuple[object, ...]:
    return row.stock_item_id, row.reason, row.on_hand_change, row.reserved_change, row.reference


def move(movements: Iterable[StockMovement]) -> set[int]:
    """Moves the counters by these movements, each stock item once; answers those it could not move.

    Locks the rows in id order. An item cannot move out of 0 ≤ reserved ≤ on_hand ≤ a billion; the
    caller must roll back then.
    """
    sums: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    for row in movements:
        sums[row.stock_item_id][0] += row.on_hand_change
        sums[row.stock_item_id][1] += row.reserved_change
    if not sums:
        return set()
    on_hand, reserved = zip(*sums.values(), strict=True)
    with connection.cursor() as cursor:
        cursor.execute(MOVE, [list(sums), list(on_hand), list(reserved), MOST_ON_HAND])
        return set(sums) - {row[0] for row in cursor.fetchall()}


def must_move(movements: Iterable[StockMovement]) -> None:
    """Moves counters that locked reservations vouch for; a miss means that the books are broken."""
    if stuck := move(movements):
        raise ProgrammingMistake(f"stock items {sorted(stuck)} do not cover their reservations")
