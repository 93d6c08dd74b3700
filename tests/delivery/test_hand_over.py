import pytest

from core.errors import Conflict, ProgrammingMistake
from core.models import OutboxEvent
from delivery.services import hand_over
from tests.factories.parcels import give_to_carrier, make_handed_over, prepare, scan, void
from tests.factories.stock import in_command

pytestmark = pytest.mark.django_db


def test_the_carrier_has_what_was_handed_over() -> None:
    shipment = make_handed_over()

    assert shipment.status == "handed_over"
    assert OutboxEvent.objects.get(type="shipment.handed_over").object_id == shipment.id


@pytest.mark.parametrize("code", ["", "in_transit", "delivered"])
def test_a_repeated_hand_over_is_quiet_however_far_the_parcel_is(code: str) -> None:
    shipment = make_handed_over()
    if code:
        shipment = scan(shipment, code)

    assert give_to_carrier(shipment).version == shipment.version


def test_what_was_given_up_is_not_handed_over() -> None:
    shipment = prepare()
    void(shipment)

    with pytest.raises(Conflict, match=r"state\.conflict"):
        give_to_carrier(shipment)


def test_scans_that_came_before_count_when_it_is_handed_over() -> None:
    shipment = prepare()
    assert scan(shipment, "delivered").status == "prepared"

    assert give_to_carrier(shipment).status == "delivered"
    assert list(
        OutboxEvent.objects.filter(object_id=shipment.id)
        .order_by("seq")
        .values_list("type", flat=True)
    ) == ["shipment.prepared", "shipment.handed_over", "shipment.delivered"]


def test_an_unlocked_parcel_is_not_handed_over() -> None:
    with pytest.raises(ProgrammingMistake):
        in_command(hand_over, shipment=prepare())
