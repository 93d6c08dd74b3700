"""Paying: the shopper tries at a channel; when the money has come, group and orders are paid."""

from datetime import timedelta

from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor
from core import clock
from core.command import command
from core.errors import Conflict
from core.fsm import fire
from inventory.locks import lock_reservations
from inventory.services import reservation_commit
from orders import states
from orders.locks import lock_group, lock_group_with_orders
from orders.models import OrderGroup
from orders.selectors import line_ids, overdue
from orders.services.summary import summaries_refresh
from payments.locks import lock_payments
from payments.models import Attempt, Payment
from payments.services.collect import attempt_start
from payments.services.refund import refund_request

SHORTEST_TIME_TO_PAY = timedelta(seconds=60)


@command
def payment_start(
    *, group_id: int, channel: str, token: str, return_url: str, actor: Actor
) -> Attempt:
    """Starts one try at a channel; the channel itself is called after the commit, by the outbox.

    Locks the group, then its payment. Emits `attempt.started`.
    Raises Conflict `payment.expired` (also when it is too late to send anyone to pay),
    `state.conflict`, `payment.attempt_open`.
    """
    group = lock_group(group_id)
    moment = clock.now()
    if group.status != states.PENDING_PAYMENT:
        raise Conflict(
            "state.conflict",
            _("This order can't be paid now."),
            noun="order_group",
            id=str(group.id),
            state=group.status,
            verb="pay",
        )
    if overdue(group, moment + SHORTEST_TIME_TO_PAY):
        raise Conflict("payment.expired", _("The time to pay is over."), number=group.number)
    [payment] = lock_payments(reference=group.id)
    return attempt_start(
        payment=payment,
        channel=channel,
        token=token,
        expires_at=group.pay_before,
        return_url=return_url,
        actor=actor,
    )


@command
def order_group_pay(*, group_id: int, payment_id: int, actor: Actor) -> OrderGroup:
    """The payment has been captured: the group and its orders are paid, its stock is theirs.

    Money beats the clock: a group that still waits or is expiring is paid. For a group that has
    expired or was cancelled the whole payment goes back. Quiet when the group is paid.
    Locks the group, its orders, the payment when it goes back, the reservations.
    Emits `order_group.paid` and `order.paid` per order, or `refund.requested` and `refund.approved`.
    """
    group, orders = lock_group_with_orders(group_id)
    if states.GROUP.may("pay", group.status):
        lines = line_ids(orders)
        lock_reservations(lines)
        fire(group, verb="pay", actor=actor)
        fire(orders, verb="pay", actor=actor)
        summaries_refresh(group, orders, actor=actor)
        reservation_commit(references=lines, actor=actor)
    elif group.status in states.GROUP.in_chapter("ended"):
        _give_back(group, payment_id, actor)
        summaries_refresh(group, orders, actor=actor)
    return group


def _give_back(group: OrderGroup, payment_id: int, actor: Actor) -> None:
    """The decision that pays a group or gives late money back has one place: above."""
    payments = {payment.id: payment for payment in lock_payments(reference=group.id)}
    payment: Payment = payments[payment_id]
    refund_request(
        payment=payment,
        reference=group.id,
        request_key=f"late:{payment.id}",
        amount_minor=payment.amount_minor,
        shares=None,
        actor=actor,
        reason=f"group {group.status}",
    )
