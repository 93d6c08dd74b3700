"""Expiring: one decider, under the group's lock, by the clock that is read after it."""

from accounts.actors import Actor, system
from core import clock
from core.command import command
from core.fsm import fire
from core.sweep import sweep
from inventory.locks import lock_reservations
from inventory.services import reservation_release
from orders import states
from orders.locks import lock_group_with_orders
from orders.selectors import due_group_ids, line_ids, overdue
from payments.locks import lock_payments
from payments.services.collect import payment_close

TIMEOUT = "timeout"
SCAN_GROUPS = 200


@command
def order_group_expire(*, group_id: int, actor: Actor) -> bool:
    """Expires an overdue group with its orders, closes its payment, releases its stock.

    Quiet, answering False, when the group is no longer pending, is not overdue by the clock read
    under the lock, or when its money has come and only its event is on the way. An attempt that is
    open is asked to close at the channel after the commit.
    Locks the group, its orders, the payment, the reservations, the stock rows.
    Emits `order_group.expired`, `order.cancelled` per order, `payment.closed`.
    """
    group, orders = lock_group_with_orders(group_id)
    if not states.GROUP.may("expire", group.status) or not overdue(group, clock.now()):
        return False
    lines = line_ids(orders)
    lock_payments(reference=group.id)
    lock_reservations(lines)
    if payment_close(reference=group.id, actor=actor, reason=TIMEOUT):
        return False
    fire(group, verb="expire", actor=actor, reason=TIMEOUT)
    live = [order for order in orders if order.status != states.CANCELLED]
    fire(live, verb="cancel", actor=actor, reason=TIMEOUT)
    reservation_release(references=lines, actor=actor, reason=TIMEOUT)
    return True


def expire_due() -> int:
    """Expires every overdue group, one transaction each; answers how many it expired."""
    expired = 0
    while ids := due_group_ids(most=SCAN_GROUPS):
        done = sweep(
            ids, lambda group_id: order_group_expire(group_id=group_id, actor=system("expiry"))
        )
        expired += done
        if not done:  # all that is left waits for its money's event, or failed
            break
    return expired
