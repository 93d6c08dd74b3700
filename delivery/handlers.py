"""What delivery does about events: parcels are booked with carriers, notifications understood."""

from accounts.actors import Actor, Role, system
from core.crash import crash_point
from core.outbox import Event, Fact, emit, external, on, on_batch
from delivery.carriers import booking_carrier
from delivery.models import Shipment
from delivery.services import hook_process, tracking_record


@on_batch("shipment.prepared")
def request_parcels(events: list[Event]) -> None:
    """A parcel that we book with its carrier becomes an external stream of its own."""
    emit(
        [
            Fact(
                stream=("carrier", event.object_id),
                shard_key=event.shard_key,
                type="carrier.parcel_requested",
                object_id=event.object_id,
                external=True,
            )
            for event in events
            if booking_carrier(event.payload["carrier"])
        ]
    )


@external("carrier")
def book_parcel(event: Event) -> None:
    """Books the parcel with its carrier under the shipment's id, then keeps the number."""
    shipment = Shipment.objects.get(pk=event.object_id, shard_key=event.shard_key)
    carrier = booking_carrier(shipment.carrier)
    if carrier is None or shipment.tracking_number or shipment.status == "void":
        return
    label = carrier.parcel_book(key=str(shipment.id))
    crash_point("after_carrier_before_commit")
    tracking_record(
        shipment_id=shipment.id,
        tracking_number=label.tracking_number,
        label_url=label.label_url,
        actor=system("carrier"),
    )


@on("parcel_hook.received")
def process_hook(event: Event) -> None:
    """A carrier has said something."""
    hook_process(hook_id=event.object_id, actor=Actor(Role.CARRIER, "sandbox"))
