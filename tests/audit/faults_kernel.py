"""Faults of the kernel: histories, deadlines, the outbox and its consumers, the hooks."""

from django.test import override_settings

from orders.models import OrderGroup
from orders.services.capture import order_capture
from tests.audit.plant import Ids, fault, step
from tests.factories import TESTER
from tests.factories.story import make_promised_group, only_order, ship

STREAM = "aggregate_type = 'order' AND aggregate_id = {completed_order1}"
EVENTS = f"stream_id = (SELECT id FROM core_outboxstream WHERE {STREAM})"
HISTORY = "noun = 'order' AND object_id = {completed_order1}"
UNDELIVERED = f"UPDATE core_outboxstream SET delivered_seq = last_seq - 1 WHERE {STREAM}"
HOOK = """
    INSERT INTO core_hook (id, channel, event_id, headers, payload, state, note, received_at)
    SELECT 4096, '{channel}', 'planted', jsonb_build_object(),
        convert_to(jsonb_build_object('key', {key}::text)::text, 'UTF8'), 'received', '',
        business_now() - interval '{age}'
"""


def hook(channel: str, key: str, age: str) -> str:
    """A notification that nobody has processed for so long."""
    return HOOK.format(channel=channel, key=key, age=age)


# Every noun with a machine, and its table.
HEADS = {
    "order_group": "orders_ordergroup",
    "order": "orders_order",
    "cancel_request": "orders_cancelrequest",
    "payment": "payments_payment",
    "attempt": "payments_attempt",
    "capture": "payments_capture",
    "refund": "payments_refund",
    "chargeback": "payments_chargeback",
    "line_match": "payments_linematch",
    "manual_transfer": "payments_manualtransfer",
    "reservation": "inventory_reservation",
    "shipment": "delivery_shipment",
    "statement": "payments_statement",
    "payout": "payments_payout",
}


def asked(_ids: Ids) -> None:
    """An order of its own has left, and its money is asked for."""
    with override_settings(PAYMENT_CAPTURE_AT={"sandbox": "shipment"}):
        order = only_order(make_promised_group())
    ship(order)
    order_capture(order_id=order.id, actor=TESTER)


HISTORIES = {
    "inv_17_history": [
        fault(
            "17 a step from where it was not",
            f"UPDATE core_statechange SET from_state = 'shipped' WHERE {HISTORY} AND seq = 3",
        ),
        fault(
            "17b a state that no step led to",
            "UPDATE orders_order SET status = 'acknowledged' WHERE id = {paid_order1}",
        ),
        fault("17c a step is missing", f"DELETE FROM core_statechange WHERE {HISTORY} AND seq = 2"),
        fault(
            "17d a step that no machine knows",
            f"UPDATE core_statechange SET verb = 'jump' WHERE {HISTORY} AND seq = 2",
        ),
        *(
            fault(
                f"17 a version of a {noun} too many",
                *([asked] if noun == "capture" else []),
                f"UPDATE {table} SET version = version + 1",
            )
            for noun, table in HEADS.items()
        ),
    ],
    "inv_17b_told_fields": [
        fault(
            "17e an address that no step has changed",
            'UPDATE orders_ordergroup SET shipping_address = \'{{"city": "Kiel"}}\' WHERE id = {paid}',
        ),
        fault(
            "17f a moment that no step has changed",
            "UPDATE orders_order SET return_until = return_until + interval '1 microsecond'"
            " WHERE id = {completed_order1}",
        ),
        fault(
            "17g a moment that was taken away",
            "UPDATE orders_order SET return_until = NULL WHERE id = {completed_order1}",
        ),
        fault(
            "17h a summary that no step has told",
            "UPDATE orders_ordergroup SET fulfilment_summary = 'returned' WHERE id = {paid}",
        ),
        fault(
            "17i a field that its steps forgot",
            "UPDATE core_statechange SET changes = changes - 'link_version' WHERE noun ="
            " 'order_group' AND object_id = {paid} AND seq = 1",
        ),
    ],
    "inv_18_dead_end_state": [
        fault(
            "18 a state without a way out",
            "INSERT INTO core_staterule (noun, state, may_rest) VALUES ('order', 'on_hold', false)",
            """
            INSERT INTO core_stateedge (noun, verb, from_state, to_state, emits)
            VALUES ('order', 'hold', 'paid', 'on_hold', true)
            """,
        ),
    ],
    "inv_19_stuck": [
        fault(
            "19 a merchant who does nothing",
            "UPDATE orders_order SET status_changed_at = business_now() - interval '49 hours'"
            " WHERE id = {paid_order1}",
        ),
        fault(
            "19b a group that expires for ever",
            step(OrderGroup, "start_expiring", "pending"),
            "UPDATE orders_ordergroup SET status_changed_at = business_now() - interval '11 minutes'"
            " WHERE id = {pending}",
        ),
    ],
    "inv_20_unpaid_overdue": [
        fault(
            "20 unpaid past its deadline",
            "UPDATE orders_ordergroup SET pay_before = business_now() - interval '2 minutes'"
            " WHERE id = {pending}",
            also="I17b",
        ),
        fault(
            "20b expiring long past its deadline",
            step(OrderGroup, "start_expiring", "pending"),
            "UPDATE orders_ordergroup SET pay_before = business_now() - interval '7 minutes'"
            " WHERE id = {pending}",
            also="I17b",
        ),
    ],
}

