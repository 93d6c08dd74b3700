"""Paying: the shopper tries at a channel; when the money has come, group and orders are paid."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor
from accounts.models import Merchant
from core import clock
from core.command import command, in_savepoint
from core.errors import Conflict, Denied
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
from orders.services.voucher import voucher_take_again
from payments.channels import cash_on_delivery
from payments.channels.base import channel_named
from payments.locks import lock_credit, lock_payments
from payments.models import Attempt, Payment, Refund
from payments.selectors import channel_payment, is_secured, refundable_minor
from payments.services.collect import attempt_start, refuse_started
from payments.services.credit import credit_part_off, credit_spend
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
    group, moment = _payable_group(group_id, channel)
    payment = channel_payment(lock_payments(reference=group.id))
    return _start(group, payment, moment, channel, token, return_url, actor)


@command
def payment_start_with_credit(
    *,
    group_id: int,
    store_credit_minor: int,
    owner_id: int | None,
    channel: str,
    token: str,
    return_url: str,
    actor: Actor,
) -> Payment:
    """The same, with so much store credit first; where that is all, no channel is asked.

    `owner_id` is the customer who has proved to be one; a group is paid with its own customer's
    credit only. Answers the payment by store credit, its attempt in `beside`. A try that fails gives
    the credit back in the transaction that hears of it.
    Locks the group, its payments, the customer's credit. Emits `attempt.started` or `payment.closed`,
    then `payment.opened`, `payment.captured`. Raises, besides what `payment_start()` raises, Denied
    `credit.not_yours`; Invalid `credit.amount`; Conflict `payment.not_open`, `credit.short`.
    """
    group, moment = _payable_group(group_id, channel)
    if owner_id is None or owner_id != group.customer_id:
        raise Denied("credit.not_yours", _("Sign in to use your store credit."))
    payment = channel_payment(lock_payments(reference=group.id))
    account = lock_credit(customer_id=owner_id, shard_key=group.shard_key, currency=group.currency)
    refuse_started(payment)
    shares = credit_part_off(payment=payment, amount_minor=store_credit_minor)
    attempt = None
    if payment.amount_minor:
        attempt = _start(group, payment, moment, channel, token, return_url, actor)
    return credit_spend(
        payment=payment, account=account, shares=shares, attempt=attempt, actor=actor
    )


def _payable_group(group_id: int, channel: str) -> tuple[OrderGroup, datetime]:
    """The group, locked, and the moment read after that, at which somebody may still begin to pay."""
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
    return group, moment


def _start(
    group: OrderGroup,
    payment: Payment,
    moment: datetime,
    channel: str,
    token: str,
    return_url: str,
    actor: Actor,
) -> Attempt:
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
    comes back, if it did so within the last day, its merchants still sell and all its goods and its
    voucher can be had again. Else, and for a group that was called off, all its payments go back
    whole. Quiet when
    the group is paid, or its money has gone back.
    Locks the group, its orders, when it comes late the payment and the voucher, reservations, stock
    rows. Emits `order_group.paid` and `order.paid` per order, or `order_group.reinstated` and
    `order.reinstated`, or `refund.requested` and `refund.approved`.
    """
    group, orders = lock_group_with_orders(group_id)
    if states.GROUP.may("pay", group.status):
        if is_secured(group.id):
            _pay(group, orders, actor)
    elif group.status in states.GROUP.in_chapter("ended"):
        come = [row for row in lock_payments(reference=group.id) if row.status == "captured"]
        is_here = any(row.id == payment_id for row in come)
        if is_here and not _is_taken_back(group, orders, come, actor):
            group, orders = lock_group_with_orders(group_id)  # as they were before the try
            for payment in come:
                if payment.amount_minor:  # else a channel's part that came to nothing
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
    group: OrderGroup, orders: Sequence[Order], payments: Sequence[Payment], actor: Actor
) -> bool:
    """True where the late money was taken, and its group lives again."""
    lines = open_lines(orders)
    lost = {line.order_id for line in lines}  # what was called off before is not wanted
    wanted = [order for order in orders if order.id in lost]
    if not (wanted and _may_come_back(group, wanted, payments)):
        return False
    return in_savepoint(lambda: _reinstate(group, wanted, lines, actor), keep=bool)


def _may_come_back(group: OrderGroup, orders: Sequence[Order], payments: Sequence[Payment]) -> bool:
    late = {_late_key(payment) for payment in payments}
    given_back = Refund.objects.filter(shard_key=group.shard_key, request_key__in=late)
    sellers = Merchant.objects.filter(pk__in=[order.merchant_id for order in orders])
    return (
        group.status == states.EXPIRED
        and clock.now() <= group.status_changed_at + LONGEST_TIME_TO_REINSTATE
        and is_secured(group.id)
        and not given_back.exists()
        and not sellers.exclude(state=Merchant.State.ACTIVE).exists()
    )


def _reinstate(
    group: OrderGroup, orders: Sequence[Order], lines: Sequence[OrderLine], actor: Actor
) -> bool:
    """Stock decides, as the last act; where it is short the caller undoes the rest.

    So does the voucher: where others have used it up, the price that was paid is nobody's any more.
    """
    options = stock_for([line.sku_id for line in lines])
    if any(line.sku_id not in options for line in lines) or not voucher_take_again(group):
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
