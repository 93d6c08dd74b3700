"""Completing: the return window is over, the merchant has earned the order."""

from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor, system
from core import clock
from core.command import command
from core.errors import Conflict
from core.fsm import fire
from core.money import prorate_half_up
from core.sweep import sweep
from orders import states
from orders.locks import lock_order
from orders.models import Order
from orders.selectors import completable_order_ids
from payments.locks import lock_payments
from payments.selectors import Accrual, disputed_orders, untaken_minor
from payments.services.split import order_accrue

SCAN_ORDERS = 200


@command
def order_complete(*, order_id: int, actor: Actor) -> Order:
    """Completes a delivered order whose return window is over, and accrues the merchant's share.

    Commission and subsidy were frozen at placing. Quiet when it is completed.
    Locks group, order, payments. Emits `order.completed`.
    Raises Conflict `state.conflict`, `order.window_open`, `order.chargeback_open`,
    `order.not_captured` while money that was promised for it has not been taken: nobody is paid out
    what we do not have.
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
    if untaken := sum(untaken_minor(payment, order.id) for payment in payments):
        raise Conflict(
            "order.not_captured",
            _("The money that was promised for this order has not been taken yet."),
            id=str(order.id),
            untaken_minor=untaken,
        )
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
        accrual=_accrual(order),
        actor=actor,
    )
    return order


def _accrual(order: Order) -> Accrual:
    """What was frozen at placing.

    Of goods that cost the buyer nothing no unit takes money along when it is called off, so it
    takes its part of what the platform pays and of the commission along here.
    """
    goods_minor = order.total_minor - order.delivery_payable_minor
    kept_minor = order.items_minor
    if not goods_minor:
        kept_minor = sum(line.kept_quantity * line.unit_price_minor for line in order.lines.all())
    return Accrual(
        goods_minor,
        order.delivery_payable_minor,
        *(
            prorate_half_up(minor, kept_minor, order.items_minor)
            for minor in (order.commission_minor, order.commission_tax_minor, order.subsidy_minor)
        ),
    )


def complete_due() -> int:
    """Completes every order whose window is over, one transaction each; answers how many."""
    return sweep(
        completable_order_ids(most=SCAN_ORDERS),
        lambda order_id: order_complete(order_id=order_id, actor=system("completion clock")),
    )
