"""Paying: the shopper tries at a channel; when the money has come, group and orders are paid."""

from collections.abc import Sequence
from datetime import timedelta

from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor
from accounts.models import Merchant
from core import clock
from core.command import command, in_savepoint
from core.errors import Conflict
from core.fsm import fire
from inventory.locks import lock_reservations
from inventory.selectors import stock_for
from inventory.services import Want, reservation_commit, stock_take
from orders import states
from orders.locks import lock_group, lock_group_with_orders
from orders.models import Order, OrderGroup, OrderLine
from orders.selectors import open_lines
from orders.selectors.cash import cash_refusal
from orders.services.extend import prolong, refuse_expired
from orders.services.summary import summaries_refresh
from payments.channels import cash_on_delivery
from payments.channels.base import channel_named
from payments.locks import lock_payments
from payments.models import Attempt, Payment
from payments.selectors import channel_payment, is_secured, refundable_minor
from payments.services.collect import attempt_start
from payments.services.refund import refund_request

SHORTEST_TIME_TO_PAY = timedelta(seconds=60)
LONGEST_TIME_TO_REINSTATE = timedelta(hours=24)
LATE_MONEY = "paid late"


@command
def payment_start(
    *, group_id: int, channel: str, token: str, return_url: str, actor: Actor
) -> Attempt:
    """Starts one try at a channel; the channel itself is called after the commit, by the outbox.

    A channel that takes days gets them: the deadline moves on, and the attempt's with it.
    Locks the group, then its payment. Emits `attempt.started`, before it `order_group.prolonged`.
    Raises Conflict `payment.expired` (also when it is too late to send anyone to pay),
    `state.conflict`, `payment.attempt_open`; Invalid `payment.channel_unknown`, and at the door
    `payment.cash_too_much`, `payment.cash_not_accepted`.
    """
    group = lock_group(group_id)
    moment = clock.now()
    if channel == cash_on_delivery.NAME and (refusal := cash_refusal(group)):
        raise refusal
    refuse_expired(group, moment + SHORTEST_TIME_TO_PAY)
    if group.status != states.PENDING_PAYMENT:
        raise Conflict(
            "state.conflict",
            _("This order can't be paid now."),
            noun="order_group",
            id=str(group.id),
            state=group.status,
            verb="pay",
        )
    payment = channel_payment(lock_payments(reference=group.id))
    prolong(group, term=channel_named(channel).term, moment=moment)
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
    """A payment is secured: once all are, the group and its orders are paid, its stock is theirs.

    Money beats the clock: a group that still waits or is expiring is paid. One that ran out of time
    comes back, if it did so within the last day, its merchants still sell and all its goods can be
    had again. Else, and for a group that was called off, the whole payment goes back. Quiet when
    the group is paid, or its money has gone back.
    Locks the group, its orders, the payment when it comes late, reservations, stock rows.
    Emits `order_group.paid` and `order.paid` per order, or `order_group.reinstated` and
    `order.reinstated`, or `refund.requested` and `refund.approved`.
    """
    group, orders = lock_group_with_orders(group_id)
    if states.GROUP.may("pay", group.status):
        if is_secured(group.id):
            _pay(group, orders, actor)
    elif group.status in states.GROUP.in_chapter("ended"):
        [payment] = [row for row in lock_payments(reference=group.id) if row.id == payment_id]
        if not _is_taken_back(group, orders, payment, actor):
            group, orders = lock_group_with_orders(group_id)  # as they were before the try
            _give_back(group, payment, actor)
            summaries_refresh(group, orders, actor=actor)
    return group


def _pay(group: OrderGroup, orders: Sequence[Order], actor: Actor) -> None:
    live = [order for order in orders if order.status != states.CANCELLED]
    lines = [line.id for line in open_lines(live)]
    lock_reservations(lines)
    fire(group, verb="pay", actor=actor)
    fire(live, verb="pay", actor=actor)
    summaries_refresh(group, orders, actor=actor)
    reservation_commit(references=lines, actor=actor)


def _is_taken_back(
    group: OrderGroup, orders: Sequence[Order], payment: Payment, actor: Actor
) -> bool:
    """True where the late money was taken, and its group lives again."""
    lines = open_lines(orders)
    lost = {line.order_id for line in lines}  # what was called off before is not wanted
    wanted = [order for order in orders if order.id in lost]
    if not (wanted and _may_come_back(group, wanted, payment)):
        return False
    return in_savepoint(lambda: _reinstate(group, wanted, lines, actor), keep=bool)


def _may_come_back(group: OrderGroup, orders: Sequence[Order], payment: Payment) -> bool:
    sellers = Merchant.objects.filter(pk__in=[order.merchant_id for order in orders])
    return (
        group.status == states.EXPIRED
        and clock.now() <= group.status_changed_at + LONGEST_TIME_TO_REINSTATE
        and payment.status == "captured"
        and not payment.refunds.filter(request_key=_late_key(payment)).exists()
        and not sellers.exclude(state=Merchant.State.ACTIVE).exists()
    )


def _reinstate(
    group: OrderGroup, orders: Sequence[Order], lines: Sequence[OrderLine], actor: Actor
) -> bool:
    """Stock decides, as the last act; where it is short the caller undoes the rest."""
    options = stock_for([line.sku_id for line in lines])
    if any(line.sku_id not in options for line in lines):
        return False
    fire(group, verb="reinstate", actor=actor, reason=LATE_MONEY)
    fire(orders, verb="reinstate", actor=actor, reason=LATE_MONEY)
    summaries_refresh(group, list(group.orders.all()), actor=actor)
    wants = [
        Want(
            reference=line.id,
            sku_id=line.sku_id,
            stock_item_id=options[line.sku_id].stock_item_id,
            shard_key=options[line.sku_id].shard_key,
            quantity=line.open_quantity,
        )
        for line in lines
    ]
    return stock_take(wants=wants, actor=actor)


def _late_key(payment: Payment) -> str:
    return f"late:{payment.id}"


def _give_back(group: OrderGroup, payment: Payment, actor: Actor) -> None:
    """The decision that pays a group or gives late money back has one place: above.

    What was only promised is let go by the close that the end of its payment has asked for.
    """
    left_minor = sum(refundable_minor(payment, order.id) for order in group.orders.all())
    if not left_minor:
        return
    refund_request(
        payment=payment,
        reference=group.id,
        request_key=_late_key(payment),
        amount_minor=left_minor,
        shares=None,
        actor=actor,
        reason=f"group {group.status}",
    )
