"""Goods that came back before anybody paid for them: refused at the door, or never found there."""

from accounts.actors import Actor
from core.command import command
from core.fsm import fire
from delivery.locks import lock_shipments
from delivery.states import SHIPMENT
from inventory.locks import lock_reservations
from inventory.services import reservation_restock
from orders import states
from orders.locks import lock_order
from orders.models import Order, OrderLine
from orders.selectors import line_ids
from orders.services.call_off import count_cancelled, cut_of, give_back, told_of
from orders.services.summary import summaries_refresh
from payments.locks import lock_payments
from payments.selectors import asked_minor, untaken_minor


@command
def order_take_back(*, order_id: int, actor: Actor) -> Order:
    """Calls a shipped order off whose parcels are all back, and whose money was only promised.

    Its promise is let go, what was taken of it goes back, and the goods are in stock again. Quiet
    while a parcel is still away, and for an order that is paid: that is a return.
    Locks group, order, payments, shipments, reservations, stock rows. Emits `order.cancelled`,
    `payment.captured`, `payment.closed`, `refund.requested`, `refund.approved`.
    """
    group, order = lock_order(order_id)
    payments = lock_payments(reference=group.id)
    open_minor = sum(
        untaken_minor(payment, order.id) - asked_minor(payment, order.id) for payment in payments
    )
    if order.status != states.SHIPPED or not open_minor or not _is_back(order):
        return order
    lock_reservations(line_ids([order]))
    fire(
        order, verb="come_back", actor=actor, reason=states.REFUSED, fields={"first_left_at": None}
    )
    OrderLine.objects.filter(order=order, shard_key=order.shard_key).update(shipped_quantity=0)
    cut = cut_of(order, None)
    count_cancelled([cut])
    back = give_back(payments, cut, actor, states.REFUSED)
    told = told_of(cut, back=back, cause=states.REFUSED)
    fire(order, verb="cancel", actor=actor, reason=states.REFUSED, payload=told)
    summaries_refresh(group, list(group.orders.all()), actor=actor)
    reservation_restock(quantities=cut.units, dedup_key=f"refused:{order.id}", actor=actor)
    return order


def _is_back(order: Order) -> bool:
    """Every parcel that left has come back."""
    statuses = {shipment.status for shipment in lock_shipments([order.id])}
    return statuses - set(SHIPMENT.in_chapter("not_left")) == {"returned"}
