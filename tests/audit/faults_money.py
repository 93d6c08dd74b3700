"""Faults of money: what groups owe and have paid, what channels said, what the book says."""

from orders.models import Order, OrderGroup
from tests.audit.plant import fault, release, step

# A second capture of the paid group's payment; the gene's neighbour escapes the unique constraint.
SAME_REFERENCE = """
    INSERT INTO payments_channelfact (id, shard_key, attempt_id, channel, kind, amount_minor,
        currency, channel_ref, origin, at)
    SELECT id # 1, shard_key # 1, attempt_id, channel, kind, amount_minor, currency, channel_ref,
        origin, at
    FROM payments_channelfact fact WHERE {which}
"""
PAID = "attempt_id IN (SELECT id FROM payments_attempt WHERE payment_id = {paid_payment})"
SAID = """
    INSERT INTO payments_channelfact (id, shard_key, attempt_id, channel, kind, amount_minor,
        currency, channel_ref, origin, at)
    SELECT id, shard_key, id, channel, '{kind}', amount_minor, currency, 'planted', 'query',
        business_now()
    FROM payments_attempt WHERE payment_id = {payment}
"""


def said(kind: str, name: str) -> str:
    """The channel has said one thing more about that group's attempt."""
    return SAID.replace("{kind}", kind).replace("{payment}", f"{{{name}_payment}}")


GROUPS = {
    "inv_12_currency_match": [
        fault(
            "12 a group in another currency",
            "UPDATE orders_ordergroup SET currency = 'USD' WHERE id = {pending}",
        ),
        fault(
            "12b an order in another currency",
            "UPDATE orders_order SET currency = 'USD' WHERE id = {pending_order1}",
        ),
        fault(
            "12c a payment in another currency",
            "UPDATE payments_payment SET currency = 'USD' WHERE id = {promised_payment}",
        ),
    ],
    "inv_12_money_currency": [
        fault(
            "12d money in another currency",
            "UPDATE payments_channelfact SET currency = 'USD' WHERE kind = 'captured'",
            also="I15",
        ),
        fault("12e an attempt in another currency", "UPDATE payments_attempt SET currency = 'USD'"),
        fault("12f a refund in another currency", "UPDATE payments_refund SET currency = 'USD'"),
    ],
    "inv_13_group_against_money": [
        fault(
            "13 a group cancelled over its money",
            "UPDATE orders_ordergroup SET status = 'cancelled' WHERE id = {completed}",
            also="I17 Q02",
        ),
        fault("13b paid and still waiting", said("captured", "promised"), also="I15 P01 P02"),
        fault(
            "13c expired, paid, and not given back",
            step(OrderGroup, "expire", "promised"),
            said("captured", "promised"),
            also="I15 P01 P02 Q02",
        ),
        fault(
            "13g paid and expiring all the same",
            step(OrderGroup, "start_expiring", "promised"),
            said("captured", "promised"),
            also="I15 P01 P02",
        ),
        fault("13d paid without money", step(OrderGroup, "reinstate", "expired"), also="Q04"),
    ],
    "inv_13b_cancelled_order_refunded": [
        fault(
            "13e cancelled and not refunded",
            step(Order, "cancel", "paid_order1"),
            release("paid_order1"),
            also="Q04",
        ),
        fault(
            "13f refunded to the wrong order",
            """
            UPDATE payments_refundshare SET order_id = {returned_order2}
            WHERE order_id = {returned_order1}
            """,
            also="P01",
        ),
    ],
    "inv_13b_called_off_units_refunded": [
        fault(
            "13h units called off and not refunded",
            "UPDATE orders_orderline SET cancelled_quantity = 1 WHERE order_id = {paid_order1}",
            also="I05",
        ),
        fault(
            "13i more refunded than was called off",
            "UPDATE orders_orderline SET cancelled_quantity = cancelled_quantity - 1"
            " WHERE order_id = {reduced_order1}",
            also="I05",
        ),
    ],
    "inv_14_overpaid": [
        fault("14 captured twice", said("captured", "paid"), also="I10 I15 P01"),
        fault(
            "14b more was taken than the group costs",
            """
            UPDATE orders_ordergroup SET items_minor = items_minor - 1,
                total_minor = total_minor - 1
            WHERE id = {paid}
            """,
            also="I16",
        ),
    ],
}

