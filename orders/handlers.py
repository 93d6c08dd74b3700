"""The one list of what orders do about what the capabilities have learned."""

from django.conf import settings

from accounts.actors import system
from core.outbox import Event, Fact, emit, external, on, on_batch
from orders import triggers
from orders.services.capture import order_capture, order_captured, order_group_lapse
from orders.services.expire import order_group_expire
from orders.services.fulfil import order_deliver
from orders.services.pay import order_group_pay
from orders.services.summary import order_group_summarise
from orders.services.take_back import order_take_back


@on("payment.authorised", "payment.captured")
def pay_group(event: Event) -> None:
    """The money is promised, or here."""
    order_group_pay(
        group_id=int(event.payload["reference"]),
        payment_id=event.aggregate_id,
        actor=system(event.type),
    )


@on_batch("order_group.placed", "order_group.extended", "order_group.prolonged")
def request_hints(events: list[Event]) -> None:
    """Whoever is to hint at the new deadline is told so by a worker, for it is outside."""
    if settings.EXPIRY_TRIGGERS:
        emit([_hint(event) for event in events])


def _hint(event: Event) -> Fact:
    return Fact(
        stream=("expiry", event.object_id),
        shard_key=event.shard_key,
        type="expiry.hint_requested",
        object_id=event.object_id,
        external=True,
    )


@external("expiry")
def set_hints(event: Event) -> None:
    """Sets them by the deadline that the group has by now."""
    triggers.arm(event.object_id)


@on("attempt.closed", "attempt.failed")
def expire_group(event: Event) -> None:
    """Nothing comes of this try any more: what only waited for that can expire, if it is overdue."""
    order_group_expire(group_id=int(event.payload["reference"]), actor=system(event.type))


@on("attempt.closed")
def miss_promised_money(event: Event) -> None:
    """The channel takes nothing any more: what still waited for its promise to be kept has lost it."""
    order_group_lapse(
        group_id=int(event.payload["reference"]), actor=system("authorisation lapsed")
    )


@on("order.shipped", "order.delivered")
def capture_order(event: Event) -> None:
    """Goods have moved: what was promised for them is taken."""
    order_capture(order_id=event.object_id, actor=system(event.type))


@on("capture.succeeded")
def settle_capture(event: Event) -> None:
    """Promised money is here; of an order that was cancelled meanwhile it goes back."""
    order_captured(
        order_id=int(event.payload["order_id"]),
        capture_id=event.object_id,
        actor=system(event.type),
    )


@on("shipment.returned")
def take_back_order(event: Event) -> None:
    """A parcel is back with its sender."""
    order_take_back(order_id=int(event.payload["reference"]), actor=system(event.type))


@on("shipment.delivered")
def deliver_order(event: Event) -> None:
    """A parcel has arrived; the order has when all its parcels have."""
    order_deliver(
        order_id=int(event.payload["reference"]),
        actor=system("shipment.delivered"),
        only_when_scanned=True,
    )


@on("refund.failed", "refund.approved")
def summarise_group(event: Event) -> None:
    """A refund is back with us, or on its way again."""
    order_group_summarise(
        group_id=int(event.payload["payment_reference"]), actor=system(event.type)
    )
