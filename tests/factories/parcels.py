"""Delivery methods and parcels for tests."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from accounts.models import Merchant
from delivery.locks import lock_shipment
from delivery.models import DeliveryMethod, Shipment
from delivery.services import (
    hand_over,
    method_create,
    parcel_event_record,
    shipment_prepare,
    shipment_void,
)
from delivery.services.quote import Parcel
from tests.factories import TESTER, fresh, make_customer, make_merchant
from tests.factories.stock import in_command

SCANNED_AT = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)


def make_method(merchant: Merchant, kind: str = "flat", **fields: Any) -> DeliveryMethod:
    """A method of that merchant, active."""
    given = {"code": fresh("method-{}"), "name": "Parcel", **fields}
    return method_create(merchant_id=merchant.pk, kind=kind, actor=TESTER, **given)


def parcel(merchant: Merchant, **fields: Any) -> Parcel:
    """One merchant's part of a cart: goods of 30.00 that weigh a kilogram."""
    given = {"currency": merchant.currency, "goods_minor": 3000, "weight_g": 1000, **fields}
    return Parcel(merchant_id=merchant.pk, **given)


def prepare(
    *, lines: Mapping[int, int] | None = None, carrier: str = "sandbox", **fields: Any
) -> Shipment:
    """A prepared shipment of an order of a new customer."""
    given = {
        "shard_key": fields.get("shard_key") or make_customer().shard_key,
        "merchant_id": fields.get("merchant_id") or make_merchant().pk,
    }
    given = {"reference": 4096_000 + given["shard_key"], **given, **fields}
    shipment: Shipment = in_command(
        shipment_prepare, lines=lines or {501: 2, 502: 1}, carrier=carrier, **given
    )
    return shipment


def give_to_carrier(shipment: Shipment) -> Shipment:
    """The shipment, handed over."""

    def part(*, actor: Any) -> None:
        hand_over(shipment=lock_shipment(shipment.pk), actor=actor)

    in_command(part)
    return stored(shipment)


def make_handed_over(**fields: Any) -> Shipment:
    """A shipment that the carrier has."""
    return give_to_carrier(prepare(**fields))


def void(shipment: Shipment) -> Shipment:
    """The shipment, given up."""
    in_command(shipment_void, shipment_id=shipment.pk, reason="mistake")
    return stored(shipment)


def scan(shipment: Shipment, code: str, *, event_id: str = "") -> Shipment:
    """The shipment after a scan of that code."""
    parcel_event_record(
        shipment_id=shipment.pk,
        code=code,
        at=SCANNED_AT,
        event_id=event_id or fresh("scan-{}"),
        actor=TESTER,
    )
    return stored(shipment)


def stored(shipment: Shipment) -> Shipment:
    """The shipment as the database has it now."""
    return Shipment.objects.get(pk=shipment.pk)
