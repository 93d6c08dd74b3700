"""Faults of our account at the bank: what lines have paid for, and what of them goes back."""

from tests.audit.plant import fault

BANK = {
    "payments_11_unapplied": [
        fault(
            "P11 money at the bank that the book has forgotten",
            "DELETE FROM payments_ledgerentry WHERE transaction_id IN (SELECT posting.id"
            " FROM payments_ledgertransaction posting JOIN payments_linematch match"
            " ON posting.ref = 'line:' || match.line_id WHERE match.status = 'unmatched')",
            "DELETE FROM payments_ledgertransaction posting USING payments_linematch match"
            " WHERE posting.ref = 'line:' || match.line_id AND match.status = 'unmatched'",
        ),
    ],
    "payments_12_lines": [
        fault(
            "P12 too much was sent, and goes to nobody",
            "DELETE FROM core_statechange WHERE noun = 'manual_transfer' AND object_id IN ("
            "SELECT id FROM payments_manualtransfer WHERE line_id IS NOT NULL)",
            "DELETE FROM payments_manualtransfer WHERE line_id IS NOT NULL",
        ),
        fault(
            "P12b more goes back than came",
            "UPDATE payments_manualtransfer SET amount_minor = amount_minor + 1"
            " WHERE line_id IS NOT NULL",
        ),
        fault(
            "P12c a line that nobody has looked at",
            "DELETE FROM core_statechange WHERE noun = 'line_match' AND object_id IN ("
            "SELECT id FROM payments_linematch WHERE status = 'unmatched')",
            "DELETE FROM payments_linematch WHERE status = 'unmatched'",
            also="P11",
        ),
    ],
    "payments_13_receipts_of_captures": [
        fault(
            "P13 paid by more than the lines that paid it",
            "UPDATE payments_channelfact SET amount_minor = amount_minor + 1"
            " WHERE channel = 'bank_transfer' AND kind = 'captured'",
            also="I10 I15 P01",
        ),
    ],
}
