"""What delivery offers and costs, and how far the parcels of an order are."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field

from core.ids import gene_of
from delivery.models import DeliveryMethod, DeliveryQuote, ParcelEvent, Shipment, ShipmentLine


@dataclass(frozen=True, slots=True)
class Offer:
    """A method that a merchant offers, with its weight rates, lightest first."""

    method_id: int
    name: str
    kind: str
    currency: str
    price_minor: int
    rates: list[tuple[int, int]] = field(default_factory=list)  # up to grams, minor units

    def rate_minor(self, weight_g: int) -> int | None:
        """The price for that weight; None where it is heavier than the last rate."""
        return next((price for up_to, price in self.rates if weight_g <= up_to), None)


def offers(merchant_ids: Collection[int]) -> dict[int, list[Offer]]:
    """The active methods of each merchant, first choice first; one query."""
    rows = (
        DeliveryMethod.objects.filter(merchant_id__in=merchant_ids, active=True)
        .order_by("position", "pk", "rates__up_to_weight_g")
        .values_list(
            "merchant_id",
            "pk",
            "name",
            "kind",
            "currency",
            "price_minor",
            "rates__up_to_weight_g",
            "rates__price_minor",
        )
    )
    found: dict[int, dict[int, Offer]] = defaultdict(dict)
    for merchant_id, method_id, name, kind, currency, price_minor, up_to, rate in rows:
        offer = found[merchant_id].setdefault(
            method_id, Offer(method_id, name, kind, currency, price_minor)
        )
        if up_to is not None:
            offer.rates.append((up_to, rate))
    return {merchant_id: list(methods.values()) for merchant_id, methods in found.items()}


def quotes(cart_id: int) -> dict[int, DeliveryQuote]:
    """What carriers have quoted for the cart, by method; one query."""
    return {row.method_id: row for row in DeliveryQuote.objects.filter(cart_id=cart_id)}


def all_delivered(order_id: int) -> bool:
    """True when the order has parcels and each that was not given up is delivered."""
    states = set(
        Shipment.objects.filter(reference=order_id, shard_key=gene_of(order_id)).values_list(
            "status", flat=True
        )
    )
    return states - {"void"} == {"delivered"}


@dataclass(frozen=True, slots=True)
class ParcelLook:
    """A parcel that was not given up: what is in it, by order line, and what was said of it."""

    shipment: Shipment
    quantities: dict[int, int]
    events: list[ParcelEvent]


def parcels_of_orders(order_ids: Collection[int]) -> dict[int, list[ParcelLook]]:
    """The parcels of each order, the first one first; two queries, one where there is none."""
    genes = {gene_of(order_id) for order_id in order_ids}
    rows = ShipmentLine.objects.filter(shipment__reference__in=order_ids, shard_key__in=genes)
    rows = rows.exclude(shipment__status="void").select_related("shipment").order_by("pk")
    looks: dict[int, ParcelLook] = {}
    for row in rows:
        look = looks.setdefault(row.shipment_id, ParcelLook(row.shipment, {}, []))
        look.quantities[row.reference] = row.quantity
    if looks:
        events = ParcelEvent.objects.filter(shipment__in=looks.keys(), shard_key__in=genes)
        for event in events.order_by("at", "pk"):
            looks[event.shipment_id].events.append(event)
    found: dict[int, list[ParcelLook]] = defaultdict(list)
    for look in looks.values():
        found[look.shipment.reference].append(look)
    return found
