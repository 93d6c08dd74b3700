"""Delivery: `method` offers, `quote` prices, `shipment` sends parcels, `hook` hears of them."""

from delivery.services.hook import hook_process
from delivery.services.method import method_activate, method_create, method_deactivate
from delivery.services.quote import Parcel, Quote, quote, quote_all, quote_record
from delivery.services.shipment import (
    hand_over,
    parcel_event_record,
    shipment_prepare,
    shipment_void,
    shipments_void,
    tracking_record,
)

__all__ = [
    "Parcel",
    "Quote",
    "hand_over",
    "hook_process",
    "method_activate",
    "method_create",
    "method_deactivate",
    "parcel_event_record",
    "quote",
    "quote_all",
    "quote_record",
    "shipment_prepare",
    "shipment_void",
    "shipments_void",
    "tracking_record",
]
