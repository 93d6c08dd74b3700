"""Carriers' notifications, from the signed request to the parcel's state."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from standardwebhooks import Webhook

from core import clock, relay
from core.models import Hook, OutboxStream
from delivery.models import ParcelEvent, Shipment
from delivery.services import hook_process
from tests.factories import TESTER
from tests.factories.parcels import make_handed_over, stored

pytestmark = pytest.mark.django_db

SECRET, OLD_SECRET, FOREIGN_SECRET = (f"whsec_{letter * 43}=" for letter in ("A", "B", "C"))
ADDRESS = "/hooks/carrier/endpoint-1"


@pytest.fixture(autouse=True)
def endpoint(settings: Any) -> None:
    settings.SANDBOX_ENDPOINT_ID = "endpoint-1"
    settings.SANDBOX_CARRIER_SECRETS = [SECRET, OLD_SECRET]


@pytest.fixture
def shipment() -> Shipment:
    return make_handed_over()


def facts(shipment: Shipment, code: str = "delivered", **other: object) -> dict[str, object]:
    return {
        "id": f"evt_{uuid4().hex}",
        "kind": "parcel.scan",
        "key": str(shipment.pk),
        "tracking_number": "SB1",
        "code": code,
        "at": "2026-11-02T09:30:00.000Z",
        **other,
    }


def notify(
    body: dict[str, object] | bytes,
    *,
    secret: str = SECRET,
    event_id: str = "",
    sent_at: datetime | None = None,
    address: str = ADDRESS,
) -> Any:
    event_id = event_id or f"evt_{uuid4().hex}"
    sent_at = sent_at or datetime.now(UTC)
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Client(enforce_csrf_checks=True).post(
        address,
        data=payload,
        content_type="application/json",
        headers={
            "webhook-id": event_id,
            "webhook-timestamp": str(int(sent_at.timestamp())),
            "webhook-signature": Webhook(secret).sign(event_id, sent_at, payload.decode()),
        },
    )


def deliver_events() -> None:
    while relay.deliver(lambda stream_id: None):
        pass


def only_hook() -> Hook:
    return Hook.objects.get()


def test_a_signed_scan_is_stored_answered_and_then_moves_the_parcel(shipment: Shipment) -> None:
    answer = notify(facts(shipment))
    assert (answer.status_code, only_hook().state) == (204, "received")
    assert stored(shipment).status == "handed_over"

    deliver_events()

    assert only_hook().state == "processed"
    assert stored(shipment).status == "delivered"
    assert ParcelEvent.objects.get().at == datetime(2026, 11, 2, 9, 30, tzinfo=UTC)


def test_a_scan_signed_with_the_secret_before_is_taken(shipment: Shipment) -> None:
    assert notify(facts(shipment), secret=OLD_SECRET).status_code == 204


def test_a_forged_scan_is_refused_and_not_stored(shipment: Shipment) -> None:
    assert notify(facts(shipment), secret=FOREIGN_SECRET).status_code == 400
    assert not Hook.objects.exists()


@pytest.mark.parametrize("age_seconds", [400, -90])
def test_an_old_or_future_scan_is_refused(shipment: Shipment, age_seconds: int) -> None:
    sent_at = datetime.now(UTC) - timedelta(seconds=age_seconds)

    assert notify(facts(shipment), sent_at=sent_at).status_code == 400
    assert not Hook.objects.exists()


def test_a_replayed_scan_is_answered_and_counts_once(shipment: Shipment) -> None:
    body = facts(shipment)

    assert {notify(body, event_id="evt_1").status_code for _ in range(2)} == {204}
    deliver_events()

    assert Hook.objects.count() == ParcelEvent.objects.count() == 1


@pytest.mark.parametrize("address", ["/hooks/carrier/other", "/hooks/carrier/"])
def test_an_endpoint_that_is_not_ours_does_not_exist(shipment: Shipment, address: str) -> None:
    assert notify(facts(shipment), address=address).status_code == 404
    assert not Hook.objects.exists()


def test_only_post_is_a_notification() -> None:
    assert Client().get(ADDRESS).status_code == 405


@pytest.mark.parametrize(
    "other",
    [
        {"kind": "parcel.weighed"},
        {"kind": "\0\ud800"},
        {"kind": "parcel\0" * 500},
        {"code": "teleported"},
        {"code": ["delivered"]},
        {"at": "yesterday"},
        {"at": "0001-01-01T00:00:00+14:00"},
        {"at": "2026-11-02T09:30:00"},
        {"key": "0"},
        {"key": str(2**63)},
        {"key": "abc"},
        {"key": 1e400},
        {"key": None},
        {"key": "9" * 5000},
    ],
)
def test_what_says_nothing_about_a_parcel_is_ignored(
    shipment: Shipment, other: dict[str, Any]
) -> None:
    notify(facts(shipment, **other))
    deliver_events()

    assert only_hook().state == "ignored"
    assert only_hook().note
    assert stored(shipment).status == "handed_over"


@pytest.mark.parametrize("body", [b"[]", b"null", b'"text"', b"{}"])
def test_a_genuine_body_of_another_shape_is_ignored(body: bytes) -> None:
    notify(body)
    deliver_events()

    assert only_hook().state == "ignored"


def test_a_scan_with_another_tracking_number_is_left_for_review(shipment: Shipment) -> None:
    Shipment.objects.filter(pk=shipment.pk).update(tracking_number="SB2")

    notify(facts(shipment))
    deliver_events()

    assert only_hook().state == "review"
    assert stored(shipment).status == "handed_over"


def test_a_scan_of_an_unknown_parcel_waits_and_is_then_unmatched() -> None:
    notify(facts(Shipment(pk=4097)))
    deliver_events()
    stream = OutboxStream.objects.get(aggregate_type="hook")
    assert (only_hook().state, stream.delivered_seq, stream.attempts) == ("received", 0, 0)

    clock.advance(timedelta(minutes=10))
    OutboxStream.objects.update(available_at=stream.available_at - timedelta(seconds=5))
    deliver_events()

    assert only_hook().state == "unmatched"
    assert OutboxStream.objects.get(aggregate_type="hook").delivered_seq == 1


def test_a_scan_that_overtook_its_parcel_is_taken_when_the_parcel_is_there(
    shipment: Shipment,
) -> None:
    late = stored(shipment)
    late.pk, late.id = 4096 * 7 + shipment.shard_key, 4096 * 7 + shipment.shard_key
    notify(facts(late))
    deliver_events()

    Shipment.objects.bulk_create([late])
    stream = OutboxStream.objects.get(aggregate_type="hook")
    OutboxStream.objects.filter(pk=stream.pk).update(
        available_at=stream.available_at - timedelta(seconds=5)
    )
    deliver_events()

    assert only_hook().state == "processed"
    assert stored(late).status == "delivered"


def test_processing_again_is_quiet(shipment: Shipment) -> None:
    notify(facts(shipment))
    deliver_events()
    settled = only_hook()

    hook_process(hook_id=settled.pk, actor=TESTER)

    assert only_hook().processed_at == settled.processed_at


def test_hooks_of_another_channel_are_not_ours(shipment: Shipment) -> None:
    notify(facts(shipment))
    Hook.objects.update(channel="sandbox")

    with pytest.raises(Hook.DoesNotExist):
        hook_process(hook_id=only_hook().pk, actor=TESTER)
