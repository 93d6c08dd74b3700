"""The invariants of statements and payouts, as views that must be empty."""

from core.audit import invariant
from payments.sections import PAYOUT_KINDS

OWN = "('merchant_payable', 'merchant_receivable')"
PAYING = ", ".join(f"'{kind}'" for kind in PAYOUT_KINDS)
# What each closed statement lists: all that changed the balance, and that without payouts.
LISTED = f"""
    SELECT statement.id, statement.merchant_id, statement.currency, statement.number,
           statement.closing_minor, -coalesce(sum(entry.amount_minor), 0) AS own_minor,
           -coalesce(sum(entry.amount_minor) FILTER (WHERE posting.kind NOT IN ({PAYING})), 0)
           AS earned_minor
    FROM payments_statement statement
    LEFT JOIN payments_statemententry listed ON listed.statement_id = statement.id
    LEFT JOIN payments_ledgerentry entry ON entry.id = listed.entry_id
         AND entry.shard_key = listed.shard_key
    LEFT JOIN payments_ledgertransaction posting ON posting.id = entry.transaction_id
         AND posting.shard_key = entry.shard_key
    WHERE statement.status = 'closed' GROUP BY statement.id
"""

invariant(
    "T01",
    "settlement_01_listed_once",
    "an entry is on one statement at most: a closed one of its merchant and currency",
    f"""
    SELECT listed.entry_id, count(*) AS times, min(entry.merchant_id) AS merchant_id
    FROM payments_statemententry listed
    JOIN payments_ledgerentry entry ON entry.id = listed.entry_id
    JOIN payments_ledgeraccount account ON account.id = entry.account_id
    LEFT JOIN payments_statement statement ON statement.id = listed.statement_id
    GROUP BY listed.entry_id
    HAVING count(*) > 1
        OR NOT bool_and(coalesce(statement.status = 'closed'
                                 AND statement.merchant_id = entry.merchant_id
                                 AND statement.currency = account.currency
                                 AND account.code IN {OWN}, false))
    """,
)
invariant(
    "T02",
    "settlement_02_closing",
    "a closed statement's balance is the sum of what its merchant's statements list up to it",
    f"""
    SELECT merchant_id, id, closing_minor, listed_minor
    FROM (SELECT listed.*, sum(own_minor) OVER (PARTITION BY merchant_id, currency
                                                ORDER BY number) AS listed_minor
          FROM ({LISTED}) AS listed) AS summed
    WHERE closing_minor <> listed_minor
    """,
)
invariant(
    "T03",
    "settlement_03_forgotten",
    "what was booked before the last closed period began is on a statement",
    f"""
    SELECT entry.id, entry.merchant_id, posting.posted_at, closed.period_from
    FROM (SELECT merchant_id, currency, max(period_from) AS period_from
          FROM payments_statement WHERE status = 'closed'
          GROUP BY merchant_id, currency) AS closed
    JOIN payments_ledgerentry entry ON entry.merchant_id = closed.merchant_id
         AND entry.currency = closed.currency
    JOIN payments_ledgeraccount account ON account.id = entry.account_id AND account.code IN {OWN}
    JOIN payments_ledgertransaction posting ON posting.id = entry.transaction_id
         AND posting.shard_key = entry.shard_key
    LEFT JOIN payments_statemententry listed ON listed.entry_id = entry.id
    WHERE posting.posted_at < closed.period_from AND listed.id IS NULL
    """,
)
invariant(
    "T04",
    "settlement_04_payout_amount",
    "a payout is what was earned up to its statement, less the payouts before",
    f"""
    SELECT merchant_id, payout_id, amount_minor, earned_minor - coalesce(before_minor, 0)
           AS due_minor
    FROM (SELECT listed.merchant_id, payout.id AS payout_id, payout.amount_minor,
                 sum(listed.earned_minor) OVER so_far AS earned_minor,
                 sum(payout.amount_minor) OVER (so_far ROWS BETWEEN UNBOUNDED PRECEDING
                                                AND 1 PRECEDING) AS before_minor
          FROM ({LISTED}) AS listed
          LEFT JOIN payments_payout payout ON payout.statement_id = listed.id
          WINDOW so_far AS (PARTITION BY listed.merchant_id, listed.currency
                            ORDER BY listed.number)) AS paid
    WHERE amount_minor <> earned_minor - coalesce(before_minor, 0)
    """,
)
invariant(
    "T05",
    "settlement_05_in_flight",
    "what the book has in flight to a merchant are the payouts on their way",
    """
    SELECT merchant_id, currency, coalesce(booked.minor, 0) AS booked_minor,
           coalesce(sent.minor, 0) AS minor
    FROM (SELECT entry.merchant_id, account.currency, -sum(entry.amount_minor) AS minor
          FROM payments_ledgerentry entry
          JOIN payments_ledgeraccount account ON account.id = entry.account_id
          WHERE account.code = 'payouts_in_flight'
          GROUP BY entry.merchant_id, account.currency) AS booked
    FULL JOIN (SELECT merchant_id, currency, sum(amount_minor) AS minor FROM payments_payout
               WHERE status IN ('approved', 'sent') GROUP BY merchant_id, currency) AS sent
         USING (merchant_id, currency)
    WHERE coalesce(booked.minor, 0) <> coalesce(sent.minor, 0)
    """,
)
invariant(
    "T06",
    "settlement_06_fold",
    "a payout's state is what the channel's statements fold to; one that was paid is booked so",
    """
    SELECT payout.id, payout.merchant_id, payout.status, payout.tries
    FROM payments_payout payout
    LEFT JOIN payments_payoutfact fact ON fact.payout_id = payout.id
    LEFT JOIN payments_ledgertransaction posting ON posting.shard_key = payout.shard_key
         AND posting.kind = 'payout_paid' AND posting.ref = 'payout:' || payout.id
    GROUP BY payout.id, posting.id
    HAVING (payout.status = 'paid') <> coalesce(bool_or(fact.kind = 'paid'), false)
        OR (payout.status = 'paid') <> (posting.id IS NOT NULL)
        OR (payout.status = 'failed') <> coalesce(
            payout.status <> 'paid'
            AND bool_or(fact.kind = 'failed' AND fact.try_number = payout.tries), false)
    """,
)
invariant(
    "T07",
    "settlement_07_approved",
    "a payout on its way was approved, this try and to this account",
    """
    SELECT payout.id, payout.merchant_id, payout.status
    FROM payments_payout payout
    LEFT JOIN payments_payoutapproval approval ON approval.payout_id = payout.id
         AND approval.account_id = payout.account_id AND approval.try_number = payout.tries
    WHERE payout.status IN ('approved', 'sent') AND approval.id IS NULL
    """,
)
