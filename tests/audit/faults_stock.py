"""Faults of stock and of the orders that it is promised to."""

from orders.models import Order, OrderGroup
from tests.audit.plant import fault, release, step

UNGUARD = "ALTER TABLE inventory_stockitem DROP CONSTRAINT inventory_stockitem_bounds"

LINES = "SELECT id FROM orders_orderline WHERE order_id = {paid_order1}"

STOCK = {
    "inv_01_reserved_equals_reservations": [
        fault(
            "01 units reserved for nobody",
            "UPDATE inventory_stockitem SET reserved = reserved + 1",
            """
            INSERT INTO inventory_stockmovement (id, shard_key, stock_item_id, on_hand_change,
                reserved_change, reason, note, dedup_key, actor, at)
            SELECT id, shard_key, id, 0, 1, 'reserve', '', 'planted ' || id, '', business_now()
            FROM inventory_stockitem
            """,
        ),
        fault(
            "01b units given up and reserved all the same",
            f"UPDATE inventory_reservation SET released_quantity = 1 WHERE reference IN ({LINES})",
            also="I05",
        ),
    ],
    "inv_02_stock_equals_journal": [
        fault(
            "02 a counter moved off the books",
            "UPDATE inventory_stockitem SET on_hand = on_hand - 1",
        ),
        fault(
            "02b what came was never written down",
            "DELETE FROM inventory_stockmovement WHERE reason = 'receive'",
            also="I04",
        ),
    ],
    "inv_03_stock_bounds": [
        fault(
            "03 more reserved than there is",
            UNGUARD,
            "UPDATE inventory_stockitem SET reserved = 200",
            also="I01 I02",
        ),
        fault(
            "03b less than nothing on hand",
            UNGUARD,
            "UPDATE inventory_stockitem SET on_hand = -1",
            also="I02",
        ),
    ],
    "inv_03_stock_bounds_guarded": [fault("03c the guard was taken away", UNGUARD)],
    "inv_04_no_oversell": [
        fault(
            "04 more sold than ever came",
            """
            UPDATE inventory_reservation
            SET quantity = 101, shipped_quantity = 101, released_quantity = 0
            WHERE status = 'shipped'
            """,
            also="I05",
        ),
        fault(
            "04b more sold than was left after a loss",
            "UPDATE inventory_stockmovement SET on_hand_change = -50 WHERE reason = 'write_off'",
            also="I02",
        ),
    ],
    "inv_05_line_backing": [
        fault("05 a paid order without its stock", release("paid_order1")),
        fault(
            "05b a dead group that holds stock",
            step(OrderGroup, "cancel", "pending"),
            step(Order, "cancel", "pending_order1", "pending_order2"),
            also="Q04",
        ),
        fault(
            "05c an expiring group without its stock",
            step(OrderGroup, "start_expiring", "pending"),
            release("pending_order1", "pending_order2"),
        ),
        fault(
            "05d fewer units held than ordered",
            """
            UPDATE orders_orderline
            SET quantity = quantity + 1, total_minor = total_minor + unit_price_minor
            WHERE order_id = {pending_order1}
            """,
            also="I16",
        ),
    ],
    "inv_16_total_equals_lines": [
        fault(
            "16 a line that costs more than its order says",
            """
            UPDATE orders_orderline
            SET unit_price_minor = unit_price_minor + 1, total_minor = total_minor + quantity
            WHERE order_id = {pending_order1}
            """,
        ),
        fault(
            "16b a group that costs more than its orders",
            """
            UPDATE orders_ordergroup
            SET delivery_minor = delivery_minor + 1, total_minor = total_minor + 1
            WHERE id = {pending}
            """,
        ),
        fault(
            "16e a tax that no line knows of",
            "UPDATE orders_order SET tax_minor = tax_minor + 1 WHERE id = {pending_order1}",
        ),
        fault(
            "16f a discount of no order",
            """
            UPDATE orders_ordergroup
            SET discount_minor = discount_minor + 1, items_minor = items_minor + 1
            WHERE id = {pending}
            """,
            also="Q06",
        ),
    ],
    "inv_16_payable_equals_payment": [
        fault(
            "16c a payment that asks for what was called off of the group",
            "UPDATE orders_ordergroup SET called_off_minor = 1 WHERE id = {pending}",
            also="I17b",
        ),
        fault(
            "16d a share of what was called off of the order",
            "UPDATE orders_order SET called_off_minor = 1 WHERE id = {pending_order1}",
            also="I13b I17b",
        ),
    ],
}

