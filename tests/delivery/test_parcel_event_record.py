from datetime import datetime
from itertools import permutations

import pytest

from core.errors import Invalid, NotFound
from core.models import OutboxEvent
from delivery import states
from delivery.models import ParcelEvent, Shipment
from delivery.services import parcel_event_record
from tests.factories import TESTER
from tests.factories.parcels import SCANNED_AT, make_handed_over, prepare, scan, stored, void

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("code", "status", "event"),
    [
        ("handed_over", "handed_over", ""),
        ("in_transit", "in_transit", "shipment.moved"),
        ("out_for_delivery", "in_transit", "shipment.moved"),
        ("exception", "in_transit", "shipment.moved"),
        ("delivered", "delivered", "shipment.delivered"),
        ("lost", "lost", "shipment.lost"),
        ("returned", "returned", "shipment.returned"),
    ],
)
def test_a_scan_moves_the_parcel_as_far_as_it_says(code: str, status: str, event: str) -> None:
    shipment = make_handed_over()

    assert scan(shipment, code).status == status
    told = OutboxEvent.objects.filter(object_id=shipment.id, type=event or "shipment.moved")
    assert told.count() == bool(event)


def test_a_repeated_scan_is_quiet() -> None:
    shipment = make_handed_over()

    first = scan(shipment, "delivered", event_id="evt_1")
    second = scan(shipment, "delivered", event_id="evt_1")

    assert first.version == second.version
    assert ParcelEvent.objects.count() == 1


@pytest.mark.parametrize(
    ("codes", "status"),
    [
        (("handed_over", "in_transit", "out_for_delivery", "delivered"), "delivered"),
        (("in_transit", "lost", "delivered", "delivered"), "delivered"),
        (("exception", "lost", "in_transit"), "lost"),
        (("in_transit", "delivered", "returned", "lost"), "returned"),
    ],
)
def test_scans_end_in_one_state_whatever_their_order(codes: tuple[str, ...], status: str) -> None:
    first, ends = make_handed_over(), set()
    for order in permutations(codes):
        shipment = make_handed_over(shard_key=first.shard_key, merchant_id=first.merchant_id)
        for code in order:
            shipment = scan(shipment, code)
        ends.add(shipment.status)

    assert ends == {status}


def test_each_verb_of_a_scan_leads_from_every_nearer_state_to_its_own() -> None:
    machine = states.SHIPMENT
    reached = ["handed_over"]
    for verb in states.FURTHEST_LAST:
        assert set(machine.edge(verb).sources) >= set(reached)
        reached.append(machine.edge(verb).target)


def test_a_late_scan_is_kept_and_changes_nothing() -> None:
    shipment = scan(make_handed_over(), "delivered")

    assert scan(shipment, "in_transit").status == "delivered"
    assert set(shipment.parcel_events.values_list("code", flat=True)) == {"delivered", "in_transit"}


@pytest.mark.parametrize("state", ["prepared", "void"])
def test_scans_of_a_parcel_that_nobody_handed_over_are_only_kept(state: str) -> None:
    shipment = prepare()
    if state == "void":
        void(shipment)

    assert scan(shipment, "delivered").status == state
    assert ParcelEvent.objects.count() == 1


@pytest.mark.parametrize(
    ("code", "at"), [("teleported", SCANNED_AT), ("delivered", SCANNED_AT.replace(tzinfo=None))]
)
def test_a_scan_that_can_not_be_understood_is_refused(code: str, at: datetime) -> None:
    shipment = make_handed_over()

    with pytest.raises(Invalid, match=r"shipment\.scan"):
        record(shipment, code, at)

    assert stored(shipment).status == "handed_over"


def test_a_scan_of_an_unknown_parcel_is_refused() -> None:
    with pytest.raises(NotFound, match=r"shipment\.unknown"):
        record(Shipment(pk=4097), "delivered", SCANNED_AT)


def record(shipment: Shipment, code: str, at: datetime) -> None:
    parcel_event_record(shipment_id=shipment.pk, code=code, at=at, event_id="evt_1", actor=TESTER)
