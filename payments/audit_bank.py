"""The invariants of our account at the bank, as views that must be empty."""

from core.audit import invariant

invariant(
    "P11",
    "payments_11_unapplied",
    "what the book holds unapplied are the lines that have paid for nothing and have not gone back",
    """
    SELECT currency, coalesce(booked.minor, 0) AS booked_minor,
           coalesce(waiting.minor, 0) - coalesce(gone.minor, 0) AS minor
    FROM (SELECT account.currency, -sum(entry.amount_minor) AS minor
          FROM payments_ledgerentry entry
          JOIN payments_ledgeraccount account ON account.id = entry.account_id
          WHERE account.code = 'unapplied_receipts' GROUP BY account.currency) AS booked
    FULL JOIN (SELECT line.currency, sum(line.amount_minor - match.applied_minor) AS minor
               FROM payments_bankline line
               JOIN payments_linematch match ON match.line_id = line.id
               WHERE line.amount_minor > 0 AND match.status NOT IN ('received', 'dismissed')
               GROUP BY line.currency) AS waiting USING (currency)
    FULL JOIN (SELECT currency, sum(amount_minor) AS minor FROM payments_manualtransfer
               WHERE status = 'done' AND line_id IS NOT NULL
               GROUP BY currency) AS gone USING (currency)
    WHERE coalesce(booked.minor, 0) <> coalesce(waiting.minor, 0) - coalesce(gone.minor, 0)
    """,
)
invariant(
    "P12",
    "payments_12_lines",
    "of a line that came what has not paid for anything rests, waits for somebody, or goes back",
    """
    SELECT line.id, match.status, line.amount_minor, match.applied_minor,
           coalesce(back.minor, 0) AS back_minor
    FROM payments_bankline line
    LEFT JOIN payments_linematch match ON match.line_id = line.id
    LEFT JOIN (SELECT line_id, sum(amount_minor) AS minor FROM payments_manualtransfer
               WHERE line_id IS NOT NULL GROUP BY line_id) AS back ON back.line_id = line.id
    WHERE match.id IS NULL
       OR (match.status <> 'applied' AND match.applied_minor <> 0)
       OR (match.status = 'applied' AND match.applied_minor = 0)
       OR coalesce(back.minor, 0) <> CASE WHEN match.status IN ('applied', 'returned')
                                          THEN line.amount_minor - match.applied_minor ELSE 0 END
    """,
)
invariant(
    "P13",
    "payments_13_receipts_of_captures",
    "a capture by bank transfer is the sum of the lines that paid it, and of what was rounded",
    """
    SELECT attempt_id, captured.minor AS captured_minor,
           coalesce(applied.minor, 0) AS applied_minor, coalesce(rounded.minor, 0) AS rounded_minor
    FROM (SELECT attempt_id, sum(amount_minor) AS minor FROM payments_channelfact
          WHERE channel = 'bank_transfer' AND kind = 'captured' GROUP BY attempt_id) AS captured
    FULL JOIN (SELECT attempt_id, sum(applied_minor) AS minor FROM payments_linematch
               WHERE status = 'applied' GROUP BY attempt_id) AS applied USING (attempt_id)
    LEFT JOIN (SELECT posting.ref, sum(entry.amount_minor) AS minor
               FROM payments_ledgertransaction posting
               JOIN payments_ledgerentry entry ON entry.transaction_id = posting.id
                    AND entry.account_id LIKE 'rounding:%'
               WHERE posting.kind = 'receipt_applied' GROUP BY posting.ref) AS rounded
         ON rounded.ref = 'attempt:' || attempt_id
    WHERE coalesce(captured.minor, 0) <> coalesce(applied.minor, 0) + coalesce(rounded.minor, 0)
    """,
)