# What a capability keeps, and a column of it that no other view reads in that row.
REFERENCES = {
    "a payment": ("payments_payment", "reference", "id = {pending_payment}"),
    "a share": ("payments_paymentshare", "order_id", "payment_id = {pending_payment}"),
    "a refund": ("payments_refund", "reference", "true"),
    "a ledger entry": (
        "payments_ledgerentry",
        "order_id",
        "account_id = 'refunds_in_flight:EUR'",
    ),
    "a reservation": ("inventory_reservation", "reference", "status = 'released'"),
    "a movement": ("inventory_stockmovement", "reference", "reason = 'release'"),
    "a parcel": ("delivery_shipment", "reference", "true"),
    "a parcel's line": ("delivery_shipmentline", "reference", "true"),
}
BELONGING = {
    "inv_q01_reference_to_nothing": [
        *(
            fault(f"Q01 {what} of nobody", f"UPDATE {table} SET {column} = -{column} WHERE {rows}")
            for what, (table, column, rows) in REFERENCES.items()
        ),
        fault(
            "Q01 a refund's part of nobody",
            "UPDATE payments_refundshare SET order_id = -order_id WHERE order_id = {late_order1}",
            also="P01",
        ),
        fault(
            "Q01 a dispute's part of nobody",
            "UPDATE payments_chargebackshare SET order_id = -order_id",
            also="P07",
        ),
    ],
    "inv_q02_orders_follow_group": [
        fault("Q02 a dead group whose orders live", step(OrderGroup, "expire", "pending")),
        fault(
            "Q02b a paid group whose order still waits",
            step(OrderGroup, "pay", "pending"),
            step(Order, "pay", "pending_order1"),
            also="I13",
        ),
        fault(
            "Q02c an order that is paid before its group",
            step(Order, "pay", "pending_order1"),
        ),
        fault(
            "Q02d an order called off alone and to be paid all the same",
            step(Order, "cancel", "pending_order1"),
            release("pending_order1"),
            also="Q04",
        ),
    ],
    "inv_q03_cancel_requests": [
        fault(
            "Q03 a request that nobody knows of",
            "UPDATE orders_order SET cancel_requested_until = NULL WHERE id = {asked_order1}",
            also="I17b",
        ),
        fault(
            "Q03b a request that nobody made",
            "UPDATE orders_order SET cancel_requested_until = business_now()"
            " WHERE id = {packing_order1}",
            also="I17b",
        ),
        fault(
            "Q03c silence that does not answer",
            "UPDATE orders_order SET cancel_requested_until = business_now() - interval '6 minutes'"
            " WHERE id = {asked_order1}",
            "UPDATE orders_cancelrequest SET deadline = business_now() - interval '6 minutes'",
            also="I17b",
        ),
        fault("Q03d a request for what has left", step(Order, "ship", "asked_order1")),
    ],
    "inv_q04_units_of_dead_orders": [
        fault(
            "Q04 a unit left open of an order that was called off",
            "UPDATE orders_orderline SET cancelled_quantity = cancelled_quantity - 1"
            " WHERE order_id = {returned_order1}",
        ),
        fault(
            "Q04b what was called off before its group ran out of time could come back with it",
            "UPDATE orders_orderline SET cancelled_quantity = cancelled_quantity - 1"
            " WHERE order_id = {lapsed_order1}",
        ),
    ],
}
