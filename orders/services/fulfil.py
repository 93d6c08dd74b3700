"""Fulfilling: the merchant acknowledges, packs and ships; the buyer gets it."""

from collections.abc import Mapping
from datetime import timedelta

from django.db.models import F
from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor, system
from core import clock
from core.command import command
from core.errors import Conflict, Invalid
from core.fsm import fire
from core.sweep import sweep
from delivery.selectors import all_delivered
from delivery.services import hand_over, shipment_prepare
from inventory.locks import lock_reservations
from inventory.services import reservation_ship
from orders import states
from orders.locks import lock_order
from orders.models import Order, OrderLine
from orders.selectors import undelivered_order_ids
from orders.services.summary import summaries_refresh

SCAN_ORDERS = 200


@command
def order_acknowledge(*, order_id: int, actor: Actor) -> Order:
    """The merchant has seen the order. Quiet when it has. Locks group and order.

    Emits `order.acknowledged`. Raises Conflict `state.conflict`.
    """
    _group, order = lock_order(order_id)
    if order.status != states.ACKNOWLEDGED:
        fire(order, verb="acknowledge", actor=actor)
    return order


@command
def order_start_packing(*, order_id: int, actor: Actor) -> Order:
    """The goods are being taken from the shelf. Quiet when they are. Locks group and order.

    Emits `order.packing_started`. Raises Conflict `state.conflict`.
    """
    _group, order = lock_order(order_id)
    if order.status != states.PACKING:
        fire(order, verb="start_packing", actor=actor)
    return order


@command
def order_ship(
    *,
    order_id: int,
    actor: Actor,
    quantities: Mapping[int, int] | None = None,
    carrier: str = "sandbox",
    tracking_number: str = "",
) -> Order:
    """Hands a parcel over: some units per line, or all that are left; the last unit ships the order.

    Quiet when the order has shipped. Locks group, order, reservations, stock rows.
    Emits `shipment.prepared`, `shipment.handed_over`, and with the last unit `order.shipped`.
    Raises Conflict `state.conflict`, `cancel.requested` while the buyer waits for an answer;
    Invalid `shipment.lines`, those of the carrier.
    """
    group, order = lock_order(order_id)
    if order.status == states.SHIPPED:
        return order
    if order.status != states.PACKING:
        raise Conflict(
            "state.conflict",
            _("Only an order that is being packed can be shipped."),
            noun="order",
            id=str(order.id),
            state=order.status,
            verb="ship",
        )
    if order.cancel_requested_until:
        raise Conflict(
            "cancel.requested",
            _("The buyer has asked to cancel this. Answer the request before you ship."),
            id=str(order.id),
            deadline=order.cancel_requested_until.isoformat(),
        )
    lines = list(order.lines.order_by("id"))
    units = _units(lines, quantities)
    lock_reservations(units)
    shipment = shipment_prepare(
        reference=order.id,
        shard_key=order.shard_key,
        merchant_id=order.merchant_id,
        lines=units,
        carrier=carrier,
        tracking_number=tracking_number,
        actor=actor,
    )
    hand_over(shipment=shipment, actor=actor)
    _count_shipped(units)
    is_last = all(line.open_quantity == units.get(line.id, 0) for line in lines)
    moment = clock.now()
    fields = {"first_left_at": order.first_left_at or moment}
    if is_last or order.first_left_at is None:
        verb = "ship" if is_last else "ship_part"
        fire(order, verb=verb, actor=actor, at=moment, fields=fields)
    summaries_refresh(group, list(group.orders.all()), actor=actor)
    reservation_ship(quantities=units, actor=actor)
    return order


@command
def order_deliver(*, order_id: int, actor: Actor, only_when_scanned: bool = False) -> Order:
    """The buyer has the order: by the last parcel's scan, by the buyer's word or by the clock.

    With `only_when_scanned` it does nothing while a parcel of the order is still on its way.
    Quiet when it is delivered. Opens the return window. Locks group and order.
    Emits `order.delivered`. Raises Conflict `state.conflict`.
    """
    group, order = lock_order(order_id)
    if order.status in states.ORDER.in_chapter("delivered"):
        return order
    if only_when_scanned and not (order.status == states.SHIPPED and all_delivered(order.id)):
        return order
    moment = clock.now()
    return_until = moment + timedelta(days=order.return_window_days)
    fire(order, verb="deliver", actor=actor, at=moment, fields={"return_until": return_until})
    summaries_refresh(group, list(group.orders.all()), actor=actor)
    return order


def _units(lines: list[OrderLine], quantities: Mapping[int, int] | None) -> dict[int, int]:
    """Units per line id, each at least 1 and at most what is open."""
    open_units = {line.id: line.open_quantity for line in lines if line.open_quantity}
    if quantities is None:
        return open_units
    for line_id, quantity in quantities.items():
        if not 1 <= quantity <= open_units.get(line_id, 0):
            raise Invalid(
                "shipment.lines",
                _("A parcel holds units of the order that have not left yet."),
                line_id=str(line_id),
                quantity=quantity,
                open=open_units.get(line_id, 0),
            )
    if not quantities:
        raise Invalid("shipment.lines", _("A parcel holds at least one unit."))
    return dict(quantities)


def _count_shipped(units: Mapping[int, int]) -> None:
    for line_id, quantity in sorted(units.items()):
        OrderLine.objects.filter(pk=line_id).update(
            shipped_quantity=F("shipped_quantity") + quantity
        )


def deliver_due() -> int:
    """Delivers by the clock what no scan has, one transaction each; answers how many orders."""
    return sweep(
        undelivered_order_ids(most=SCAN_ORDERS),
        lambda order_id: order_deliver(order_id=order_id, actor=system("delivery clock")),
    )
