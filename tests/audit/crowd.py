"""Makes thousands of the walked groups by copying their rows under shifted ids."""

from django.db import connection

# Every walked id lies within one step, and steps keep the gene in an id's low 12 bits.
STEP = 1 << 44
# Ids are greater than this, amounts and numbers of our own sequences are not.
SMALLEST_ID = 1 << 50
TABLES = (
    "orders_ordergroup",
    "orders_order",
    "orders_orderline",
    "orders_cancelrequest",
    "payments_payment",
    "payments_paymentshare",
    "payments_attempt",
    "payments_refund",
    "payments_refundshare",
    "payments_channelfact",
    "payments_bankstatement",
    "payments_bankline",
    "payments_senderaccount",
    "payments_linematch",
    "payments_manualtransfer",
    "payments_ledgertransaction",
    "payments_ledgerentry",
    "inventory_reservation",
    "inventory_stockmovement",
    "delivery_shipment",
    "delivery_shipmentline",
    "delivery_parcelevent",
    "core_statechange",
    "core_outboxstream",
    "core_outboxevent",
    "core_inboxeffect",
)
SHARED = ("stock_item_id",)
UNIQUE_WORDS = (
    *("number", "checkout_token", "channel_ref", "request_key", "dedup_key", "bank_ref"),
    "sha256",
)
COLUMNS = """
    SELECT column_name, data_type FROM information_schema.columns
    WHERE table_schema = 'public' AND table_name = %s ORDER BY ordinal_position
"""
COUNT_STOCK = """
    UPDATE inventory_stockitem item SET on_hand = journal.on_hand, reserved = journal.reserved
    FROM (SELECT stock_item_id, sum(on_hand_change) AS on_hand, sum(reserved_change) AS reserved
          FROM inventory_stockmovement GROUP BY stock_item_id) AS journal
    WHERE journal.stock_item_id = item.id
"""


def multiply(times: int) -> None:
    """Adds so many copies of every group, with its money, stock, parcels, history and events."""
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(COLUMNS, [table])
            names, values = zip(*(_copied(*column) for column in cursor.fetchall()), strict=True)
            cursor.execute(
                f"INSERT INTO {table} ({', '.join(names)}) SELECT {', '.join(values)}"
                f" FROM {table}, generate_series(1, {times}) AS copy"
            )
        cursor.execute(COUNT_STOCK)


def _copied(name: str, kind: str) -> tuple[str, str]:
    """A column, quoted, and its value in the copy."""
    column = f'"{name}"'
    if kind == "uuid":
        return column, f"md5({column}::text || copy)::uuid"
    if name == "aggregate_id":  # also of merchants and products, whose numbers are small
        return column, _shifted(column)
    if kind == "bigint" and name not in SHARED:
        return (
            column,
            f"CASE WHEN {column} > {SMALLEST_ID} THEN {_shifted(column)} ELSE {column} END",
        )
    if name in UNIQUE_WORDS:
        return column, f"CASE WHEN {column} <> '' THEN {column} || '~' || copy ELSE '' END"
    if name == "ref":  # of a posting: the kind of what it books, its id, and the try
        parts = [f"split_part({column}, ':', {number})" for number in (1, 2, 3)]
        return (
            column,
            f"concat_ws(':', {parts[0]}, {_shifted(f'{parts[1]}::bigint')}, nullif({parts[2]}, ''))",
        )
    return column, column


def _shifted(number: str) -> str:
    return f"{number} + copy * {STEP}"
