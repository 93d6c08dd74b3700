"""What a carrier is to us."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable


class CarrierDown(Exception):
    """The carrier did not answer, or not sensibly; ask again later with the same key."""


@dataclass(frozen=True, slots=True)
class Label:
    """What a carrier answers to a parcel."""

    tracking_number: str
    label_url: str = ""


@dataclass(frozen=True, slots=True)
class CarriersWord:
    """What a carrier says of a parcel when it is asked: its latest scan's code, and when that was."""

    status: str
    tracking_number: str
    at: str = ""


class Carrier(Protocol):
    """Somebody who takes parcels."""

    name: str


@runtime_checkable
class BookingCarrier(Carrier, Protocol):
    """A carrier that we book parcels with. With any other the merchant does, and types the number."""

    def parcel_book(self, *, key: str) -> Label:
        """Books a parcel; the same key is the same parcel. Raises CarrierDown."""
        ...

    def parcel_query(self, *, key: str) -> CarriersWord | None:
        """How a parcel stands with the carrier; None where it knows of none. Raises CarrierDown."""
        ...
