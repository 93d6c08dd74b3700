"""The invariants of the stock, as views that must be empty."""

from core.audit import invariant

invariant(
    "I01",
    "inv_01_reserved_equals_reservations",
    "the reserved units of a stock item are those of its open reservations",
    """
    SELECT item.id, item.reserved, coalesce(open.units, 0) AS expected
    FROM inventory_stockitem item
    LEFT JOIN (
        SELECT stock_item_id, sum(quantity - shipped_quantity - released_quantity) AS units
        FROM inventory_reservation WHERE status IN ('held', 'committed') GROUP BY stock_item_id
    ) open ON open.stock_item_id = item.id
    WHERE item.reserved <> coalesce(open.units, 0)
    """,
)
invariant(
    "I02",
    "inv_02_stock_equals_journal",
    "both counters of a stock item are the sums of its movements",
    """
    SELECT item.id, item.on_hand, item.reserved, coalesce(journal.on_hand, 0) AS journal_on_hand,
           coalesce(journal.reserved, 0) AS journal_reserved
    FROM inventory_stockitem item
    LEFT JOIN (
        SELECT stock_item_id, sum(on_hand_change) AS on_hand, sum(reserved_change) AS reserved
        FROM inventory_stockmovement GROUP BY stock_item_id
    ) journal ON journal.stock_item_id = item.id
    WHERE item.on_hand <> coalesce(journal.on_hand, 0)
       OR item.reserved <> coalesce(journal.reserved, 0)
    """,
)
invariant(
    "I03",
    "inv_03_stock_bounds",
    "no stock item has more reserved than on hand, or less than nothing",
    """
    SELECT id, on_hand, reserved FROM inventory_stockitem
    WHERE on_hand < 0 OR reserved < 0 OR reserved > on_hand
    """,
)
invariant(
    "I03",
    "inv_03_stock_bounds_guarded",
    "the constraints that keep stock and reservations in bounds exist and are valid",
    """
    SELECT name FROM unnest(ARRAY[
        'inventory_stockitem_bounds', 'inventory_reservation_quantity',
        'inventory_reservation_bounds', 'inventory_reservation_nothing_left',
        'inventory_stockmovement_moves'
    ]) AS name
    WHERE NOT EXISTS (
        SELECT FROM pg_constraint
        WHERE conname = name AND contype = 'c' AND convalidated
          AND connamespace = 'public'::regnamespace
    )
    """,
)
invariant(
    "I04",
    "inv_04_no_oversell",
    "no more units were sold from a stock item than ever came to it and were not written off",
    """
    SELECT sold.stock_item_id, sold.units AS sold, coalesce(came.units, 0) AS came
    FROM (
        SELECT stock_item_id,
               sum(CASE status WHEN 'committed' THEN quantity - released_quantity
                               ELSE shipped_quantity END) AS units
        FROM inventory_reservation GROUP BY stock_item_id
    ) sold
    LEFT JOIN (
        SELECT stock_item_id, sum(on_hand_change) AS units
        FROM inventory_stockmovement
        WHERE reason IN ('receive', 'adjust', 'restock', 'transfer', 'write_off')
        GROUP BY stock_item_id
    ) came ON came.stock_item_id = sold.stock_item_id
    WHERE sold.units > coalesce(came.units, 0)
    """,
)
