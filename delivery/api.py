"""`/shipments`: the parcels of orders. They are made by shipping, which is the orders' to do."""

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import caller
from accounts.permissions import own
from core.api import (
    ApiView,
    Id,
    PageQuery,
    Serializer,
    StateIs,
    Time,
    id_from,
    keyset_page,
    not_found,
    operation,
    page,
)
from core.ids import gene_of
from delivery.models import Shipment
from delivery.states import SHIPMENT

TAG = "shipments"
WITH_PARTS = ("lines", "parcel_events")


class ShipmentLineOut(Serializer):
    """Units of an order line in the parcel."""

    line_id = Id(source="reference")
    quantity = serializers.IntegerField()


class ParcelEventOut(Serializer):
    """What the carrier said."""

    code = serializers.CharField()
    at = Time()


class ShipmentOut(Serializer):
    """A parcel of one order."""

    id = Id()
    order_id = Id(source="reference")
    merchant_id = Id()
    state = StateIs(SHIPMENT.names, source="status")
    state_changed_at = Time(source="status_changed_at")
    carrier = serializers.CharField()
    tracking_number = serializers.CharField()
    label_url = serializers.CharField()
    lines = ShipmentLineOut(many=True)
    events = ParcelEventOut(many=True, source="parcel_events")


class ShipmentQuery(PageQuery):
    """Which parcels."""

    order_id = Id(required=False, help_text="Of this order alone.")


class ShipmentList(ApiView):
    """The list, newest first."""

    scopes = {"GET": "orders:read"}
    queries = {"GET": ShipmentQuery}

    @operation("List shipments", tag=TAG, answer=page(ShipmentOut), query=ShipmentQuery)
    def get(self, request: Request) -> Response:
        """Your parcels, newest first."""
        asked = self.queried(request)
        rows = own(Shipment.objects.prefetch_related(*WITH_PARTS), actor=caller(request).actor)
        if order_id := asked.get("order_id"):
            rows = rows.filter(reference=order_id, shard_key=gene_of(order_id))
        return keyset_page(
            request,
            rows,
            limit=asked["limit"],
            present=lambda found: ShipmentOut(found, many=True).data,
        )


class ShipmentDetail(ApiView):
    """One parcel."""

    scopes = {"GET": "orders:read"}

    @operation("Get a shipment", tag=TAG, answer=ShipmentOut, problems=[404])
    def get(self, request: Request, shipment_id: str) -> Response:
        """One parcel with what its carrier has said."""
        number = id_from(shipment_id)
        rows = Shipment.objects.filter(pk=number, shard_key=gene_of(number))
        shipment = own(rows, actor=caller(request).actor).first()
        if shipment is None:
            raise not_found()
        return Response(ShipmentOut(shipment).data)
