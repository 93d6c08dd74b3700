"""Expiring: one decider, under the group's lock, by the clock that is read after it.

Whoever thinks that a group is due only asks for it: the scan, a message, a key that ran out, a
refused shopper. So each of them may come early, late, twice or not at all.
"""

import time
from collections.abc import Collection, Sequence
from datetime import datetime

from accounts.actors import Actor, system
from core import clock
from core.command import command
from core.fsm import fire
from core.sweep import sweep, sweep_in_halves
from inventory.locks import lock_reservations
from inventory.services import reservation_release
from orders import states
from orders.locks import (
    lock_group_with_orders,
    lock_orders_of,
    lock_pending_groups,
    lock_vouchers_of,
)
from orders.models import Order, OrderGroup
from orders.selectors import line_ids, overdue
from orders.selectors.due import (
    HOLD_LIMIT,
    stuck_group_ids,
    tried_group_ids,
    untried_group_ids,
)
from orders.services.voucher import vouchers_give_back
from payments.locks import lock_payments, lock_payments_of
from payments.selectors import open_attempts, tried_references
from payments.services.collect import attempts_ask_close, payment_close, payments_close

TIMEOUT = "timeout"
EXPIRY = system("expiry")
BATCH_GROUPS, SINGLE_GROUPS = 1000, 100
# The task of a clock may not run long: who ends after this is followed by the next.
SCAN_SECONDS = 8.0


@command
def order_group_expire(*, group_id: int, actor: Actor) -> bool:
    """Moves an overdue group on: to `expiring` while its channel has to be asked, else to `expired`.

    Expiring asks the channel to close the open attempt while the goods stay held. With the answer,
    or five minutes after the deadline without one, the group expires with its orders, its payment
    is closed, its stock released and its voucher given back. Quiet, answering False, when the group is no longer unpaid, is
    not overdue by the clock read under the lock, still waits for the channel, or when its money
    has come and only its event is on the way.
    Locks the group, its orders, the payment, the voucher, the reservations, the stock rows.
    Emits `order_group.expiring_started` and `attempt.close_requested`; or `order_group.expired`,
    `order.cancelled` per order and `payment.closed`.
    """
    group, orders = lock_group_with_orders(group_id)
    moment = clock.now()
    if not states.GROUP.may("expire", group.status) or not overdue(group, moment):
        return False
    attempts = open_attempts(lock_payments(reference=group.id))
    if attempts and group.status == states.PENDING_PAYMENT:
        attempts_ask_close(attempts)
        fire(group, verb="start_expiring", actor=actor, reason=TIMEOUT, at=moment)
        return True
    if attempts and not overdue(group, moment - HOLD_LIMIT):
        return False
    lines = line_ids(orders)
    lock_vouchers_of([group])
    lock_reservations(lines)
    if payment_close(reference=group.id, actor=actor, reason=TIMEOUT):
        return False
    _expire([group], orders, lines, actor, moment)
    return True


@command
def order_groups_expire(*, group_ids: Collection[int], actor: Actor) -> int:
    """Expires the overdue ones of these groups that nobody tried to pay, all or none; counts them.

    The same as `order_group_expire()`, by a number of statements that does not grow with the
    groups. Leaves out, quietly, what another transaction holds, what is not pending or not overdue
    by the clock read under the locks, and what somebody has tried to pay.
    Locks the groups, their orders, payments, vouchers, reservations, stock rows.
    Emits `order_group.expired`, `order.cancelled` per order, `payment.closed` per group.
    """
    groups = lock_pending_groups(group_ids)
    moment = clock.now()
    tried = tried_references(group.id for group in groups)
    due = [group for group in groups if overdue(group, moment) and group.id not in tried]
    if not due:
        return 0
    references = [group.id for group in due]
    orders = lock_orders_of(due)
    lines = line_ids(orders)
    lock_payments_of(references)
    lock_vouchers_of(due)
    lock_reservations(lines)
    payments_close(references=references, actor=actor, reason=TIMEOUT)
    _expire(due, orders, lines, actor, moment)
    return len(due)


def _expire(
    groups: Sequence[OrderGroup],
    orders: Sequence[Order],
    lines: Collection[int],
    actor: Actor,
    moment: datetime,
) -> None:
    live = [order for order in orders if order.status != states.CANCELLED]
    vouchers_give_back(groups)
    fire(groups, verb="expire", actor=actor, reason=TIMEOUT, at=moment)
    fire(live, verb="cancel", actor=actor, reason=TIMEOUT, at=moment)
    reservation_release(references=lines, actor=actor, reason=TIMEOUT)


def expire_due() -> int:
    """Moves overdue groups on until none is left or the time of a scan is over; answers how many.

    What nobody tried to pay goes by a thousand in one transaction, the others one by one.
    """
    moved, ends_at = 0, time.monotonic() + SCAN_SECONDS
    while done := _expire_some(ends_at):
        moved += done
        if time.monotonic() > ends_at:
            break
    return moved


def _expire_some(ends_at: float) -> int:
    """One round; nothing when all that is left waits for an event or the channel, or failed."""
    done = sweep_in_halves(
        untried_group_ids(most=BATCH_GROUPS),
        lambda ids: order_groups_expire(group_ids=ids, actor=EXPIRY),
        ends_at=ends_at,
    )
    others = tried_group_ids(most=SINGLE_GROUPS) + stuck_group_ids(most=SINGLE_GROUPS)
    return done + sweep(others, lambda id_: order_group_expire(group_id=id_, actor=EXPIRY))
