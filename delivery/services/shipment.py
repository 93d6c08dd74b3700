"""The life of a parcel: prepare ↔ void, hand over, and what the carrier says of it."""

from collections.abc import Collection, Mapping
from datetime import datetime

from django.utils.timezone import is_aware
from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor
from core.command import command
from core.errors import Conflict, Invalid
from core.fsm import fire, start
from delivery import locks, states
from delivery.carriers import require_carrier
from delivery.models import ParcelEvent, Shipment, ShipmentLine

LONGEST_NOTE = 200


def shipment_prepare(
    *,
    reference: int,
    shard_key: int,
    merchant_id: int,
    lines: Mapping[int, int],
    carrier: str,
    actor: Actor,
    tracking_number: str = "",
) -> Shipment:
    """A new parcel of an order (`reference`) with units per order line.

    Emits `shipment.prepared`, upon which the carrier is asked for a tracking number.
    Raises Invalid `shipment.lines`, `delivery.carrier_unknown`.
    """
    if not lines or min(lines.values()) < 1:
        raise Invalid("shipment.lines", _("A parcel holds at least one unit of each of its lines."))
    require_carrier(carrier)
    shipment = Shipment.build(
        shard_key,
        reference=reference,
        merchant_id=merchant_id,
        carrier=carrier,
        tracking_number=tracking_number,
    )
    start([shipment], verb="prepare", actor=actor)
    ShipmentLine.objects.bulk_create(
        ShipmentLine.build(shard_key, shipment=shipment, reference=line_id, quantity=quantity)
        for line_id, quantity in sorted(lines.items())
    )
    return shipment


def shipment_void(*, shipment_id: int, actor: Actor, reason: str) -> Shipment:
    """Gives up a parcel that has not been handed over; quiet when it is given up.

    Locks the shipment. Emits `shipment.voided`. Raises NotFound `shipment.unknown`, Conflict
    `state.conflict`, `shipment.with_carrier` where a scan shows that the carrier has it.
    """
    shipment = locks.lock_shipment(shipment_id)
    _void([shipment], actor, reason)
    return shipment


def shipments_void(*, references: Collection[int], actor: Actor, reason: str) -> None:
    """The same for all parcels of these orders."""
    _void(locks.lock_shipments(references), actor, reason)


def _void(shipments: list[Shipment], actor: Actor, reason: str) -> None:
    live = [shipment for shipment in shipments if shipment.status != "void"]
    scanned = ParcelEvent.objects.filter(shipment__in=[s for s in live if s.status == "prepared"])
    if live and scanned.exists():
        raise Conflict("shipment.with_carrier", _("The carrier has the parcel already."))
    fire(live, verb="void", actor=actor, reason=reason)


def hand_over(*, shipment: Shipment, actor: Actor) -> None:
    """The carrier takes a locked shipment; quiet when it has. Scans that came before count now.

    Emits `shipment.handed_over`, then what the scans say. Raises Conflict `state.conflict`.
    """
    if shipment.status in states.SHIPMENT.in_chapter("not_left"):
        fire(shipment, verb="hand_over", actor=actor)
        _fold(shipment, actor)


@command
def tracking_record(
    *, shipment_id: int, tracking_number: str, actor: Actor, label_url: str = ""
) -> None:
    """Keeps the number that the carrier gave the parcel. Quiet when it is known.

    Locks the shipment. Raises NotFound `shipment.unknown`, Conflict `shipment.other_number`.
    """
    shipment = locks.lock_shipment(shipment_id)
    if shipment.tracking_number == tracking_number:
        return
    if shipment.tracking_number:
        raise Conflict(
            "shipment.other_number",
            _("The parcel has another tracking number."),
            id=str(shipment.id),
        )
    Shipment.objects.filter(pk=shipment.pk, shard_key=shipment.shard_key).update(
        tracking_number=tracking_number, label_url=label_url
    )


@command
def parcel_event_record(
    *,
    shipment_id: int,
    code: str,
    at: datetime,
    event_id: str,
    actor: Actor,
    note: str = "",
) -> Shipment:
    """Records a carrier's scan once and moves the parcel as far as all its scans say.

    Late, repeated and unordered scans end in one state. Before the merchant has handed the parcel
    over its scans are only kept. Locks the shipment. Emits `shipment.moved`, `delivered`, `lost`,
    `returned`. Raises NotFound `shipment.unknown`, Invalid `shipment.scan`.
    """
    shipment = locks.lock_shipment(shipment_id)
    scan_add(shipment=shipment, code=code, at=at, event_id=event_id, actor=actor, note=note)
    return shipment


def scan_add(
    *, shipment: Shipment, code: str, at: datetime, event_id: str, actor: Actor, note: str = ""
) -> None:
    """`parcel_event_record` for a locked shipment, as a part."""
    if code not in states.SCAN_VERBS or not is_aware(at):
        raise Invalid("shipment.scan", _("This scan can't be understood."), scan=code)
    event = ParcelEvent.build(
        shipment.shard_key,
        shipment=shipment,
        code=code,
        note=note[:LONGEST_NOTE],
        at=at,
        event_id=event_id,
    )
    ParcelEvent.objects.bulk_create([event], ignore_conflicts=True)
    _fold(shipment, actor)


def _fold(shipment: Shipment, actor: Actor) -> None:
    """Fires the verb of the furthest scan, where it leads out of the present state."""
    codes = ParcelEvent.objects.filter(shipment=shipment, shard_key=shipment.shard_key).values_list(
        "code", flat=True
    )
    verbs = {states.SCAN_VERBS[code] for code in codes}
    furthest = [verb for verb in states.FURTHEST_LAST if verb in verbs][-1:]
    for verb in furthest:
        if shipment.machine.may(verb, shipment.status):
            fire(shipment, verb=verb, actor=actor)
