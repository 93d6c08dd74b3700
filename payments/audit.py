"""The invariants of the money, as views that must be empty."""

from core.audit import invariant
from payments.channels import cash_on_delivery, sandbox  # noqa: F401 they register themselves
from payments.channels.base import slow_channels

# Since when an attempt's outcome is owed: of a channel whose money takes days, since they are over.
OWED_SINCE = """
    greatest(attempt.status_changed_at,
             CASE WHEN attempt.channel = ANY (ARRAY[{slow}]::text[]) THEN attempt.expires_at END)
""".format(slow=", ".join(f"'{name}'" for name in slow_channels()))

invariant(
    "I06",
    "inv_06_ledger_zero",
    "a posting sums to zero in each currency and has two legs at least",
    """
    SELECT posting.id, entry.currency, sum(entry.amount_minor) AS sum_minor, count(entry.id) AS legs
    FROM payments_ledgertransaction posting
    LEFT JOIN payments_ledgerentry entry ON entry.transaction_id = posting.id
         AND entry.shard_key = posting.shard_key
    GROUP BY posting.id, entry.currency
    HAVING coalesce(sum(entry.amount_minor), 1) <> 0 OR count(entry.id) < 2
    """,
)
invariant(
    "I07",
    "inv_07_ledger_currency",
    "an entry has the currency of its account",
    """
    SELECT entry.id, entry.currency, entry.account_id
    FROM payments_ledgerentry entry
    JOIN payments_ledgeraccount account ON account.id = entry.account_id
    WHERE account.currency <> entry.currency
    """,
)
invariant(
    "I08",
    "inv_08_ledger_book_zero",
    "the whole book sums to zero in each currency",
    """
    SELECT currency, sum(amount_minor) AS sum_minor FROM payments_ledgerentry
    GROUP BY currency HAVING sum(amount_minor) <> 0
    """,
)
invariant(
    "I09",
    "inv_09_account_floor",
    "no account is under its floor, in its normal direction",
    """
    SELECT id, min_balance_minor, minor
    FROM (SELECT account.id, account.min_balance_minor, coalesce(sum(entry.amount_minor), 0)
                 * CASE WHEN account.kind IN ('asset', 'expense') THEN 1 ELSE -1 END AS minor
          FROM payments_ledgeraccount account
          LEFT JOIN payments_ledgerentry entry ON entry.account_id = account.id
          GROUP BY account.id) AS balance
    WHERE minor < min_balance_minor
    """,
)
invariant(
    "I10",
    "inv_10_capture_refund_bounds",
    "an attempt captures no more than it asked for; a payment gives back no more than it captured",
    """
    SELECT attempt.id, 'captured' AS what, attempt.amount_minor AS most_minor,
           sum(fact.amount_minor) AS minor
    FROM payments_attempt attempt
    LEFT JOIN payments_capture capture ON capture.attempt_id = attempt.id
         AND capture.shard_key = attempt.shard_key
    JOIN payments_channelfact fact ON fact.shard_key = attempt.shard_key AND fact.kind = 'captured'
         AND (fact.attempt_id = attempt.id OR fact.capture_id = capture.id)
    GROUP BY attempt.id HAVING sum(fact.amount_minor) > attempt.amount_minor
    UNION ALL
    SELECT payment.id, 'refunded', coalesce(captured.minor, 0), refunded.minor
    FROM payments_payment payment
    JOIN (SELECT payment_id, sum(amount_minor) AS minor FROM payments_refund
          WHERE status IN ('approved', 'sent', 'succeeded') GROUP BY payment_id) AS refunded
         ON refunded.payment_id = payment.id
    LEFT JOIN (SELECT coalesce(attempt.payment_id, capture.payment_id) AS payment_id,
                      sum(fact.amount_minor) AS minor
               FROM payments_channelfact fact
               LEFT JOIN payments_attempt attempt ON attempt.id = fact.attempt_id
                    AND attempt.shard_key = fact.shard_key
               LEFT JOIN payments_capture capture ON capture.id = fact.capture_id
                    AND capture.shard_key = fact.shard_key
               WHERE fact.kind = 'captured' GROUP BY 1) AS captured
         ON captured.payment_id = payment.id
    WHERE refunded.minor > coalesce(captured.minor, 0)
    """,
)
invariant(
    "I11",
    "inv_11_channel_ref_once",
    "a channel's reference is booked once",
    """
    SELECT channel, kind, channel_ref, count(*) AS times
    FROM payments_channelfact
    GROUP BY channel, kind, channel_ref HAVING count(*) > 1
    """,
)
invariant(
    "I12",
    "inv_12_money_currency",
    "attempts, refunds and what channels say have the currency of their payment",
    """
    SELECT payment.id AS payment_id, said.noun, said.id, said.currency
    FROM payments_payment payment
    JOIN (SELECT 'attempt' AS noun, id, payment_id, currency FROM payments_attempt
          UNION ALL
          SELECT 'refund', id, payment_id, currency FROM payments_refund
          UNION ALL
          SELECT 'capture', id, payment_id, currency FROM payments_capture
          UNION ALL
          SELECT 'fact', fact.id,
                 coalesce(attempt.payment_id, capture.payment_id, refund.payment_id), fact.currency
          FROM payments_channelfact fact
          LEFT JOIN payments_attempt attempt ON attempt.id = fact.attempt_id
          LEFT JOIN payments_capture capture ON capture.id = fact.capture_id
          LEFT JOIN payments_refund refund ON refund.id = fact.refund_id
         ) AS said ON said.payment_id = payment.id
    WHERE said.currency <> payment.currency
    """,
)
invariant(
    "I15",
    "inv_15_money_in_ledger",
    "every capture and every refund that arrived is booked once, by its amount, against clearing",
    """
    SELECT fact.id, fact.kind, fact.amount_minor, count(DISTINCT posting.id) AS postings,
           coalesce(sum(entry.amount_minor), 0) AS booked_minor
    FROM payments_channelfact fact
    LEFT JOIN payments_ledgertransaction posting ON posting.shard_key = fact.shard_key
         AND posting.ref = 'fact:' || fact.id
         AND posting.kind = CASE fact.kind WHEN 'captured' THEN 'capture'
                                    ELSE 'refund' END
    LEFT JOIN payments_ledgerentry entry ON entry.transaction_id = posting.id
         AND entry.account_id = 'channel_clearing:' || fact.currency
    WHERE fact.kind IN ('captured', 'refund_succeeded')
    GROUP BY fact.id
    HAVING count(DISTINCT posting.id) <> 1 OR coalesce(sum(entry.amount_minor), 0)
           <> fact.amount_minor * CASE fact.kind WHEN 'captured' THEN 1 ELSE -1 END
    """,
)
invariant(
    "I30",
    "inv_30_unknown_outcome",
    "no outcome stays unknown for 15 minutes, except of what a shopper has promised",
    f"""
    SELECT 'attempt' AS noun, attempt.id, attempt.status_changed_at
    FROM payments_attempt attempt
    JOIN payments_payment payment ON payment.id = attempt.payment_id
    WHERE attempt.status = 'processing' AND payment.status <> 'authorised'
      AND {OWED_SINCE} < (SELECT business_now()) - interval '15 minutes'
    UNION ALL
    SELECT 'refund', id, status_changed_at FROM payments_refund
    WHERE status = 'sent'
      AND status_changed_at < (SELECT business_now()) - interval '15 minutes'
    UNION ALL
    SELECT 'capture', id, status_changed_at FROM payments_capture
    WHERE status = 'requested'
      AND status_changed_at < (SELECT business_now()) - interval '15 minutes'
    """,
)
invariant(
    "P01",
    "payments_01_counters",
    "the counters of payments and shares are the sums of captures and of refunds not failed",
    """
    SELECT payment.id, 'captured' AS counter, payment.captured_minor AS counted,
           coalesce(captured.minor, 0) AS minor
    FROM payments_payment payment
    LEFT JOIN (SELECT coalesce(attempt.payment_id, capture.payment_id) AS payment_id,
                      sum(fact.amount_minor) AS minor
               FROM payments_channelfact fact
               LEFT JOIN payments_attempt attempt ON attempt.id = fact.attempt_id
               LEFT JOIN payments_capture capture ON capture.id = fact.capture_id
               WHERE fact.kind = 'captured' GROUP BY 1) AS captured
         ON captured.payment_id = payment.id
    WHERE payment.captured_minor <> coalesce(captured.minor, 0)
    UNION ALL
    SELECT payment.id, 'captured of shares', payment.captured_minor, sum(share.captured_minor)
    FROM payments_payment payment
    JOIN payments_paymentshare share ON share.payment_id = payment.id
    GROUP BY payment.id HAVING payment.captured_minor < sum(share.captured_minor)
    UNION ALL
    SELECT payment.id, 'refunded', payment.refunded_minor, coalesce(sum(refund.amount_minor), 0)
    FROM payments_payment payment
    LEFT JOIN payments_refund refund ON refund.payment_id = payment.id AND refund.status IN ('approved', 'sent', 'succeeded')
    GROUP BY payment.id HAVING payment.refunded_minor <> coalesce(sum(refund.amount_minor), 0)
    UNION ALL
    SELECT share.id, 'share', share.refunded_minor, coalesce(sum(part.amount_minor), 0)
    FROM payments_paymentshare share
    LEFT JOIN payments_refund refund ON refund.payment_id = share.payment_id
         AND refund.status IN ('approved', 'sent', 'succeeded')
    LEFT JOIN payments_refundshare part ON part.refund_id = refund.id
         AND part.order_id = share.order_id
    GROUP BY share.id HAVING share.refunded_minor <> coalesce(sum(part.amount_minor), 0)
    """,
)
invariant(
    "P02",
    "payments_02_fold",
    "the states of attempts, payments and refunds are what the channels' statements fold to",
    """
    SELECT 'attempt' AS noun, id, status, outcome
    FROM (SELECT attempt.id, attempt.status,
                 CASE WHEN bool_or(kind = 'captured') THEN 'succeeded'
                      WHEN bool_or(kind = 'closed') THEN 'closed'
                      WHEN bool_or(kind = 'failed') THEN 'failed'
                      WHEN bool_or(kind = 'authorised') AND attempt.capture_at <> 'once'
                      THEN 'succeeded' ELSE 'live' END AS outcome
          FROM payments_attempt attempt
          LEFT JOIN payments_channelfact fact ON fact.attempt_id = attempt.id
          GROUP BY attempt.id) AS said
    WHERE outcome <> CASE WHEN status IN ('created', 'requires_action', 'processing')
                     THEN 'live' ELSE status END
    UNION ALL
    SELECT 'payment', id, status, 'captured'
    FROM payments_payment payment
    WHERE status IN ('open', 'closed') AND captured_minor > 0
       OR status = 'captured' AND (captured_minor = 0 OR EXISTS (
              SELECT FROM payments_paymentshare share WHERE share.payment_id = payment.id
              AND share.captured_minor + share.voided_minor <> share.amount_minor)
          AND NOT EXISTS (
              SELECT FROM payments_attempt lapsed WHERE lapsed.payment_id = payment.id
              AND lapsed.status = 'closed' AND lapsed.capture_at <> 'once'))
    UNION ALL
    SELECT 'capture', id, status, outcome
    FROM (SELECT capture.id, capture.status,
                 CASE WHEN bool_or(kind = 'captured') THEN 'succeeded'
                      WHEN bool_or(kind = 'capture_failed') THEN 'failed' ELSE '' END AS outcome
          FROM payments_capture capture
          LEFT JOIN payments_channelfact fact ON fact.capture_id = capture.id
          GROUP BY capture.id) AS said
    WHERE (status = 'succeeded') <> (outcome = 'succeeded')
       OR (status = 'failed' AND outcome <> 'failed')
    UNION ALL
    SELECT 'refund', id, status, outcome
    FROM (SELECT refund.id, refund.status,
                 CASE WHEN bool_or(kind = 'refund_succeeded') THEN 'succeeded'
                      WHEN bool_or(kind = 'refund_failed') THEN 'failed' ELSE '' END AS outcome
          FROM payments_refund refund
          LEFT JOIN payments_channelfact fact ON fact.refund_id = refund.id
          GROUP BY refund.id) AS said
    WHERE (status = 'succeeded') <> (outcome = 'succeeded')
       OR (status = 'failed' AND outcome <> 'failed')
    """,
)
invariant(
    "P03",
    "payments_03_parts",
    "the shares of a payment and the parts of a refund sum to its amount",
    """
    SELECT 'payment' AS noun, payment.id, payment.amount_minor, sum(share.amount_minor) AS parts
    FROM payments_payment payment
    LEFT JOIN payments_paymentshare share ON share.payment_id = payment.id
    GROUP BY payment.id HAVING payment.amount_minor IS DISTINCT FROM sum(share.amount_minor)
    UNION ALL
    SELECT 'refund', refund.id, refund.amount_minor, sum(part.amount_minor)
    FROM payments_refund refund
    LEFT JOIN payments_refundshare part ON part.refund_id = refund.id
    GROUP BY refund.id HAVING refund.amount_minor IS DISTINCT FROM sum(part.amount_minor)
    """,
)
invariant(
    "P04",
    "payments_04_in_flight",
    "what the book has in flight are the refunds on their way",
    """
    SELECT currency, coalesce(booked.minor, 0) AS booked_minor, coalesce(sent.minor, 0) AS minor
    FROM (SELECT account.currency, -sum(entry.amount_minor) AS minor
          FROM payments_ledgerentry entry
          JOIN payments_ledgeraccount account ON account.id = entry.account_id
          WHERE account.code = 'refunds_in_flight' GROUP BY account.currency) AS booked
    FULL JOIN (SELECT currency, sum(amount_minor) AS minor FROM payments_refund
               WHERE status IN ('approved', 'sent') GROUP BY currency) AS sent USING (currency)
    WHERE coalesce(booked.minor, 0) <> coalesce(sent.minor, 0)
    """,
)
invariant(
    "P05",
    "payments_05_escrow",
    "until an order completes, escrow holds what is left of its captured share, and never less than 0",
    """
    SELECT order_id, coalesce(held.minor, 0) AS held_minor, coalesce(booked.minor, 0) AS booked_minor
    FROM (SELECT order_id, sum(captured_minor - refunded_minor) AS minor
          FROM payments_paymentshare GROUP BY order_id) AS held
    FULL JOIN (SELECT entry.order_id, -sum(entry.amount_minor) AS minor
               FROM payments_ledgerentry entry
               JOIN payments_ledgeraccount account ON account.id = entry.account_id
               WHERE account.code = 'escrow' AND entry.order_id IS NOT NULL
               GROUP BY entry.order_id) AS booked USING (order_id)
    LEFT JOIN payments_ledgertransaction completion
         ON completion.kind = 'completion' AND completion.ref = 'order:' || order_id
    WHERE booked.minor < 0
       OR (completion.id IS NULL AND coalesce(held.minor, 0) <> coalesce(booked.minor, 0))
    """,
)
