"""The monitor's conditions of the story, and those that span the story and the capabilities."""

from datetime import timedelta

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from accounts.actors import system
from catalog.services import sku_stop
from core.ids import gene_of
from core.monitor import Condition, Owner, Pace, watch_for
from inventory.selectors import stock_item
from orders import states
from orders.models import Order
from orders.services.capture import order_capture
from orders.services.expire import order_group_expire
from orders.services.pay import order_group_pay
from orders.services.remind import is_reminded, merchant_remind
from orders.services.resume import order_group_resume
from payments.models import Payment

MONITOR = system("monitor")


def _expire(group_id: int) -> object:
    return order_group_expire(group_id=group_id, actor=MONITOR)


def _apply(payment_id: int) -> object:
    payment = Payment.objects.get(pk=payment_id, shard_key=gene_of(payment_id))
    return order_group_pay(group_id=payment.reference, payment_id=payment.id, actor=MONITOR)


def _resume(order_id: int) -> object:
    order = Order.objects.get(pk=order_id, shard_key=gene_of(order_id))
    return order_group_resume(group_id=order.group_id, actor=MONITOR)


def _remind_to_acknowledge(order_id: int) -> object:
    return _remind(order_id, after=states.PAID)


def _remind_to_ship(order_id: int) -> object:
    return _remind(order_id, after=states.ACKNOWLEDGED)


def _remind(order_id: int, *, after: str) -> object:
    """Each round finds those that were reminded long ago, too: they are not locked for nothing."""
    order = Order.objects.get(pk=order_id, shard_key=gene_of(order_id))
    if is_reminded(order, after=after):
        return False
    return merchant_remind(order_id=order_id, after=after, actor=MONITOR)


def _stop_sale(stock_item_id: int) -> object:
    return sku_stop(sku_id=stock_item(stock_item_id).sku_id, reason="monitor S11", actor=MONITOR)


def _capture(order_id: int) -> object:
    return order_capture(order_id=order_id, actor=MONITOR)


def _captured_without(*statuses: str) -> str:
    """Payments whose money is here, of groups in these states, and since when."""
    listed = ", ".join(f"'{status}'" for status in statuses)
    return f"""
        SELECT payment.id AS subject, payment.status_changed_at AS since
        FROM orders_ordergroup grp JOIN payments_payment payment ON payment.reference = grp.id
        WHERE grp.status IN ({listed}) AND payment.status = 'captured'
    """


