"""The invariants of store credit, disputes and what completion splits, as views that must be empty."""

from core.audit import invariant

invariant(
    "P06",
    "payments_06_credit",
    "store credit is the sum of its entries, each booked, and what the book owes to customers",
    """
    SELECT 'balance' AS what, account.id::text AS subject, account.balance_minor AS minor,
           coalesce(sum(entry.amount_minor), 0) AS entries_minor
    FROM payments_creditaccount account
    LEFT JOIN payments_creditentry entry ON entry.account_id = account.id
    GROUP BY account.id HAVING account.balance_minor <> coalesce(sum(entry.amount_minor), 0)
    UNION ALL
    SELECT 'book', currency, coalesce(booked.minor, 0), coalesce(owed.minor, 0)
    FROM (SELECT account.currency, -sum(entry.amount_minor) AS minor
          FROM payments_ledgerentry entry
          JOIN payments_ledgeraccount account ON account.id = entry.account_id
          WHERE account.code = 'store_credit' GROUP BY account.currency) AS booked
    FULL JOIN (SELECT currency, sum(balance_minor) AS minor FROM payments_creditaccount
               GROUP BY currency) AS owed USING (currency)
    WHERE coalesce(booked.minor, 0) <> coalesce(owed.minor, 0)
    UNION ALL
    SELECT 'refund', refund.id::text, refund.amount_minor, coalesce(sum(entry.amount_minor), 0)
    FROM payments_refund refund
    LEFT JOIN payments_creditentry entry ON entry.refund_id = refund.id
    WHERE refund.destination = 'store_credit' AND refund.status = 'succeeded'
    GROUP BY refund.id HAVING refund.amount_minor <> coalesce(sum(entry.amount_minor), 0)
    """,
)
invariant(
    "P18",
    "payments_18_split",
    "what is left of a completed order is its merchant's and the house's, and of nothing no part",
    """
    WITH held AS (
        SELECT entry.order_id, account.code, -sum(entry.amount_minor) AS minor
        FROM payments_ledgerentry entry
        JOIN payments_ledgeraccount account ON account.id = entry.account_id
        JOIN payments_ledgertransaction posting ON posting.id = entry.transaction_id
             AND posting.shard_key = entry.shard_key
        WHERE entry.order_id IS NOT NULL AND (account.code = 'escrow'
           OR (account.code IN ('merchant_payable', 'commission_income', 'tax_payable',
                                'voucher_cost')
               AND posting.kind IN ('completion', 'refund_approved', 'refund_failed',
                                    'chargeback', 'chargeback_won')))
        GROUP BY entry.order_id, account.code),
    share AS (
        SELECT order_id, sum(captured_minor - refunded_minor - charged_back_minor) AS left_minor,
               sum(refunded_minor + charged_back_minor) AS gone_minor
        FROM payments_paymentshare GROUP BY order_id)
    SELECT share.order_id, share.left_minor, coalesce(sum(held.minor), 0) AS held_minor
    FROM share
    JOIN payments_ledgertransaction completion
         ON completion.kind = 'completion' AND completion.ref = 'order:' || share.order_id
    LEFT JOIN held ON held.order_id = share.order_id
    GROUP BY share.order_id, share.left_minor, share.gone_minor
    HAVING coalesce(sum(held.minor), 0) <> share.left_minor
        OR (share.left_minor = 0 AND share.gone_minor > 0 AND bool_or(held.minor <> 0))
    """,
)
invariant(
    "P07",
    "payments_07_chargebacks",
    "chargebacks are what channels say, counted once, booked once, and undone where they were won",
    """
    SELECT 'state' AS what, id, status AS stands, outcome AS should
    FROM (SELECT chargeback.id, chargeback.status,
                 CASE WHEN bool_or(kind = 'chargeback_won') THEN 'won'
                      WHEN bool_or(kind = 'chargeback_lost') THEN 'lost' ELSE 'opened' END
                 AS outcome
          FROM payments_chargeback chargeback
          LEFT JOIN payments_channelfact fact ON fact.chargeback_id = chargeback.id
          GROUP BY chargeback.id) AS said
    WHERE status <> outcome
    UNION ALL
    SELECT 'parts', chargeback.id, (chargeback.amount_minor - chargeback.loss_minor)::text,
           coalesce(sum(part.amount_minor), 0)::text
    FROM payments_chargeback chargeback
    LEFT JOIN payments_chargebackshare part ON part.chargeback_id = chargeback.id
    GROUP BY chargeback.id
    HAVING chargeback.amount_minor - chargeback.loss_minor <> coalesce(sum(part.amount_minor), 0)
    UNION ALL
    SELECT 'share', share.id, share.charged_back_minor::text, coalesce(sum(part.amount_minor), 0)::text
    FROM payments_paymentshare share
    LEFT JOIN payments_chargeback chargeback ON chargeback.payment_id = share.payment_id
         AND chargeback.status <> 'won'
    LEFT JOIN payments_chargebackshare part ON part.chargeback_id = chargeback.id
         AND part.order_id = share.order_id
    GROUP BY share.id HAVING share.charged_back_minor <> coalesce(sum(part.amount_minor), 0)
    UNION ALL
    SELECT 'payment', payment.id, payment.charged_back_minor::text,
           sum(share.charged_back_minor)::text
    FROM payments_payment payment
    JOIN payments_paymentshare share ON share.payment_id = payment.id
    GROUP BY payment.id HAVING payment.charged_back_minor <> sum(share.charged_back_minor)
    UNION ALL
    SELECT 'book', chargeback.id, coalesce(sum(entry.amount_minor), 0)::text,
           CASE chargeback.status WHEN 'won' THEN '0' ELSE (-chargeback.amount_minor)::text END
    FROM payments_chargeback chargeback
    LEFT JOIN payments_ledgertransaction posting ON posting.shard_key = chargeback.shard_key
         AND posting.ref = 'chargeback:' || chargeback.id
    LEFT JOIN payments_ledgerentry entry ON entry.transaction_id = posting.id
         AND entry.account_id = 'channel_clearing:' || chargeback.currency
    GROUP BY chargeback.id
    HAVING coalesce(sum(entry.amount_minor), 0)
           <> CASE chargeback.status WHEN 'won' THEN 0 ELSE -chargeback.amount_minor END
    """,
)
