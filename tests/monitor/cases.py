"""What may go wrong, done to clean data through the services where they allow it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection
from django.test import override_settings

from accounts.actors import Actor, Role
from core import clock
from core.ids.uuids import uuid7_of
from core.models import Heartbeat, OutboxEvent, OutboxStream, StateChange
from orders.models import Order, OrderGroup
from orders.services.cancel import order_cancel
from orders.services.capture import order_capture
from orders.services.expire import order_group_expire
from payments.channels.base import Answer
from payments.models import Attempt, Capture, Difference, Payout, Refund, Statement
from payments.services.collect import attempt_answer_record
from payments.services.day import day_certify
from payments.services.difference import difference_settle
from payments.services.payout import payout_approve, payout_send
from payments.services.reconcile import run_record
from payments.services.refund import refund_send
from payments.services.statement import settle_due
from tests.audit.faults_stock import STOCK
from tests.audit.plant import Act, Ids, release, step
from tests.core.outbox_parts import fact, tell
from tests.factories import TESTER, make_merchant, settlement
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
from tests.payments.lists import listed, movement_of

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
    step(OrderGroup, "start_expiring", "pending", "promised", "discounted")(ids)
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


def scheduled_payout(ids: Ids) -> Payout:
    """Of a merchant of its own, who is paid to an account that takes it."""
    merchant = make_merchant()
    settlement.give_account(merchant)
    return settlement.make_payout(merchant)


def payout_in(state: str) -> Callable[[Ids], datetime]:
    def plant(ids: Ids) -> datetime:
        payout = scheduled_payout(ids)
        payout_approve(payout_id=payout.pk, actor=settlement.ANNA)
        if state != "approved":
            payout = payout_send(payout_id=payout.pk, actor=TESTER)
        if state == "failed":
            settlement.answered(payout, "failed")
        return Payout.objects.get(pk=payout.pk).status_changed_at

    return plant


def statement_unclosed(ids: Ids) -> datetime:
    merchant = make_merchant()
    settlement.sell(merchant)
    settle_due()
    return Statement.objects.get(merchant=merchant).period_to


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


def listed_for_nobody(ids: Ids) -> datetime:
    listed(started(ids), key="typo")
    return Difference.objects.get().found_at


def differing_day(ids: Ids) -> datetime:
    """Its one difference has been settled, and nobody has certified it anew."""
    row = movement_of(started(ids), key="typo")
    day = clock.now().date()
    certificate = day_certify(channel="sandbox", day=day, report=[row], actor=TESTER)
    for difference in Difference.objects.all():
        difference_settle(
            difference_id=difference.pk,
            verdict="ours",
            reason="theirs alone",
            actor=Actor(Role.STAFF, "finance"),
        )
    return certificate.at


def listed_last(ids: Ids) -> datetime:
    now = clock.now()
    run: dict[str, Any] = {"channel": "sandbox", "since": now, "records": 0, "actor": TESTER}
    run_record(until=now - timedelta(hours=1), **run)
    return run_record(until=now, **run).until


NOW, MINUTES = timedelta(0), timedelta(minutes=1)
HOURS = 60 * MINUTES
RESERVED_FOR_NOBODY = STOCK["inv_01_reserved_equals_reservations"][0].acts
ORPHAN = "UPDATE inventory_reservation SET reference = 1 WHERE reference = (SELECT min(id) FROM orders_orderline WHERE order_id = {paid_order1})"
UNBALANCED = "UPDATE payments_ledgerentry SET amount_minor = amount_minor + 1 WHERE id = (SELECT min(id) FROM payments_ledgerentry)"

OTHER_CLOSING = "UPDATE payments_statement SET closing_minor = closing_minor + 1"

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
    "capture not answered": Case("S2c", capture_unanswered, 10 * MINUTES, 30 * MINUTES),
    "capture failed": Case("S20", capture_failed, NOW, 24 * HOURS),
    "left, and not asked for": Case("S21", shipped_unasked, 10 * MINUTES, HOURS),
    "left, and lapsed": Case("S21", shipped_and_lapsed, 10 * MINUTES, HOURS),
    "promised long ago": Case("S22", promise_old, 5 * 24 * HOURS, 6 * 24 * HOURS),
    "reserved for nobody": Case("S11", sql(*RESERVED_FOR_NOBODY), NOW, NOW),
    "reserved for no order": Case("S11", sql(ORPHAN), NOW, NOW),
    "unbalanced": Case("S14", sql(UNBALANCED), NOW, NOW),
    "another closing balance": Case("S14", sql(OTHER_CLOSING), NOW, NOW),
    "payout unknown": Case("S2b", payout_in("sent"), 30 * MINUTES, 24 * HOURS),
    "payout not sent": Case("S9b", payout_in("approved"), 15 * MINUTES, 24 * HOURS),
    "payout failed": Case("S10b", payout_in("failed"), NOW, 72 * HOURS),
    "statement not closed": Case("S14b", statement_unclosed, HOURS, 24 * HOURS),
    "listed for nobody": Case("S15", listed_for_nobody, 24 * HOURS, 48 * HOURS),
    "a day that differs": Case("S15", differing_day, 24 * HOURS, 48 * HOURS),
    "not listed any more": Case("S15", listed_last, 24 * HOURS, 48 * HOURS),
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