watch_for(
    Condition(
        code="S1",
        name="unpaid_overdue",
        words=_("An order is unpaid past its deadline and still open"),
        owner=Owner.PLATFORM,
        warn_after=timedelta(minutes=2),
        page_after=timedelta(minutes=10),
        # Once the channel was asked to close the attempt, it has five minutes to answer.
        sql="""
            SELECT id AS subject, pay_before AS since
            FROM orders_ordergroup WHERE status = 'pending_payment'
            UNION ALL
            SELECT id, pay_before + interval '5 minutes'
            FROM orders_ordergroup WHERE status = 'expiring'
        """,
        repair=_expire,
        runbook="It holds stock that others could buy. The clock `expire-due-groups` should have ended it:"
        " see S16 and the worker's log for what `order_group_expire` refuses. The repair expires it and"
        " releases its stock; money that comes later goes back by itself.",
    )
)
watch_for(
    Condition(
        code="S3",
        name="captured_not_paid",
        words=_("Money is here, but its order is not paid"),
        owner=Owner.PLATFORM,
        warn_after=timedelta(minutes=1),
        page_after=timedelta(minutes=5),
        sql=_captured_without("pending_payment", "expiring"),
        repair=_apply,
        runbook="The event `payment.captured` has not reached the order: see S12. The repair pays the"
        " group as the event would.",
    )
)
watch_for(
    Condition(
        code="S3b",
        name="late_money_kept",
        words=_("Money came for an order that had ended, and does not go back"),
        owner=Owner.FINANCE,
        warn_after=timedelta(minutes=1),
        page_after=timedelta(minutes=5),
        sql=_captured_without("expired", "cancelled")
        + """
            AND payment.captured_minor > payment.refunded_minor + payment.charged_back_minor + (
                SELECT coalesce(sum(refund.amount_minor), 0) FROM payments_refund refund
                WHERE refund.payment_id = payment.id AND refund.status = 'failed')
        """,  # what has failed is told by S10
        pace=Pace.SLOW,
        repair=_apply,
        runbook="As S3, for a group that had expired or was called off: the repair decides as the event"
        " would, which sends the money back.",
    )
)
watch_for(
    Condition(
        code="S4",
        name="paid_halfway",
        words=_("An order is paid, but its parts or its stock are not"),
        owner=Owner.PLATFORM,
        warn_after=timedelta(minutes=1),
        page_after=timedelta(minutes=5),
        sql="""
            SELECT ordr.id AS subject, grp.status_changed_at AS since
            FROM orders_order ordr JOIN orders_ordergroup grp ON grp.id = ordr.group_id
            WHERE ordr.status = 'pending_payment' AND grp.status = 'paid'
            UNION
            SELECT ordr.id, ordr.status_changed_at
            FROM orders_order ordr JOIN orders_orderline line ON line.order_id = ordr.id
            LEFT JOIN inventory_reservation reservation ON reservation.reference = line.id
                 AND reservation.status IN ('committed', 'shipped')
            WHERE ordr.status IN ('paid', 'acknowledged', 'packing')
              AND line.quantity > line.shipped_quantity + line.cancelled_quantity
              AND reservation.id IS NULL
        """,
        pace=Pace.SLOW,
        repair=_resume,
        runbook="One transaction does all of it, so somebody has written past the services. The repair pays"
        " the orders and commits the stock that is held. Stock that is gone can't be committed: cancel"
        " the order, or have the merchant find the units.",
    )
)
watch_for(
    Condition(
        code="S5",
        name="not_acknowledged",
        words=_("A paid order is not acknowledged"),
        owner=Owner.MERCHANT,
        warn_after=timedelta(hours=12),
        page_after=timedelta(hours=24),
        sql="""
            SELECT id AS subject, status_changed_at AS since
            FROM orders_order WHERE status = 'paid'
        """,
        repair=_remind_to_acknowledge,
        runbook="The merchant's people were reminded by mail, once. From a day on it is the platform's:"
        " call them; cancel the order from the platform's console where nobody answers.",
    )
)
watch_for(
    Condition(
        code="S6",
        name="ship_by_passed",
        words=_("An order has not left by its day"),
        owner=Owner.MERCHANT,
        warn_after=timedelta(0),
        page_after=timedelta(hours=24),
        sql=f"""
            SELECT ordr.id AS subject,
                   max(step.at) + {settings.SHIP_WITHIN_HOURS} * interval '1 hour' AS since
            FROM orders_order ordr
            JOIN core_statechange step ON step.shard_key = ordr.shard_key
                 AND step.noun = 'order' AND step.object_id = ordr.id
                 AND step.to_state = 'paid' AND step.from_state <> 'paid'
            WHERE ordr.status IN ('acknowledged', 'packing')
            GROUP BY ordr.id
        """,
        repair=_remind_to_ship,
        runbook="No day is promised to the buyer yet, so the day is the payment plus `SHIP_WITHIN_HOURS`"
        " (72). The merchant's people were reminded by mail, once; a day later it is the platform's to"
        " ask, and to tell the buyer.",
    )
)
watch_for(
    Condition(
        code="S11",
        name="stock_wrong",
        words=_("Stock does not agree with its reservations"),
        owner=Owner.PLATFORM,
        warn_after=timedelta(0),
        page_after=timedelta(0),
        sql="""
            SELECT wrong.id AS subject, NULL::timestamptz AS since
            FROM (SELECT id FROM audit.inv_01_reserved_equals_reservations
                  UNION SELECT id FROM audit.inv_03_stock_bounds
                  UNION
                  SELECT reservation.stock_item_id
                  FROM inventory_reservation reservation
                  LEFT JOIN orders_orderline line ON line.id = reservation.reference
                  LEFT JOIN orders_order ordr ON ordr.id = line.order_id
                  WHERE reservation.status IN ('held', 'committed')
                    AND (ordr.id IS NULL OR ordr.status = 'cancelled')) AS wrong
        """,
        pace=Pace.SLOW,
        repair=_stop_sale,
        runbook="The repair has taken the item off sale, so that nothing is oversold; it does not touch the"
        " counters. `manage.py audit --once` (I01, I03, I05) shows the rows. Have the units counted,"
        " find who wrote past the services, mend, and put the item on sale again.",
    )
)
# What was promised for an order and is neither taken, nor let go, nor asked for.
_UNASKED = """
    SELECT ordr.id AS subject, {since} AS since
    FROM payments_paymentshare share
    JOIN orders_order ordr ON ordr.id = share.order_id AND ordr.shard_key = share.shard_key
    JOIN payments_payment payment ON payment.id = share.payment_id
    JOIN payments_attempt attempt ON attempt.payment_id = payment.id AND NOT attempt.is_excess
         AND attempt.capture_at <> 'once' AND attempt.status IN ({attempts})
    WHERE share.authorised_minor > share.captured_minor + share.voided_minor AND {where}
      AND NOT EXISTS (SELECT FROM payments_capture capture
                      WHERE capture.order_id = ordr.id AND capture.payment_id = payment.id)
"""
watch_for(
    Condition(
        code="S21",
        name="goods_left_unpaid",
        words=_("Goods have left, and their money was not asked for or can’t be had"),
        owner=Owner.FINANCE,
        warn_after=timedelta(minutes=10),
        page_after=timedelta(hours=1),
        sql=_UNASKED.format(
            since="ordr.status_changed_at",
            attempts="'succeeded', 'closed'",
            where="""
                (attempt.capture_at = 'shipment' AND ordr.status IN ('shipped', 'delivered')
                 OR attempt.capture_at = 'delivery' AND ordr.status = 'delivered')
            """,
        ),
        repair=_capture,
        runbook="The event `order.shipped` or `order.delivered` is stuck: see S12. The repair asks the channel"
        " for the money as the event would. Where the channel had let it go before the goods left,"
        " there is nothing to ask for: the order is not completed, and the buyer has to be asked to pay"
        " in another way.",
    )
)
watch_for(
    Condition(
        code="S22",
        name="promise_ageing",
        words=_("Promised money waits for goods that have not left"),
        owner=Owner.MERCHANT,
        warn_after=timedelta(days=5),
        page_after=timedelta(days=6),
        sql=_UNASKED.format(
            since="attempt.status_changed_at",
            attempts="'succeeded'",
            where="""
                attempt.capture_at = 'shipment'
                AND ordr.status IN ('paid', 'acknowledged', 'packing')
            """,
        ),
        pace=Pace.SLOW,
        runbook="Most banks keep money ready for seven days; then the channel lets it go, and the order is"
        " cancelled and told to both. Have the merchant ship it, or cancel it now, which is kinder.",
    )
)
