"""Cancelling: the mirror of placing and paying, for a group or for one order."""

from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor, Role
from core import clock
from core.command import command
from core.errors import Conflict
from core.fsm import fire
from delivery.locks import lock_shipments
from delivery.services import shipments_void
from inventory.locks import lock_reservations
from inventory.services import reservation_release
from orders import states
from orders.locks import lock_group_with_orders, lock_order
from orders.models import Order, OrderGroup
from orders.selectors import line_ids, overdue
from orders.services.summary import summaries_refresh
from payments.locks import lock_payments
from payments.models import Payment
from payments.selectors import refundable_minor
from payments.services.collect import payment_close
from payments.services.refund import refund_request


@command
def order_group_cancel(*, group_id: int, actor: Actor, reason: str) -> OrderGroup:
    """Calls the whole group off: before payment all at once, after it order by order with refund.

    Quiet when everything is cancelled. All or nothing: one order that has left stops it.
    Locks the group, its orders, the payment, shipments, reservations, stock rows.
    Emits `order_group.cancelled` and `payment.closed` before payment; `order.cancelled` per order;
    after payment `refund.requested` and `refund.approved` per order.
    Raises Conflict `payment.expired`, `state.conflict`, for a buyer `cancel.too_late`.
    """
    group, orders = lock_group_with_orders(group_id)
    if group.status == states.PENDING_PAYMENT:
        _cancel_unpaid(group, orders, actor, reason)
    elif group.status == states.PAID:
        live = [order for order in orders if order.status != states.CANCELLED]
        _cancel_paid(group, live, actor, reason)
    elif group.status == states.EXPIRING:
        raise Conflict("payment.expired", _("The time to pay is over."), number=group.number)
    return group


@command
def order_cancel(*, order_id: int, actor: Actor, reason: str) -> Order:
    """Calls one paid order off and sends its money back. Quiet when it is cancelled.

    Locks its group, the order, the payment, shipments, reservations, stock rows.
    Emits `order.cancelled`, `refund.requested`, `refund.approved`.
    Raises Conflict `state.conflict`: an unpaid order is cancelled with its group; for a buyer
    `cancel.too_late` once it is being packed.
    """
    group, order = lock_order(order_id)
    if order.status == states.CANCELLED:
        return order
    if group.status != states.PAID:
        raise Conflict(
            "state.conflict",
            _("An unpaid order is cancelled as a whole."),
            noun="order_group",
            id=str(group.id),
            state=group.status,
            verb="cancel",
        )
    _cancel_paid(group, [order], actor, reason)
    return order


def _cancel_unpaid(group: OrderGroup, orders: list[Order], actor: Actor, reason: str) -> None:
    """Money that is on its way all the same goes back when it arrives."""
    if overdue(group, clock.now()):
        raise Conflict("payment.expired", _("The time to pay is over."), number=group.number)
    lines = line_ids(orders)
    lock_payments(reference=group.id)
    lock_reservations(lines)
    payment_close(reference=group.id, actor=actor, reason=reason)
    fire(group, verb="cancel", actor=actor, reason=reason)
    fire(orders, verb="cancel", actor=actor, reason=reason)
    reservation_release(references=lines, actor=actor, reason=reason)


def _cancel_paid(group: OrderGroup, orders: list[Order], actor: Actor, reason: str) -> None:
    _refuse_partly_shipped(orders)
    _refuse_buyer_once_packed(orders, actor)
    order_ids, lines = [order.id for order in orders], line_ids(orders)
    payments = lock_payments(reference=group.id)
    lock_shipments(order_ids)
    lock_reservations(lines)
    _refund(payments, orders, actor, reason)
    shipments_void(references=order_ids, actor=actor, reason=reason)
    fire(orders, verb="cancel", actor=actor, reason=reason)
    summaries_refresh(group, list(group.orders.all()), actor=actor)
    reservation_release(references=lines, actor=actor, reason=reason)


def _refuse_partly_shipped(orders: list[Order]) -> None:
    for order in orders:
        if order.lines.filter(shipped_quantity__gt=0).exists():
            raise Conflict(
                "state.conflict",
                _("Parts of this order have left; they can be returned."),
                noun="order",
                id=str(order.id),
                state=order.status,
                verb="cancel",
            )


def _refuse_buyer_once_packed(orders: list[Order], actor: Actor) -> None:
    """From then on it is the merchant's to say."""
    for order in orders:
        if actor.role == Role.BUYER and order.status == states.PACKING:
            raise Conflict(
                "cancel.too_late",
                _("%(merchant)s has already packed this. You can return it after delivery.")
                % {"merchant": order.merchant.name},
                id=str(order.id),
                state=order.status,
            )


def _refund(payments: list[Payment], orders: list[Order], actor: Actor, reason: str) -> None:
    """Each order's share of each payment goes back."""
    for payment in payments:
        for order in orders:
            amount_minor = refundable_minor(payment, order.id)
            if amount_minor:
                refund_request(
                    payment=payment,
                    reference=order.id,
                    request_key=f"cancel:{order.id}:{payment.id}",
                    amount_minor=amount_minor,
                    shares=[(order.id, order.merchant_id, amount_minor)],
                    actor=actor,
                    reason=reason,
                )
