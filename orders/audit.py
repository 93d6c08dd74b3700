"""Invariants that span the story and the capabilities: stock, money and references of orders."""

from core.audit import invariant

# Per group: what channels and store credit have brought, what channels have promised beside it or need not give any more,
# the refunds that are alive or have succeeded, and what banks have taken back.
MONEY = """
    money AS (
        SELECT grp.id, grp.status, grp.total_minor - grp.called_off_minor AS payable_minor,
               coalesce(sum(CASE payment.tender WHEN 'store_credit' THEN payment.captured_minor
                                 ELSE captured.minor END), 0) AS captured_minor,
               coalesce(sum(pledged.minor), 0) AS pledged_minor,
               coalesce(sum(refunded.minor), 0) AS refunded_minor,
               coalesce(sum(payment.charged_back_minor), 0) AS disputed_minor
        FROM orders_ordergroup grp
        LEFT JOIN payments_payment payment ON payment.reference = grp.id
        LEFT JOIN (
            SELECT coalesce(attempt.payment_id, capture.payment_id) AS payment_id,
                   sum(fact.amount_minor) AS minor
            FROM payments_channelfact fact
            LEFT JOIN payments_attempt attempt ON attempt.id = fact.attempt_id
            LEFT JOIN payments_capture capture ON capture.id = fact.capture_id
            WHERE fact.kind = 'captured' GROUP BY 1
        ) AS captured ON captured.payment_id = payment.id
        LEFT JOIN (
            SELECT payment_id, sum(greatest(authorised_minor - captured_minor, 0)) AS minor
            FROM payments_paymentshare GROUP BY payment_id
        ) AS pledged ON pledged.payment_id = payment.id
             AND (payment.status IN ('authorised', 'captured') OR grp.status = 'paid')
        LEFT JOIN (
            SELECT payment_id, sum(amount_minor) AS minor FROM payments_refund
            WHERE status NOT IN ('pending', 'failed', 'declined') GROUP BY payment_id
        ) AS refunded ON refunded.payment_id = payment.id
        GROUP BY grp.id)
"""
# Groups whose news are still on their way: they are judged when these have arrived. Found once for
# all groups, so that many of them, or many streams that stand, cost no more than one look at each.
NEWS = """
    fresh AS MATERIALIZED (
        SELECT DISTINCT stream.aggregate_type AS noun, stream.aggregate_id AS id
        FROM core_outboxstream stream
        JOIN core_outboxevent event ON event.stream_id = stream.id
             AND event.seq > stream.delivered_seq
        WHERE stream.last_seq > stream.delivered_seq
          AND stream.aggregate_type IN ('order_group', 'payment', 'refund')
          AND event.created_at > (SELECT business_now()) - audit_grace()),
    news AS MATERIALIZED (
        SELECT id AS group_id FROM fresh WHERE noun = 'order_group'
        UNION
        SELECT payment.reference
        FROM fresh JOIN payments_payment payment ON noun = 'payment' AND payment.id = fresh.id
        UNION
        SELECT payment.reference
        FROM fresh
        JOIN payments_refund refund ON noun = 'refund' AND refund.id = fresh.id
        JOIN payments_payment payment ON payment.id = refund.payment_id)
"""