CHANNELS = {
    "inv_10_capture_refund_bounds": [
        fault(
            "10 more goes back than came",
            "UPDATE payments_refund SET amount_minor = amount_minor + 1"
            " WHERE payment_id = {late_payment}",
            also="I13 P01 P03",
        ),
        fault(
            "10b more taken than asked for",
            "UPDATE payments_attempt SET amount_minor = amount_minor - 1"
            " WHERE payment_id = {paid_payment}",
        ),
    ],
    "inv_11_channel_ref_once": [
        fault("11 a refusal kept twice", SAME_REFERENCE.replace("{which}", "kind = 'failed'")),
        fault(
            "11b a capture kept twice",
            SAME_REFERENCE.replace("{which}", f"kind = 'captured' AND {PAID}"),
            also="I14 I15 P01",
        ),
    ],
    "inv_30_unknown_outcome": [
        fault(
            "30 nobody asked what became of an attempt",
            "UPDATE payments_attempt SET status_changed_at = business_now() - interval '16 minutes'"
            " WHERE payment_id = {promised_payment}",
        ),
        fault(
            "30b nobody asked what became of a refund",
            """
            UPDATE payments_refund
            SET status = 'sent', status_changed_at = business_now() - interval '16 minutes'
            """,
            also="I17 P02 P04",
        ),
    ],
    "payments_01_counters": [
        fault(
            "P01 a capture counted twice",
            "UPDATE payments_payment SET captured_minor = 2 * captured_minor",
        ),
        fault(
            "P01b a refund counted and not made",
            "UPDATE payments_payment SET refunded_minor = 1 WHERE id = {paid_payment}",
        ),
        fault(
            "P01c a share counted and not refunded",
            "UPDATE payments_paymentshare SET refunded_minor = 1 WHERE payment_id = {paid_payment}",
            also="P05",
        ),
    ],
    "payments_02_fold": [
        fault("P02 a refusal not heeded", said("failed", "promised")),
        fault(
            "P02b captured by nobody's word",
            "UPDATE payments_payment SET captured_minor = 0 WHERE id = {paid_payment}",
            also="P01",
        ),
        fault(
            "P02c refunded by nobody's word",
            "DELETE FROM payments_channelfact WHERE kind = 'refund_succeeded'",
        ),
    ],
    "payments_03_parts": [
        fault(
            "P03 a payment that is more than its shares",
            "UPDATE payments_payment SET amount_minor = amount_minor + 1"
            " WHERE id = {pending_payment}",
            also="I16",
        ),
        fault(
            "P03b a refund without parts",
            "DELETE FROM payments_refundshare WHERE order_id IS NULL",
        ),
    ],
}

POSTINGS_OF_PAID = f"""
    SELECT posting.id FROM payments_ledgertransaction posting
    JOIN payments_channelfact fact ON posting.ref = 'fact:' || fact.id WHERE {PAID}
"""

BOOK = {
    "inv_06_ledger_zero": [
        fault(
            "06 a leg is missing",
            "DELETE FROM payments_ledgerentry WHERE account_id = 'commission_income:EUR'",
            also="I08",
        ),
        fault(
            "06b a posting of nothing",
            """
            INSERT INTO payments_ledgertransaction (id, shard_key, kind, ref, actor, posted_at)
            SELECT id, shard_key, 'planted', '', '', business_now() FROM payments_payment
            WHERE id = {paid_payment}
            """,
        ),
    ],
    "inv_07_ledger_currency": [
        fault(
            "07 a posting in another currency than its accounts",
            """
            UPDATE payments_ledgerentry SET currency = 'USD' WHERE transaction_id IN (
                SELECT id FROM payments_ledgertransaction WHERE kind = 'completion')
            """,
        ),
    ],
    "inv_08_ledger_book_zero": [
        fault(
            "08 money from nowhere",
            "UPDATE payments_ledgerentry SET amount_minor = amount_minor - 1"
            " WHERE account_id = 'merchant_payable:EUR'",
            also="I06",
        ),
    ],
    "inv_09_account_floor": [
        fault(
            "09 a debt under its floor",
            "UPDATE payments_ledgeraccount SET min_balance_minor = 10000000 WHERE code = 'escrow'",
        ),
        fault(
            "09b an asset under its floor",
            "UPDATE payments_ledgeraccount SET min_balance_minor = 10000000"
            " WHERE code = 'channel_clearing'",
        ),
    ],
    "inv_15_money_in_ledger": [
        fault(
            "15 a capture that was never booked",
            f"DELETE FROM payments_ledgerentry WHERE transaction_id IN ({POSTINGS_OF_PAID})",
            f"DELETE FROM payments_ledgertransaction WHERE id IN ({POSTINGS_OF_PAID})",
            also="P05",
        ),
        fault(
            "15b a refund booked under another name",
            "UPDATE payments_ledgertransaction SET ref = ref || '0' WHERE kind = 'refund'",
        ),
        fault(
            "15c booked by another amount",
            """
            UPDATE payments_ledgerentry SET amount_minor = 2 * amount_minor
            WHERE transaction_id IN (
                SELECT id FROM payments_ledgertransaction WHERE kind = 'refund')
            """,
            also="I09 P04",
        ),
    ],
    "payments_04_in_flight": [
        fault(
            "P04 a refund that the book has in flight for ever",
            "UPDATE payments_ledgerentry SET account_id = 'merchant_payable:EUR'"
            " WHERE account_id = 'refunds_in_flight:EUR' AND amount_minor > 0",
        ),
    ],
    "payments_05_escrow": [
        fault(
            "P05 one order's money held for another",
            "UPDATE payments_ledgerentry SET order_id = {paid_order2}"
            " WHERE account_id = 'escrow:EUR' AND order_id = {paid_order1}",
        ),
        fault(
            "P05b more given out than was held",
            """
            UPDATE payments_ledgerentry SET amount_minor = 2 * amount_minor
            WHERE transaction_id IN (
                SELECT id FROM payments_ledgertransaction WHERE kind = 'completion')
            """,
        ),
    ],
}
