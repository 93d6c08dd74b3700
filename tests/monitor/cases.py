"""What may go wrong, done to clean data through the services where they allow it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import connection
from django.test import override_settings

from core import clock
from core.ids.uuids import uuid7_of
from core.models import Heartbeat, OutboxEvent, OutboxStream, StateChange
from orders.models import Order, OrderGroup
from orders.services.cancel import order_cancel
from orders.services.capture import order_capture
from orders.services.expire import order_group_expire
from payments.channels.base import Answer
from payments.models import Attempt, Capture, Refund
from payments.services.collect import attempt_answer_record
from payments.services.refund import refund_send
from tests.audit.faults_stock import STOCK
from tests.audit.plant import Act, Ids, release, step
from tests.core.outbox_parts import fact, tell
from tests.factories import TESTER
from tests.factories.money import say, say_of_refund
from tests.factories.story import (
    CHANNEL,
    MERCHANT,
    answer_capture,
    capture,
    make_promised_group,
    only_order,
    ship,
    start_payment,
)

RANDOM_BITS = 74


@dataclass(frozen=True)
class Case:
    """What is done, the ages from which on it is warned of and paged, and whether time can pass.

    Machine time can't be moved: there `plant` is given how long ago it shall have been.
    """

    code: str
    plant: Callable[[Ids], datetime]
    warn_after: timedelta
    page_after: timedelta


def unpaid(ids: Ids) -> datetime:
    return OrderGroup.objects.get(pk=ids["pending"]).pay_before


def expiring(ids: Ids) -> datetime:
    step(OrderGroup, "start_expiring", "pending", "promised")(ids)
    return unpaid(ids) + timedelta(minutes=5)


def processing(ids: Ids) -> datetime:
    attempt = started(ids)
    answer = Answer(
        status="processing", amount_minor=attempt.amount_minor, currency=attempt.currency, ref="r"
    )
    attempt_answer_record(attempt_id=attempt.id, answer=answer, actor=CHANNEL)
    return Attempt.objects.get(pk=attempt.id).status_changed_at


def started(ids: Ids) -> Attempt:
    return start_payment(OrderGroup.objects.get(pk=ids["pending"]))


def captured_untold(ids: Ids) -> datetime:
    capture(started(ids))
    return clock.now()


def late_untold(ids: Ids) -> datetime:
    attempt = say(started(ids), "closed")
    clock.advance(timedelta(minutes=31))
    order_group_expire(group_id=ids["pending"], actor=TESTER)
    capture(attempt)
    return clock.now()


def late_reduced_untold(ids: Ids) -> datetime:
    """What was called off since the attempt began goes back at once; the rest waits to be told."""
    attempt = say(started(ids), "closed")
    order = Order.objects.get(pk=ids["pending_order1"])
    one = {order.lines.get().id: 1}
    order_cancel(order_id=order.id, actor=MERCHANT, reason="broken", quantities=one)
    clock.advance(timedelta(minutes=31))
    order_group_expire(group_id=ids["pending"], actor=TESTER)
    capture(attempt)
    return clock.now()


def paid_halfway(ids: Ids) -> datetime:
    step(OrderGroup, "pay", "pending")(ids)
    return clock.now()


def paid_without_stock(ids: Ids) -> datetime:
    release("paid_order1")(ids)
    return Order.objects.get(pk=ids["paid_order1"]).status_changed_at


def not_acknowledged(ids: Ids) -> datetime:
    """The orders that were paid before it are as good: the first of them."""
    return Order.objects.filter(status="paid").earliest("status_changed_at").status_changed_at


def not_shipped(ids: Ids) -> datetime:
    paid = StateChange.objects.get(object_id=ids["packing_order1"], verb="pay")
    return paid.at + timedelta(hours=72)


def refund_of(ids: Ids) -> Refund:
    order_cancel(order_id=ids["paid_order1"], actor=MERCHANT, reason="broken")
    return Refund.objects.get(reference=ids["paid_order1"])


def refund_unsent(ids: Ids) -> datetime:
    return refund_of(ids).status_changed_at


def refund_failed(ids: Ids) -> datetime:
    refund = refund_of(ids)
    refund_send(refund_id=refund.id, actor=TESTER)
    say_of_refund(refund, "refund_failed")
    return clock.now()


def promised(ids: Ids) -> Order:
    """An order of its own whose money is promised, on its way to its buyer."""
    with override_settings(PAYMENT_CAPTURE_AT={"sandbox": "shipment"}):
        group = make_promised_group()
    return only_order(group)


def asked(ids: Ids) -> Order:
    order = promised(ids)
    ship(order)
    order_capture(order_id=order.id, actor=TESTER)
    return order


def capture_unanswered(ids: Ids) -> datetime:
    return Capture.objects.get(order_id=asked(ids).id).status_changed_at


def capture_failed(ids: Ids) -> datetime:
    return answer_capture(asked(ids), "failed").status_changed_at


def shipped_unasked(ids: Ids) -> datetime:
    return ship(promised(ids)).status_changed_at


def shipped_and_lapsed(ids: Ids) -> datetime:
    order = promised(ids)
    say(Attempt.objects.get(payment__reference=order.group_id), "closed")
    return ship(order).status_changed_at


def promise_old(ids: Ids) -> datetime:
    promise = Attempt.objects.get(payment__reference=promised(ids).group_id)
    return promise.status_changed_at


def sql(*acts: str | Act) -> Callable[[Ids], datetime]:
    def plant(ids: Ids) -> datetime:
        for act in acts:
            if callable(act):
                act(ids)
                continue
            with connection.cursor() as cursor:
                cursor.execute(act.format(**ids))
        return clock.now()

    return plant


NOW, MINUTES = timedelta(0), timedelta(minutes=1)
HOURS = 60 * MINUTES
RESERVED_FOR_NOBODY = STOCK["inv_01_reserved_equals_reservations"][0].acts
ORPHAN = "UPDATE inventory_reservation SET reference = 1 WHERE reference = (SELECT min(id) FROM orders_orderline WHERE order_id = {paid_order1})"
UNBALANCED = "UPDATE payments_ledgerentry SET amount_minor = amount_minor + 1 WHERE id = (SELECT min(id) FROM payments_ledgerentry)"

CASES = {
    "unpaid": Case("S1", unpaid, 2 * MINUTES, 10 * MINUTES),
    "expiring": Case("S1", expiring, 2 * MINUTES, 10 * MINUTES),
    "processing": Case("S2", processing, 10 * MINUTES, 30 * MINUTES),
    "captured, not told": Case("S3", captured_untold, MINUTES, 5 * MINUTES),
    "late, not told": Case("S3b", late_untold, MINUTES, 5 * MINUTES),
    "late and reduced, not told": Case("S3b", late_reduced_untold, MINUTES, 5 * MINUTES),
    "paid halfway": Case("S4", paid_halfway, MINUTES, 5 * MINUTES),
    "paid without stock": Case("S4", paid_without_stock, MINUTES, 5 * MINUTES),
    "not acknowledged": Case("S5", not_acknowledged, 12 * HOURS, 24 * HOURS),
    "not shipped": Case("S6", not_shipped, NOW, 24 * HOURS),
    "refund not sent": Case("S9", refund_unsent, 15 * MINUTES, HOURS),
    "refund failed": Case("S10", refund_failed, NOW, 24 * HOURS),
    "capture not answered": Case("S2b", capture_unanswered, 10 * MINUTES, 30 * MINUTES),
    "capture failed": Case("S20", capture_failed, NOW, 24 * HOURS),
    "left, and not asked for": Case("S21", shipped_unasked, 10 * MINUTES, HOURS),
    "left, and lapsed": Case("S21", shipped_and_lapsed, 10 * MINUTES, HOURS),
    "promised long ago": Case("S22", promise_old, 5 * 24 * HOURS, 6 * 24 * HOURS),
    "reserved for nobody": Case("S11", sql(*RESERVED_FOR_NOBODY), NOW, NOW),
    "reserved for no order": Case("S11", sql(ORPHAN), NOW, NOW),
    "unbalanced": Case("S14", sql(UNBALANCED), NOW, NOW),
}


def undelivered(age: timedelta) -> OutboxStream:
    """A stream whose first event was recorded so long ago, by the machine's clock."""
    [event] = tell(fact(4242))
    age_event(event, age)
    return event.stream


def age_event(event: OutboxEvent, age: timedelta) -> None:
    ms = int((datetime.now(UTC) - age).timestamp() * 1000)
    OutboxEvent.objects.filter(pk=event.pk).update(id=uuid7_of(ms << RANDOM_BITS | event.seq))


def silent(name: str, age: timedelta) -> None:
    """A clock that has last ticked so long ago."""
    Heartbeat.objects.filter(name=name).update(at=datetime.now(UTC) - age)
