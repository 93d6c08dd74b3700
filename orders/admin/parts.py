"""The parts of an order's page that are read at the same time, and may be missing."""

from collections.abc import Callable
from typing import Any

from django.db.models import Count, Q, Sum

from accounts.actors import Role
from core.parallel import Part
from delivery.carriers import booking_carrier
from delivery.models import Shipment
from orders import states
from orders.admin import page, words
from orders.models import Order
from orders.selectors.timeline import Kind, order_timeline
from payments.channels.base import NOT_FOUND, ChannelRefused, channel_named
from payments.models import Attempt

HOUSE_SECONDS, OUTSIDE_SECONDS = 3.0, 2.5
# What is asked at a carrier for one page.
MOST_PARCELS = 3


def order_parts(
    order: Order, role: Role, kinds: tuple[Kind, ...], offers: Callable[[], Any]
) -> dict[str, Part]:
    """What the page of an order shows beside the order itself, for that role."""
    house: dict[str, Callable[[], Any]] = {
        "lines": lambda: page.lines_of(order),
        "merchant": lambda: merchant_of(order),
        "buyer": lambda: buyer_of(order, role),
        "money": lambda: (page.money_card([order], order.currency), page.refunds_of([order])),
        "parcels": lambda: page.parcels_of(order),
        "timeline": lambda: order_timeline(order, kinds, role=role),
        "offers": offers,
    }
    outside: dict[str, Callable[[], Any]] = {
        "channel": lambda: at_channel(order, role),
        "carrier": lambda: at_carrier(order),
    }
    return {
        **{name: Part(read, HOUSE_SECONDS) for name, read in house.items()},
        **{name: Part(read, OUTSIDE_SECONDS) for name, read in outside.items()},
    }


def merchant_of(order: Order) -> dict[str, Any]:
    """Who sells it, and how much else they have to do."""
    waiting = Order.objects.filter(merchant=order.merchant_id, status__in=states.TO_DO)
    return {"merchant": order.merchant, "waiting": waiting.exclude(pk=order.pk).count()}


def buyer_of(order: Order, role: Role) -> dict[str, Any]:
    """How often the buyer has bought, and for how much: of a merchant, what they have sold to them."""
    rows = Order.objects.filter(
        group__customer=order.group.customer_id, shard_key=order.shard_key, currency=order.currency
    ).exclude(Q(status=states.PENDING_PAYMENT) | Q(status=states.CANCELLED))
    if role is not Role.STAFF:
        rows = rows.filter(merchant=order.merchant_id)
    bought = rows.aggregate(
        orders=Count("pk"),
        before=Count("pk", filter=Q(pk__lt=order.pk)),
        minor=Sum("total_minor", default=0),
    )
    return {**bought, "worth": words.amount(bought["minor"], order.currency)}


def at_channel(order: Order, role: Role) -> dict[str, str] | None:
    """What the channel says of the latest try to pay; None where it was never asked.

    The amount is the group's, so that it is not a merchant's to see.
    """
    attempts = Attempt.objects.filter(payment__reference=order.group_id, shard_key=order.shard_key)
    attempt = attempts.order_by("-id").first()
    if attempt is None or attempt.status == "created":
        return None
    told = {"channel": attempt.channel, "ours": attempt.status.replace("_", " ")}
    try:
        answer = channel_named(attempt.channel).query(attempt.channel_key)
    except ChannelRefused as refusal:
        if refusal.code != NOT_FOUND:
            raise
        return {**told, "status": "unknown"}
    if role is Role.STAFF:
        told |= {"amount": words.amount(answer.amount_minor, answer.currency), "ref": answer.ref}
    return {**told, "status": answer.status.replace("_", " ")}


def at_carrier(order: Order) -> list[dict[str, Any]]:
    """What carriers that we book with say of the latest parcels, at most three."""
    rows = Shipment.objects.filter(reference=order.id, shard_key=order.shard_key)
    told = []
    for row in rows.exclude(status="void").order_by("-id")[:MOST_PARCELS]:
        carrier = booking_carrier(row.carrier)
        if carrier:
            word = carrier.parcel_query(key=str(row.id))
            ours = row.status.replace("_", " ")
            told.append({"carrier": row.carrier, "ours": ours, "word": word})
    return told
