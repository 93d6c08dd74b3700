import pytest

from core.errors import Conflict, Invalid, NotFound
from core.models import OutboxEvent
from delivery.models import Shipment, ShipmentLine
from delivery.selectors import all_delivered
from delivery.services import shipment_void, shipments_void
from tests.factories.parcels import (
    give_to_carrier,
    make_handed_over,
    prepare,
    scan,
    stored,
    void,
)
from tests.factories.stock import in_command

pytestmark = pytest.mark.django_db


def test_a_parcel_has_lines_and_an_event_that_names_order_and_merchant() -> None:
    shipment = prepare(lines={501: 2, 502: 1}, tracking_number="T1")

    assert stored(shipment).status == "prepared"
    assert shipment.tracking_number == "T1"
    assert dict(ShipmentLine.objects.values_list("reference", "quantity")) == {501: 2, 502: 1}
    event = OutboxEvent.objects.get(type="shipment.prepared")
    assert event.object_id == shipment.id
    assert event.payload == {
        "reference": str(shipment.reference),
        "merchant_id": str(shipment.merchant_id),
        "carrier": "sandbox",
    }


def test_all_rows_of_a_parcel_live_on_the_customers_shard() -> None:
    shipment = prepare()

    genes = {shipment.id & 4095, *(line.id & 4095 for line in shipment.lines.all())}
    assert genes == {shipment.shard_key}


@pytest.mark.parametrize("lines", [{501: 0}, {501: 1, 502: -1}])
def test_an_empty_parcel_is_refused(lines: dict[int, int]) -> None:
    with pytest.raises(Invalid, match=r"shipment\.lines"):
        prepare(lines=lines)

    assert not Shipment.objects.exists()


def test_an_unknown_carrier_is_refused() -> None:
    with pytest.raises(Invalid, match=r"delivery\.carrier_unknown"):
        prepare(carrier="pigeon")


def test_prepare_then_void_leaves_no_parcel_to_wait_for() -> None:
    shipment = prepare()

    assert void(shipment).status == "void"
    assert void(shipment).version == 2  # a repeated void is quiet
    assert not all_delivered(shipment.reference)


def test_a_parcel_that_was_handed_over_is_not_given_up() -> None:
    shipment = make_handed_over()

    with pytest.raises(Conflict, match=r"state\.conflict"):
        void(shipment)


def test_a_parcel_that_the_carrier_has_scanned_is_not_given_up() -> None:
    shipment = prepare()
    scan(shipment, "handed_over")

    with pytest.raises(Conflict, match=r"shipment\.with_carrier"):
        void(shipment)

    assert stored(shipment).status == "prepared"


def test_an_unknown_parcel_is_refused() -> None:
    with pytest.raises(NotFound, match=r"shipment\.unknown"):
        in_command(shipment_void, shipment_id=4097, reason="mistake")


def test_all_parcels_of_an_order_are_given_up_together_or_not_at_all() -> None:
    first = prepare()
    second = prepare(reference=first.reference, shard_key=first.shard_key)
    gone = prepare(reference=first.reference, shard_key=first.shard_key)
    void(gone)

    in_command(shipments_void, references=[first.reference], reason="cancelled")

    assert {stored(first).status, stored(second).status, stored(gone).status} == {"void"}


def test_one_parcel_that_has_left_stops_the_others_from_being_given_up() -> None:
    first = prepare()
    second = give_to_carrier(prepare(reference=first.reference, shard_key=first.shard_key))

    with pytest.raises(Conflict, match=r"state\.conflict"):
        in_command(shipments_void, references=[first.reference], reason="cancelled")

    assert (stored(first).status, stored(second).status) == ("prepared", "handed_over")


def test_an_order_is_delivered_with_its_last_parcel() -> None:
    first = make_handed_over()
    second = give_to_carrier(prepare(reference=first.reference, shard_key=first.shard_key))
    void(prepare(reference=first.reference, shard_key=first.shard_key))

    scan(first, "delivered")
    assert not all_delivered(first.reference)

    scan(second, "delivered")
    assert all_delivered(first.reference)
