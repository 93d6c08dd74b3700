"""Faults of statements and payouts; two statements of each merchant are closed, one payout paid."""

from tests.audit.plant import fault

FIRST = "(SELECT min(id) FROM payments_statement)"
OF_FIRST = f"(SELECT min(entry_id) FROM payments_statemententry WHERE statement_id = {FIRST})"

SETTLEMENT = {
    "settlement_01_listed_once": [
        fault(
            "T01 an entry on two statements",
            f"""
            INSERT INTO payments_statemententry (id, shard_key, statement_id, entry_id)
            SELECT id # 1, shard_key # 1, statement_id, entry_id FROM payments_statemententry
            WHERE entry_id = {OF_FIRST}
            """,
        ),
        fault(
            "T01b an entry on another merchant's statement",
            f"""
            UPDATE payments_statemententry SET statement_id = (
                SELECT min(other.id) FROM payments_statement other
                WHERE other.merchant_id <> (
                    SELECT merchant_id FROM payments_statement WHERE id = {FIRST}))
            WHERE statement_id = {FIRST}
            """,
            also="T02 T04",
        ),
        fault(
            "T01c another's account on a statement",
            "INSERT INTO payments_ledgeraccount (id, code, currency, kind)"
            " VALUES ('rounding:EUR', 'rounding', 'EUR', 'expense')",
            f"UPDATE payments_ledgerentry SET account_id = 'rounding:EUR' WHERE id = {OF_FIRST}",
            also="P18",
        ),
    ],
    "settlement_02_closing": [
        fault(
            "T02 another closing balance",
            f"UPDATE payments_statement SET closing_minor = closing_minor + 1 WHERE id = {FIRST}",
        ),
    ],
    "settlement_03_forgotten": [
        fault(
            "T03 an entry that no statement lists",
            f"DELETE FROM payments_statemententry WHERE statement_id = {FIRST}",
            also="T02 T04",
        ),
    ],
    "settlement_04_payout_amount": [
        fault(
            "T04 more is paid out than was earned",
            "UPDATE payments_payout SET amount_minor = amount_minor + 1",
        ),
    ],
    "settlement_05_in_flight": [
        fault(
            "T05 a payout that the book has in flight for ever",
            """
            UPDATE payments_ledgerentry SET account_id = 'channel_clearing:EUR'
            WHERE account_id = 'payouts_in_flight:EUR' AND amount_minor > 0
            """,
        ),
    ],
    "settlement_06_fold": [
        fault("T06 paid by nobody's word", "DELETE FROM payments_payoutfact"),
        fault(
            "T06b paid and not booked",
            "UPDATE payments_ledgertransaction SET ref = ref || '0' WHERE kind = 'payout_paid'",
        ),
        fault(
            "T06c failed, and nobody heeded it",
            "UPDATE payments_payoutfact SET kind = 'failed'",
        ),
    ],
    "settlement_07_approved": [
        fault(
            "T07 sent without anybody's approval",
            "DELETE FROM payments_payoutapproval",
            "UPDATE payments_payout SET status = 'sent'",
            also="I17 T05 T06",
        ),
    ],
}