OUTBOX = {
    "inv_21_outbox_undelivered": [
        fault("21 an old event that nobody has delivered", UNDELIVERED),
        fault(
            "21b a parked stream, be its events young",
            UNDELIVERED,
            f"UPDATE core_outboxstream SET parked = true WHERE {STREAM}",
            f"UPDATE core_outboxevent SET created_at = business_now() WHERE {EVENTS}",
        ),
        fault(
            "21c a notification's stream that is parked",
            "UPDATE core_outboxstream SET delivered_seq = 0, parked = true"
            " WHERE aggregate_type = 'hook'",
        ),
    ],
    "inv_22_effect_missing": [
        fault(
            "22 delivered and without effect",
            "DELETE FROM core_inboxeffect WHERE consumer = 'orders.handlers.pay_group'",
        ),
    ],
    "inv_23_effect_order": [
        fault(
            "23 the second event took effect first",
            """
            UPDATE core_inboxeffect SET applied_at = applied_at - interval '1 hour'
            WHERE consumer = 'payments.handlers.ask_channel' AND seq > 2
            """,
        ),
    ],
    "inv_24_outbox_gap": [
        fault(
            "24 an event is gone",
            f"DELETE FROM core_outboxevent WHERE {EVENTS} AND seq = 3",
            also="I25",
        ),
        fault(
            "24b a number that no event has",
            f"UPDATE core_outboxstream SET last_seq = last_seq + 1, delivered_seq = last_seq + 1"
            f" WHERE {STREAM}",
        ),
        fault(
            "24c events tidied away undelivered",
            UNDELIVERED,
            f"DELETE FROM core_outboxevent WHERE {EVENTS}",
            also="I25",
        ),
    ],
    "inv_25_event_without_outbox": [
        fault(
            "25 a step that was not told",
            """
            INSERT INTO core_statechange (id, shard_key, noun, object_id, seq, from_state, to_state,
                verb, actor, reason, changes, source, request_id, at)
            SELECT id, shard_key, 'order', id, version + 1, status, 'acknowledged', 'acknowledge',
                '', '', '{{}}', '', '', business_now()
            FROM orders_order WHERE id = {paid_order1}
            """,
            "UPDATE orders_order SET status = 'acknowledged', version = version + 1"
            " WHERE id = {paid_order1}",
        ),
        fault(
            "25b a step that names no event",
            f"UPDATE core_statechange SET event_id = NULL WHERE {HISTORY} AND seq = 1",
        ),
    ],
    "inv_26_webhook_stuck": [
        fault(
            "26 about an attempt",
            hook("sandbox", "(SELECT max(id) FROM payments_attempt)", "6 minutes"),
        ),
        fault(
            "26b about a refund",
            hook("sandbox", "(SELECT max(id) FROM payments_refund)", "6 minutes"),
        ),
        fault(
            "26c about a parcel",
            hook("carrier", "(SELECT max(id) FROM delivery_shipment)", "6 minutes"),
        ),
        fault("26d about nothing of ours", hook("sandbox", "4096", "12 minutes")),
    ],
}