invariant(
    "I05",
    "inv_05_line_backing",
    "every line of a live order is backed by exactly its quantity; no dead order holds stock",
    """
    SELECT line.id, ordr.status, line.quantity - line.cancelled_quantity AS units,
           coalesce(sum(reservation.quantity - reservation.released_quantity)
                    FILTER (WHERE reservation.status <> 'released'), 0) AS backed
    FROM orders_orderline line
    JOIN orders_order ordr ON ordr.id = line.order_id
    LEFT JOIN inventory_reservation reservation ON reservation.reference = line.id
    GROUP BY line.id, ordr.id
    HAVING (ordr.status <> 'cancelled'
            AND coalesce(sum(reservation.quantity - reservation.released_quantity)
                         FILTER (WHERE reservation.status <> 'released'), 0)
                <> line.quantity - line.cancelled_quantity)
        OR (ordr.status = 'cancelled'
            AND count(*) FILTER (WHERE reservation.status IN ('held', 'committed')) > 0)
    """,
)
invariant(
    "I12",
    "inv_12_currency_match",
    "a group, its orders and its payments have one currency",
    """
    SELECT 'order' AS noun, ordr.id, ordr.currency, grp.currency AS group_currency
    FROM orders_order ordr JOIN orders_ordergroup grp ON grp.id = ordr.group_id
    WHERE ordr.currency <> grp.currency
    UNION ALL
    SELECT 'payment', payment.id, payment.currency, grp.currency
    FROM payments_payment payment JOIN orders_ordergroup grp ON grp.id = payment.reference
    WHERE payment.currency <> grp.currency
    """,
)
invariant(
    "I13",
    "inv_13_group_against_money",
    "a paid group is secured, an unpaid one is not, a dead one has given everything back",
    f"""
    WITH {MONEY}, {NEWS}
    SELECT * FROM money
    WHERE ((status = 'paid' AND captured_minor + pledged_minor < payable_minor)
        OR (status IN ('pending_payment', 'expiring')
            AND captured_minor - refunded_minor + pledged_minor >= payable_minor
            AND payable_minor > 0)
        OR (status IN ('cancelled', 'expired')
            AND captured_minor <> refunded_minor + disputed_minor))
      AND id NOT IN (SELECT group_id FROM news)
    """,
)
invariant(
    "I13b",
    "inv_13b_cancelled_order_refunded",
    "a cancelled order of a paid group has refunds equal to what was taken, the rest is let go",
    f"""
    WITH {NEWS}
    SELECT ordr.id, share.captured_minor,
           coalesce(sum(refund_share.amount_minor), 0) AS refunded_minor
    FROM orders_order ordr
    JOIN orders_ordergroup grp ON grp.id = ordr.group_id
    JOIN payments_payment payment ON payment.reference = grp.id
    JOIN payments_paymentshare share ON share.payment_id = payment.id AND share.order_id = ordr.id
         AND (payment.status IN ('authorised', 'captured') OR share.authorised_minor > 0)
    LEFT JOIN payments_refund refund
         ON refund.payment_id = payment.id AND refund.status NOT IN ('pending', 'declined')
    LEFT JOIN payments_refundshare refund_share
         ON refund_share.refund_id = refund.id AND refund_share.order_id = ordr.id
    WHERE ordr.status = 'cancelled' AND grp.status = 'paid'
      AND grp.id NOT IN (SELECT group_id FROM news)
    GROUP BY ordr.id, share.id
    HAVING share.captured_minor - share.charged_back_minor
           > coalesce(sum(refund_share.amount_minor), 0)
        OR share.captured_minor < coalesce(sum(refund_share.amount_minor)
                                           FILTER (WHERE refund.status <> 'failed'), 0)
        OR share.amount_minor > share.captured_minor + share.voided_minor
    """,
)
# A unit's place in its line's cumulative sum is that of `orders.pricing.units_share_minor`. What
# somebody had given back by hand before, or a bank has taken back, may be all that was left.
invariant(
    "I13b",
    "inv_13b_called_off_units_refunded",
    "units that were called off are not paid, or exactly their share has gone back",
    f"""
    WITH {NEWS},
    gone AS (
        SELECT order_id,
               sum((total_minor - discount_minor + added_tax_minor)
                   * cancelled_quantity / quantity)::bigint AS minor
        FROM orders_orderline GROUP BY order_id),
    back AS (
        SELECT part.order_id, sum(part.amount_minor) AS minor,
               sum(part.amount_minor) FILTER (WHERE refund.request_key LIKE 'cancel:%') AS asked,
               sum(part.amount_minor) FILTER (WHERE refund.request_key LIKE 'cancel:%'
                                              AND refund.status <> 'failed') AS given
        FROM payments_refundshare part
        JOIN payments_refund refund ON refund.id = part.refund_id
             AND refund.status NOT IN ('pending', 'declined')
        GROUP BY part.order_id),
    unpaid AS (
        SELECT ordr.id, ordr.called_off_minor + coalesce(sum(share.voided_minor), 0) AS minor,
               coalesce(sum(share.charged_back_minor), 0) AS disputed_minor
        FROM orders_order ordr
        LEFT JOIN payments_paymentshare share ON share.order_id = ordr.id
        GROUP BY ordr.id)
    SELECT ordr.id, gone.minor AS gone_minor, unpaid.minor AS unpaid_minor,
           back.asked AS refunded_minor
    FROM orders_order ordr
    JOIN orders_ordergroup grp ON grp.id = ordr.group_id
    JOIN gone ON gone.order_id = ordr.id
    JOIN unpaid ON unpaid.id = ordr.id
    LEFT JOIN back ON back.order_id = ordr.id
    WHERE ordr.status <> 'cancelled' AND grp.id NOT IN (SELECT group_id FROM news)
      AND (coalesce(back.given, 0) > gone.minor - unpaid.minor
        OR (coalesce(back.asked, 0) < gone.minor - unpaid.minor
            AND coalesce(back.minor, 0) + unpaid.disputed_minor
                < ordr.total_minor - ordr.called_off_minor))
    """,
)
invariant(
    "I14",
    "inv_14_overpaid",
    "nobody has paid more than was to be paid, unless the excess is on its way back",
    f"""
    WITH {MONEY}, {NEWS}
    SELECT * FROM money
    WHERE captured_minor - refunded_minor - disputed_minor > payable_minor
      AND id NOT IN (SELECT group_id FROM news)
    """,
)
invariant(
    "I16",
    "inv_16_total_equals_lines",
    "a group's and an order's total equal their lines, delivery, discounts and tax",
    """
    SELECT grp.id, grp.total_minor, coalesce(sum(ordr.total_minor), 0) AS parts_minor
    FROM orders_ordergroup grp LEFT JOIN orders_order ordr ON ordr.group_id = grp.id
    GROUP BY grp.id
    HAVING grp.items_minor <> coalesce(sum(ordr.items_minor), 0)
        OR grp.delivery_minor <> coalesce(sum(ordr.delivery_minor), 0)
        OR grp.discount_minor <> coalesce(sum(ordr.discount_minor), 0)
        OR grp.tax_minor <> coalesce(sum(ordr.tax_minor), 0)
        OR grp.added_tax_minor <> coalesce(sum(ordr.added_tax_minor), 0)
    UNION ALL
    SELECT ordr.id, ordr.total_minor,
           ordr.delivery_minor - ordr.delivery_discount_minor
           + least(ordr.delivery_tax_minor, ordr.added_tax_minor)
           + coalesce(sum(line.total_minor - line.discount_minor + line.added_tax_minor), 0)
    FROM orders_order ordr LEFT JOIN orders_orderline line ON line.order_id = ordr.id
    GROUP BY ordr.id
    HAVING ordr.items_minor <> coalesce(sum(line.total_minor), 0)
        OR ordr.discount_minor - ordr.delivery_discount_minor
           <> coalesce(sum(line.discount_minor), 0)
        OR ordr.tax_minor - ordr.delivery_tax_minor <> coalesce(sum(line.tax_minor), 0)
        OR ordr.added_tax_minor - least(ordr.delivery_tax_minor, ordr.added_tax_minor)
           <> coalesce(sum(line.added_tax_minor), 0)
    """,
)
invariant(
    "I16",
    "inv_16_payable_equals_payment",
    "what is to be paid for a group and its orders is what their payments ask for and share out",
    """
    SELECT 'group' AS noun, grp.id, grp.total_minor - grp.called_off_minor AS payable_minor,
           sum(payment.amount_minor) AS amount_minor
    FROM orders_ordergroup grp JOIN payments_payment payment ON payment.reference = grp.id
    WHERE NOT (payment.tender = 'store_credit' AND payment.status = 'closed')
    GROUP BY grp.id
    HAVING sum(payment.amount_minor) <> grp.total_minor - grp.called_off_minor
    UNION ALL
    SELECT 'order', ordr.id, ordr.total_minor - ordr.called_off_minor, sum(share.amount_minor)
    FROM orders_order ordr
    JOIN payments_paymentshare share ON share.order_id = ordr.id
    JOIN payments_payment payment ON payment.id = share.payment_id
    WHERE NOT (payment.tender = 'store_credit' AND payment.status = 'closed')
    GROUP BY ordr.id
    HAVING sum(share.amount_minor) <> ordr.total_minor - ordr.called_off_minor
    """,
)
invariant(
    "I20",
    "inv_20_unpaid_overdue",
    "no unpaid group outlives its deadline",
    """
    SELECT id, status, pay_before FROM orders_ordergroup
    WHERE (status = 'pending_payment' AND pay_before < (SELECT business_now()) - audit_grace())
       OR (status = 'expiring' AND pay_before < (SELECT business_now()) - interval '6 minutes')
    """,
)
# The key is read without parsing: a body that is no JSON must not break the view.
invariant(
    "I26",
    "inv_26_webhook_stuck",
    "a notification is processed within 5 minutes, one about nothing we know yet within 11",
    r"""
    WITH waiting AS (
        SELECT id, channel, event_id, received_at,
               least(substring(encode(payload, 'escape') FROM '"key": *"(\d{1,19})')::numeric,
                     9223372036854775807)::bigint AS key
        FROM core_hook WHERE state = 'received')
    SELECT waiting.id, channel, event_id, received_at
    FROM waiting
    LEFT JOIN (SELECT id FROM payments_attempt
               UNION ALL SELECT id FROM payments_capture
               UNION ALL SELECT id FROM payments_refund
               UNION ALL SELECT id FROM delivery_shipment) AS known ON known.id = key
    WHERE received_at < (SELECT business_now())
          - CASE WHEN known.id IS NULL THEN interval '11 minutes' ELSE interval '5 minutes' END
    """,
)


