"""The derived summaries of a group: stored so that lists can filter, computed in one place."""

from collections.abc import Sequence

from accounts.actors import Actor
from core.command import command
from core.fsm import fire
from orders import states
from orders.locks import lock_group_with_orders
from orders.models import Order, OrderGroup
from payments.selectors import MoneyOfReference, money_of

Paid = OrderGroup.PaymentSummary
Fulfilled = OrderGroup.FulfilmentSummary

LEFT = states.ORDER.in_chapter("shipped", "delivered")
ARRIVED = states.ORDER.in_chapter("delivered")


@command
def order_group_summarise(*, group_id: int, actor: Actor) -> OrderGroup:
    """Computes a group's summaries anew, after something of it has changed elsewhere.

    Locks the group and its orders. Emits nothing: no state changes.
    """
    group, orders = lock_group_with_orders(group_id)
    summaries_refresh(group, orders, actor=actor)
    return group


def summaries_refresh(group: OrderGroup, orders: Sequence[Order], *, actor: Actor) -> None:
    """Computes how paid and how shipped the locked group is, and stores what has changed."""
    payment = payment_summary(money_of(group.id), group.payable_minor)
    fulfilment = fulfilment_summary(orders)
    if (payment, fulfilment) != (group.payment_summary, group.fulfilment_summary):
        fields = {"payment_summary": str(payment), "fulfilment_summary": str(fulfilment)}
        fire(group, verb="amend", actor=actor, reason="summary", fields=fields)


def payment_summary(money: MoneyOfReference, total_minor: int) -> OrderGroup.PaymentSummary:
    """Refunds count from their approval: that money is no longer ours to keep.

    What was promised and let go need not be here.
    """
    if money.refunded_minor and money.refunded_minor >= money.captured_minor:
        return Paid.REFUNDED
    if money.refunded_minor:
        return Paid.PARTLY_REFUNDED
    if money.captured_minor and money.captured_minor >= total_minor - money.let_go_minor:
        return Paid.PAID
    if money.captured_minor:
        return Paid.PARTLY_PAID
    return Paid.AUTHORISED if money.authorised_minor else Paid.UNPAID


def fulfilment_summary(orders: Sequence[Order]) -> OrderGroup.FulfilmentSummary:
    """Cancelled orders do not count."""
    live = [order.status for order in orders if order.status != states.CANCELLED]
    if live and all(status in ARRIVED for status in live):
        return Fulfilled.DELIVERED
    if live and all(status in LEFT for status in live):
        return Fulfilled.SHIPPED
    if any(status in LEFT for status in live):
        return Fulfilled.PARTLY_SHIPPED
    return Fulfilled.NONE
