"""Row locks of the parcels; their place in the global order stands in `orders/locks.py`."""

from collections.abc import Collection

from django.utils.translation import gettext_lazy as _

from core.errors import NotFound
from core.ids import gene_of
from core.locks import locked
from delivery.models import Shipment


def lock_shipment(shipment_id: int) -> Shipment:
    """The shipment, locked. Raises NotFound `shipment.unknown`."""
    for shipment in locked(Shipment.objects.filter(pk=shipment_id, shard_key=gene_of(shipment_id))):
        return shipment
    raise NotFound("shipment.unknown", _("There is no such parcel."), id=str(shipment_id))


def lock_shipments(references: Collection[int]) -> list[Shipment]:
    """All shipments of these orders, locked in the order of their ids."""
    return locked(Shipment.objects.filter(reference__in=references))
