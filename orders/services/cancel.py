"""Cancelling: the mirror of placing and paying, for a group, an order or some units of its lines."""

from collections.abc import Mapping

from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor, Role
from core import clock
from core.command import command, in_savepoint
from core.errors import Conflict, Denied
from orders import states
from orders.locks import lock_group_with_orders, lock_order
from orders.models import Order, OrderGroup
from orders.selectors import overdue
from orders.services.call_off import (
    NOTHING_BACK,
    Cancellation,
    Cut,
    call_off_paid,
    call_off_unpaid,
    cut_of,
    refuse_buyer_once_packed,
)


@command
def order_group_cancel(
    *, group_id: int, actor: Actor, reason: str, restock: bool = True, dry_run: bool = False
) -> Cancellation:
    """Calls the whole group off: before payment all at once, after it order by order with refund,
    or by letting go what was only promised.

    Quiet when everything is cancelled, or expired. All or nothing: one order of which a unit has
    left stops it. Without `restock` the units are written off. `dry_run` does all of it under the
    locks and undoes it.
    Locks the group, its orders, cancel requests, payments, shipments, the voucher, reservations,
    stock rows.
    Emits `order_group.cancelled` and `payment.closed` before payment; `order.cancelled` per order;
    after payment `refund.requested` and `refund.approved` per order.
    Raises Conflict `payment.expired`, `state.conflict`, for a buyer `cancel.too_late` and Denied
    `cancel.restock_denied`.
    """
    _refuse_write_off(actor, restock=restock)
    group, orders = lock_group_with_orders(group_id)
    live = [order for order in orders if order.status != states.CANCELLED]
    if not live:
        return _nothing(group)
    _refuse_overdue(group)
    for order in live:
        _refuse_shipped(order)
        refuse_buyer_once_packed(order, actor)
    cuts = [cut_of(order, None) for order in live]
    return in_savepoint(
        lambda: _call_off(group, group, cuts, actor, reason, restock=restock),
        keep=lambda _: not dry_run,
    )


@command
def order_cancel(
    *,
    order_id: int,
    actor: Actor,
    reason: str,
    quantities: Mapping[int, int] | None = None,
    restock: bool = True,
    dry_run: bool = False,
) -> Cancellation:
    """Calls one order off as far as it has not left, or some units per line.

    Money of it that was paid goes back; what is not paid yet is never asked for, and with the last
    unit of its last order the whole group is cancelled. Quiet when the order is cancelled. Without
    `restock` the units are written off. `dry_run` does all of it under the locks and undoes it.
    Locks its group, the order, cancel requests, payments, shipments, the voucher, reservations,
    stock rows.
    Emits `order.cancelled`, or `order.reduced` and where nothing is left to ship `order.shipped`;
    what `call_off_paid()` and `call_off_unpaid()` emit.
    Raises Conflict `payment.expired`, `payment.in_progress`, `cancel.nothing_open`, for a buyer
    `cancel.too_late` and Denied `cancel.restock_denied`; Invalid `cancel.quantity`.
    """
    _refuse_write_off(actor, restock=restock)
    group, order = lock_order(order_id)
    if order.status == states.CANCELLED:
        return _nothing(order)
    _refuse_overdue(group)
    refuse_buyer_once_packed(order, actor)
    cut = cut_of(order, quantities)
    return in_savepoint(
        lambda: _call_off(group, order, [cut], actor, reason, restock=restock),
        keep=lambda _: not dry_run,
    )


def _call_off(
    group: OrderGroup,
    noun: OrderGroup | Order,
    cuts: list[Cut],
    actor: Actor,
    reason: str,
    *,
    restock: bool,
) -> Cancellation:
    back, called_off_minor = NOTHING_BACK, 0
    if group.status == states.PAID:
        back = call_off_paid(group=group, cuts=cuts, actor=actor, reason=reason, restock=restock)
    else:
        called_off_minor = call_off_unpaid(
            group=group, cuts=cuts, actor=actor, reason=reason, restock=restock
        )
    return Cancellation(
        number=noun.number,
        currency=group.currency,
        units={line_id: units for cut in cuts for line_id, units in cut.units.items()},
        refund_minor=back.refund_minor,
        called_off_minor=called_off_minor,
        is_whole=all(cut.is_whole for cut in cuts),
        let_go_minor=back.let_go_minor,
    )


def _nothing(noun: OrderGroup | Order) -> Cancellation:
    return Cancellation(noun.number, noun.currency, {}, 0, 0, is_whole=True)


def _refuse_write_off(actor: Actor, *, restock: bool) -> None:
    """What is in a merchant's stock is not a buyer's to write off."""
    if actor.role == Role.BUYER and not restock:
        raise Denied("cancel.restock_denied", _("Only the merchant can write goods off."))


def _refuse_overdue(group: OrderGroup) -> None:
    waits = group.status == states.PENDING_PAYMENT and not overdue(group, clock.now())
    if not waits and group.status != states.PAID:
        raise Conflict("payment.expired", _("The time to pay is over."), number=group.number)


def _refuse_shipped(order: Order) -> None:
    if order.lines.filter(shipped_quantity__gt=0).exists():
        raise Conflict(
            "state.conflict",
            _("Parts of this order have left; they can be returned."),
            noun="order",
            id=str(order.id),
            state=order.status,
            verb="cancel",
        )
