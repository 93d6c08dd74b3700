"""The carriers by name. A new one is a file like `sandbox.py` and a line here."""

from django.utils.translation import gettext_lazy as _

from core.errors import Invalid
from delivery.carriers.base import BookingCarrier, Carrier, CarrierDown, CarriersWord, Label
from delivery.carriers.manual import ManualCarrier
from delivery.carriers.sandbox import SandboxCarrier

__all__ = ["CarrierDown", "CarriersWord", "Label", "booking_carrier", "require_carrier"]

CARRIERS: dict[str, Carrier] = {
    carrier.name: carrier for carrier in (SandboxCarrier(), ManualCarrier())
}


def require_carrier(name: str) -> None:
    """Raises Invalid `delivery.carrier_unknown`."""
    if name not in CARRIERS:
        raise Invalid("delivery.carrier_unknown", _("There is no such carrier."), carrier=name)


def booking_carrier(name: str) -> BookingCarrier | None:
    """The carrier of that name, if we book parcels with it."""
    carrier = CARRIERS.get(name)
    return carrier if isinstance(carrier, BookingCarrier) else None
