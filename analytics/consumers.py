"""What orders and parcels went through, as events for the figures: by the outbox, never a browser.

An event has the time of its fact. A buyer is followed where the order's visit is known: an order
without one (another channel, an import, who opted out, an insider) carries neither visit nor user.
"""

from collections.abc import Iterator, Sequence
from uuid import NAMESPACE_URL, UUID, uuid5

from django.db.models import Exists, OuterRef, Q

from accounts.models import MerchantMember
from analytics.models import Event
from core import outbox
from core.outbox import on_batch
from orders import states
from orders.models import Order

NAMES = {
    "order_group.placed": "order_placed",
    "order_group.paid": "purchase",
    "order_group.reinstated": "purchase",
    "order_group.expired": "order_expired",
    "order.cancelled": "order_cancelled",
    "shipment.handed_over": "shipment_shipped",
    "order.delivered": "order_delivered",
}
MEMBERS = MerchantMember.objects.filter(user=OuterRef("group__customer__user"))


@on_batch(*NAMES)
def record_story(told: list[outbox.Event]) -> None:
    """One row per fact; a purchase has one per merchant, under the same group."""
    ids = {order_or_group_id(event) for event in told}
    orders = list(
        Order.objects.filter(Q(id__in=ids) | Q(group__in=ids))
        .select_related("group__customer__user")
        .annotate(is_members=Exists(MEMBERS))
        .order_by("id")
    )
    rows = [row for event in told for row in rows_of(event, orders)]
    Event.objects.bulk_create(rows, ignore_conflicts=True)


def order_or_group_id(event: outbox.Event) -> int:
    """The row of `orders` that an event is about; a parcel's is the order that it carries."""
    if event.aggregate_type == "shipment":
        return int(event.payload["reference"])
    return event.object_id


def rows_of(event: outbox.Event, orders: Sequence[Order]) -> Iterator[Event]:
    """The events for the figures that one fact makes, of the orders that it is about."""
    name, about = NAMES[event.type], order_or_group_id(event)
    parts = [order for order in orders if about in (order.id, order.group_id)]
    if not parts:  # a parcel of something else
        return
    if name == "purchase":
        # What was called off before it was paid nobody has bought.
        bought = [order for order in parts if order.payable_minor]
        for number, order in enumerate(bought, start=1):
            yield order_row(event, name, order, purchase_id(order.group_id, number))
    elif about == parts[0].group_id:
        yield group_row(event, name, parts[0])
    elif not (name == "order_cancelled" and parts[0].group.status == states.EXPIRED):
        yield order_row(event, name, parts[0], event.id)  # an expired group counts once, as such


def purchase_id(group_id: int, number: int) -> UUID:
    """The same for the same purchase, whatever told it and however often."""
    return uuid5(NAMESPACE_URL, f"purchase:{group_id}:{number}")


def order_row(event: outbox.Event, name: str, order: Order, event_id: UUID) -> Event:
    """One merchant's part."""
    row = group_row(event, name, order)
    row.event_id = event_id
    row.order_id = order.id
    row.merchant_id = order.merchant_id
    row.value_minor = order.payable_minor or order.total_minor
    return row


def group_row(event: outbox.Event, name: str, order: Order) -> Event:
    """The whole group of an order."""
    group, user = order.group, order.group.customer.user
    is_insider = order.is_members or (user and user.is_staff)  # type: ignore[attr-defined]
    visit = "" if is_insider else group.session_key
    return Event(
        event_id=event.id,
        occurred_at=event.created_at,
        name=name,
        session_key=visit,
        user_id=user.pk if user and visit else None,
        order_group_id=group.id,
        value_minor=group.total_minor,
        currency=group.currency,
    )