def _orphans(noun: str, table: str, column: str, *owners: str) -> str:
    """Rows of the table whose reference is no id of any of the owners."""
    nobody = " AND ".join(
        f"NOT EXISTS (SELECT FROM orders_{owner} owner WHERE owner.id = kept.{column})"
        for owner in owners
    )
    return f"""
    SELECT '{noun}' AS noun, kept.id, kept.{column} AS reference
    FROM {table} kept WHERE kept.{column} IS NOT NULL AND {nobody}
    """


invariant(
    "Q01",
    "inv_q01_reference_to_nothing",
    "what a capability keeps for an order, a group or a line belongs to one that exists",
    " UNION ALL ".join(
        (
            _orphans("payment", "payments_payment", "reference", "ordergroup"),
            _orphans("payment share", "payments_paymentshare", "order_id", "order"),
            _orphans("capture", "payments_capture", "order_id", "order"),
            _orphans("refund", "payments_refund", "reference", "order", "ordergroup"),
            _orphans("refund share", "payments_refundshare", "order_id", "order"),
            _orphans("chargeback share", "payments_chargebackshare", "order_id", "order"),
            _orphans("ledger entry", "payments_ledgerentry", "order_id", "order"),
            _orphans("reservation", "inventory_reservation", "reference", "orderline"),
            _orphans("stock movement", "inventory_stockmovement", "reference", "orderline"),
            _orphans("shipment", "delivery_shipment", "reference", "order"),
            _orphans("shipment line", "delivery_shipmentline", "reference", "orderline"),
        )
    ),
)
invariant(
    "Q02",
    "inv_q02_orders_follow_group",
    "orders wait with their group, unless called off whole, end with it, and go on once it is paid",
    """
    SELECT ordr.id, ordr.status, grp.status AS group_status
    FROM orders_order ordr JOIN orders_ordergroup grp ON grp.id = ordr.group_id
    WHERE (grp.status NOT IN ('pending_payment', 'expiring') AND ordr.status = 'pending_payment')
       OR (grp.status IN ('pending_payment', 'expiring') AND ordr.status <> 'pending_payment'
           AND NOT (ordr.status = 'cancelled' AND ordr.called_off_minor = ordr.total_minor))
       OR (grp.status IN ('cancelled', 'expired') AND ordr.status <> 'cancelled')
    """,
)
invariant(
    "Q03",
    "inv_q03_cancel_requests",
    "an order says of an open request until when it waits for its answer, and silence answers it",
    """
    SELECT ordr.id, ordr.status, ordr.cancel_requested_until, request.deadline
    FROM orders_order ordr
    FULL JOIN (SELECT order_id, deadline FROM orders_cancelrequest WHERE status = 'requested')
         AS request ON request.order_id = ordr.id
    WHERE ordr.cancel_requested_until IS DISTINCT FROM request.deadline
       OR (request.deadline IS NOT NULL AND ordr.status <> 'packing')
       OR request.deadline < (SELECT business_now()) - interval '5 minutes'
    """,
)
invariant(
    "Q04",
    "inv_q04_units_of_dead_orders",
    "nothing is left open of an order that was called off; only one that ran out of time may be",
    """
    SELECT ordr.id, sum(line.quantity - line.cancelled_quantity) AS units
    FROM orders_order ordr
    JOIN orders_ordergroup grp ON grp.id = ordr.group_id
    JOIN orders_orderline line ON line.order_id = ordr.id
    WHERE ordr.status = 'cancelled'
      AND (grp.status <> 'expired'
        OR (ordr.called_off_minor = ordr.total_minor AND ordr.total_minor > 0))
    GROUP BY ordr.id HAVING sum(line.quantity - line.cancelled_quantity) > 0
    """,
)
invariant(
    "Q05",
    "inv_q05_voucher_uses",
    "a voucher's counter is the number of its uses that count, and none goes over its limits",
    """
    WITH counted AS (
        SELECT voucher_id, customer_id, count(*) AS uses FROM orders_voucheruse
        WHERE given_back_at IS NULL GROUP BY voucher_id, customer_id),
    summed AS (
        SELECT voucher_id, sum(uses) AS uses, max(uses) AS most FROM counted GROUP BY voucher_id)
    SELECT coalesce(voucher.id, summed.voucher_id) AS id, voucher.code, voucher.used_count,
           voucher.total_limit, voucher.per_customer_limit, summed.uses, summed.most
    FROM orders_voucher voucher FULL JOIN summed ON summed.voucher_id = voucher.id
    WHERE voucher.used_count IS DISTINCT FROM coalesce(summed.uses, 0)
       OR summed.uses > voucher.total_limit OR summed.most > voucher.per_customer_limit
    """,
)
invariant(
    "Q06",
    "inv_q06_voucher_of_group",
    "a group was given a discount by the voucher that it uses, and gives it back when it is dead",
    """
    SELECT grp.id, grp.status, grp.discount_minor, used.discount_minor AS used_minor,
           used.given_back_at
    FROM orders_ordergroup grp
    LEFT JOIN orders_voucheruse used ON used.group_id = grp.id
    LEFT JOIN (SELECT group_id, bool_and(status = 'cancelled') AS is_dead
               FROM orders_order GROUP BY group_id) AS parts ON parts.group_id = grp.id
    WHERE grp.discount_minor <> coalesce(used.discount_minor, 0)
       OR used.customer_id <> grp.customer_id
       OR (used.id IS NOT NULL AND parts.is_dead <> (used.given_back_at IS NOT NULL))
    """,
)
