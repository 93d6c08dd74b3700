"""`POST /shipments`: a parcel leaves the merchant, with some units or with all that are left."""

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import caller
from core.api import Id, Quantity, Serializer, Text, operation, parsed
from core.errors import Invalid
from delivery.api import TAG, ShipmentList, ShipmentOut
from delivery.models import Shipment
from orders.api.access import own_order
from orders.models import Order
from orders.services.fulfil import order_ship

MOST_LINES = 200


class ShipmentLineIn(Serializer):
    """Units of one line of the order."""

    line_id = Id()
    quantity = Quantity()


class ShipmentIn(Serializer):
    """What leaves, with whom. Without lines it is all that is left."""

    order_id = Id()
    lines = serializers.ListField(
        child=ShipmentLineIn(), required=False, min_length=1, max_length=MOST_LINES
    )
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
                quantities=_quantities(given),
                carrier=given["carrier"],
                tracking_number=given["tracking_number"],
                actor=caller(request).actor,
            ),
            lambda shipped: ShipmentOut(_newest(shipped)).data,
            status=201,
            location=lambda shipped: reverse("api:shipment", args=[_newest(shipped).pk]),
        )


def _quantities(given: dict[str, Any]) -> dict[int, int] | None:
    """Units by line. Raises Invalid for a line that is named twice."""
    if "lines" not in given:
        return None
    units = {line["line_id"]: line["quantity"] for line in given["lines"]}
    if len(units) < len(given["lines"]):
        message = _("A line is named twice.")
        raise Invalid("validation", message, fields={"lines": [message]})
    return units


def _newest(order: Order) -> Shipment:
    """The parcel that has just been made: its order is locked, so nobody makes another."""
    parcels = Shipment.objects.filter(reference=order.pk, shard_key=order.shard_key)
    return parcels.latest("status_changed_at", "pk")
