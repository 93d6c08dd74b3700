"""`POST /shipments`: a parcel leaves the merchant, with some units or with all that are left."""

from django.urls import reverse
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import caller
from core.api import Id, Serializer, Text, operation, parsed
from delivery.api import TAG, ShipmentList, ShipmentOut
from delivery.models import Shipment
from orders.api.access import own_order
from orders.api.parts import units_list, units_of
from orders.models import Order
from orders.services.fulfil import order_ship


class ShipmentIn(Serializer):
    """What leaves, with whom. Without lines it is all that is left."""

    order_id = Id()
    lines = units_list()
    carrier = Text(max_length=20)
    tracking_number = Text(max_length=60, required=False, default="", allow_blank=True)


class Shipments(ShipmentList):
    """The list, and where a parcel begins."""

    scopes = {**ShipmentList.scopes, "POST": "shipments:write"}

    @operation(
        "Ship a parcel",
        tag=TAG,
        answer=ShipmentOut,
        status=201,
        body=ShipmentIn,
        keyed=True,
        problems=[404],
    )
    def post(self, request: Request) -> Response:
        """Hands a parcel over; the last unit ships the order. An order that has left answers its last parcel."""
        given = parsed(ShipmentIn, request)
        order = own_order(request, given["order_id"])
        return self.keyed(
            request,
            lambda: order_ship(
                order_id=order.pk,
                quantities=units_of(given),
                carrier=given["carrier"],
                tracking_number=given["tracking_number"],
                actor=caller(request).actor,
            ),
            lambda shipped: ShipmentOut(_newest(shipped)).data,
            status=201,
            location=lambda shipped: reverse("api:shipment", args=[_newest(shipped).pk]),
        )


def _newest(order: Order) -> Shipment:
    """The parcel that has just been made: its order is locked, so nobody makes another."""
    parcels = Shipment.objects.filter(reference=order.pk, shard_key=order.shard_key)
    return parcels.latest("status_changed_at", "pk")
