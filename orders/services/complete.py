"""Completing: the return window is over, the merchant has earned the order."""

from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor, system
from core import clock
from core.command import command
from core.errors import Conflict
from core.fsm import fire
from core.sweep import sweep
from orders import states
from orders.locks import lock_order
from orders.models import Order
from orders.selectors import completable_order_ids
from payments.locks import lock_payments
from payments.selectors import disputed_orders
from payments.services.settlement import order_accrue

SCAN_ORDERS = 200


@command
def order_complete(*, order_id: int, actor: Actor) -> Order:
    """Completes a delivered order whose return window is over, and accrues the merchant's share.

    The commission was frozen at placing. Quiet when it is completed.
    Locks group, order, payments. Emits `order.completed`.
    Raises Conflict `state.conflict`, `order.window_open`, `order.chargeback_open`.
    """
    group, order = lock_order(order_id)
    if order.status == states.COMPLETED:
        return order
    if order.return_until is None or clock.now() < order.return_until:
        raise Conflict(
            "order.window_open",
            _("The order can still be returned."),
            id=str(order.id),
            state=order.status,
        )
    payments = lock_payments(reference=group.id)
    if disputed_orders([order.id]):
        raise Conflict(
            "order.chargeback_open",
            _("The buyer's bank has taken this money back. Wait until that is decided."),
            id=str(order.id),
            state=order.status,
        )
    fire(order, verb="complete", actor=actor)
    order_accrue(
        order_id=order.id,
        merchant_id=order.merchant_id,
        payments=payments,
        items_minor=order.items_minor,
        delivery_minor=order.delivery_minor,
        commission_minor=order.commission_minor,
        actor=actor,
    )
    return order


def complete_due() -> int:
    """Completes every order whose window is over, one transaction each; answers how many."""
    return sweep(
        completable_order_ids(most=SCAN_ORDERS),
        lambda order_id: order_complete(order_id=order_id, actor=system("completion clock")),
    )
