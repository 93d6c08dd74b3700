"""Taking promised money as goods move, and what becomes of an order whose money can't be had."""

from collections.abc import Sequence

from accounts.actors import Actor
from core.command import command
from orders import states
from orders.locks import lock_group_with_orders, lock_open_requests, lock_order
from orders.models import Order, OrderGroup
from orders.services.call_off import call_off_paid, cut_of
from orders.services.summary import summaries_refresh
from payments.channels.base import CaptureAt
from payments.locks import lock_payments
from payments.models import Capture, Payment
from payments.selectors import (
    asked_minor,
    is_captured_later,
    promising_attempt,
    refundable_minor,
    untaken_minor,
)
from payments.services.capture import capture_request
from payments.services.refund import refund_request

LEFT = states.ORDER.in_chapter("shipped", "delivered")
ARRIVED = states.ORDER.in_chapter("delivered")
# In which states of an order its money is due, by when the channel takes it.
DUE_IN = {CaptureAt.SHIPMENT: LEFT, CaptureAt.DELIVERY: ARRIVED}


@command
def order_capture(*, order_id: int, actor: Actor) -> list[Capture]:
    """Has an order's share of promised money taken, once its goods have left, or have arrived.

    When, says the channel that has promised it. Quiet where nothing is promised, due or left open.
    Locks the group, the order, the payments. Emits `capture.requested`.
    """
    if not is_captured_later(_group_id(order_id)):  # that never changes once an order ships
        return []
    group, order = lock_order(order_id)
    return [
        capture
        for number, payment in enumerate(lock_payments(reference=group.id))
        for capture in _ask(payment, order, number, actor)
    ]


def _group_id(order_id: int) -> int:
    found: int = Order.objects.values_list("group_id", flat=True).get(pk=order_id)
    return found


def _ask(payment: Payment, order: Order, number: int, actor: Actor) -> Sequence[Capture]:
    attempt = promising_attempt(payment)
    if attempt is None or order.status not in DUE_IN.get(CaptureAt(attempt.capture_at), ()):
        return []
    amount_minor = untaken_minor(payment, order.id) - asked_minor(payment, order.id)
    if not amount_minor:
        return []
    capture = capture_request(
        payment=payment,
        order_id=order.id,
        amount_minor=amount_minor,
        request_key=f"ship:{order.id}" + (f".{number}" if number else ""),
        actor=actor,
    )
    return [capture]


@command
def order_captured(*, order_id: int, capture_id: int, actor: Actor) -> Order:
    """Money of an order has been taken: the summaries say so; a cancelled order's goes back.

    Locks the group, its orders, the payments. Emits nothing, or `refund.requested` and
    `refund.approved`.
    """
    group, orders = lock_group_with_orders(_group_id(order_id))
    [order] = [row for row in orders if row.id == order_id]
    if order.status == states.CANCELLED:
        _give_back(group, order, capture_id, actor)
    summaries_refresh(group, orders, actor=actor)
    return order


def _give_back(group: OrderGroup, order: Order, capture_id: int, actor: Actor) -> None:
    for payment in lock_payments(reference=group.id):
        taken = payment.captures.filter(pk=capture_id, shard_key=payment.shard_key)
        amount_minor = refundable_minor(payment, order.id) if taken.exists() else 0
        if amount_minor:
            refund_request(
                payment=payment,
                reference=order.id,
                request_key=f"cancel:{order.id}:capture:{capture_id}",
                amount_minor=amount_minor,
                shares=[(order.id, order.merchant_id, amount_minor)],
                actor=actor,
                reason="cancelled before it was taken",
            )


@command
def order_group_lapse(*, group_id: int, actor: Actor) -> list[Order]:
    """A channel has let promised money go: what has not left of the orders that it was for ends.

    Where goods have left already their money stays owed, and the monitor tells of it. Quiet where
    nothing that was promised is still to be taken, so also when we let it go ourselves.
    Locks the group, its orders, and as `call_off_paid()`, which also says what it emits.
    """
    group, orders = lock_group_with_orders(group_id)
    if group.status != states.PAID:
        return []
    at_home = [order for order in orders if order.status in states.TO_DO]
    lock_open_requests(at_home)
    lapsed = [row for row in lock_payments(reference=group.id) if promising_attempt(row) is None]
    bereft = [
        order for order in at_home if any(untaken_minor(payment, order.id) for payment in lapsed)
    ]
    if bereft:
        call_off_paid(
            group=group,
            cuts=[cut_of(order, None) for order in bereft],
            actor=actor,
            reason=states.LAPSED,
            restock=True,
            cause=states.LAPSED,
        )
    return bereft
