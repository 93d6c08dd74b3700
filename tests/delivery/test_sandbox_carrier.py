"""Our side and the real sandbox process: parcels are booked, scans come back."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from core import relay
from core.errors import Conflict
from core.models import OutboxStream
from delivery.carriers import CarrierDown, CarriersWord
from delivery.carriers.sandbox import SandboxCarrier, client
from delivery.models import ParcelEvent
from delivery.services import tracking_record
from tests.factories import TESTER
from tests.factories.parcels import give_to_carrier, prepare, stored, void
from tests.ports import free_ports

REPOSITORY = Path(__file__).resolve().parents[2]
SECRET = f"whsec_{'A' * 43}="
PATIENCE_SECONDS = 15


def eventually(ask: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not ask():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", trust_env=False).is_success
    except httpx.TransportError:
        return False


@pytest.fixture(autouse=True)
def own_client() -> Iterator[None]:
    """A client that lives no longer than its test."""
    client.cache_clear()
    yield
    client().close()
    client.cache_clear()


@pytest.fixture
def shop(settings: Any) -> None:
    settings.SANDBOX_ENDPOINT_ID = "endpoint-1"
    settings.SANDBOX_CARRIER_SECRETS = [SECRET]


@pytest.fixture
def carrier(shop: None, settings: Any, live_server: Any, tmp_path: Path) -> Iterator[str]:
    """The address of a sandbox process that notifies the live server."""
    port = free_ports()
    settings.SANDBOX_CARRIER_URL = f"http://127.0.0.1:{port}"
    command = [
        *(sys.executable, "-m", "delivery.sandbox", "--port", str(port), "--secret", SECRET),
        *("--book", str(tmp_path / "book.sqlite3")),
        *("--notify-url", f"{live_server.url}/hooks/carrier/endpoint-1"),
    ]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=REPOSITORY, stderr=log)
    try:
        eventually(lambda: answers(settings.SANDBOX_CARRIER_URL))
        yield settings.SANDBOX_CARRIER_URL
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)


def deliver_events() -> None:
    """What relay and worker do, until nothing is due."""
    external: list[int] = []
    while relay.deliver(external.append):
        while external:
            relay.deliver_external(external.pop())


@pytest.mark.django_db(transaction=True)
def test_a_parcel_is_booked_scanned_and_delivered(carrier: str) -> None:
    shipment = prepare()
    deliver_events()
    booked = httpx.get(f"{carrier}/parcels/{shipment.pk}", trust_env=False).json()
    assert stored(shipment).tracking_number == booked["tracking_number"]

    give_to_carrier(shipment)
    for code in ("in_transit", "delivered"):
        scan = {"key": str(shipment.pk), "code": code}
        httpx.post(f"{carrier}/control/scan", json=scan, trust_env=False).raise_for_status()

    def arrived() -> bool:
        deliver_events()
        codes = ParcelEvent.objects.filter(shipment=shipment).values_list("code", flat=True)
        return set(codes) == {"in_transit", "delivered"}

    eventually(arrived)
    assert stored(shipment).status == "delivered"


@pytest.mark.django_db(transaction=True)
def test_a_carrier_that_is_asked_says_how_a_parcel_stands(carrier: str, settings: Any) -> None:
    label = SandboxCarrier().parcel_book(key="7")
    asked = SandboxCarrier().parcel_query(key="7")
    assert asked == CarriersWord("announced", label.tracking_number)

    told = {"key": "7", "code": "in_transit", "at": "2026-11-22T12:00:00.000Z"}
    httpx.post(f"{carrier}/control/scan", json=told, trust_env=False).raise_for_status()
    asked = SandboxCarrier().parcel_query(key="7")
    assert asked == CarriersWord("in_transit", label.tracking_number, told["at"])

    assert SandboxCarrier().parcel_query(key="8") is None
    settings.SANDBOX_CARRIER_URL = f"http://127.0.0.1:{free_ports()}"
    with pytest.raises(CarrierDown):
        SandboxCarrier().parcel_query(key="7")


@pytest.mark.django_db(transaction=True)
def test_a_booking_that_was_told_twice_is_one_parcel(carrier: str) -> None:
    shipment = prepare()
    deliver_events()
    first = stored(shipment).tracking_number
    OutboxStream.objects.filter(aggregate_type="carrier").update(delivered_seq=0)

    deliver_events()

    assert stored(shipment).tracking_number == first
    label = SandboxCarrier().parcel_book(key=str(shipment.pk))
    assert label.tracking_number == first


@pytest.mark.django_db
@pytest.mark.parametrize("kind", ["typed", "manual", "void"])
def test_nobody_is_asked_for_a_number_that_is_not_needed(kind: str, settings: Any) -> None:
    settings.SANDBOX_CARRIER_URL = "http://127.0.0.1:1"
    shipment = prepare(
        carrier="manual" if kind == "manual" else "sandbox",
        tracking_number="T1" if kind == "typed" else "",
    )
    if kind == "void":
        void(shipment)

    deliver_events()

    assert not OutboxStream.objects.filter(aggregate_type="carrier", attempts__gt=0).exists()


@pytest.mark.django_db
def test_a_carrier_that_is_down_is_asked_again_later(settings: Any) -> None:
    settings.SANDBOX_CARRIER_URL = f"http://127.0.0.1:{free_ports()}"
    shipment = prepare()

    deliver_events()

    stream = OutboxStream.objects.get(aggregate_type="carrier")
    assert (stream.attempts, stream.delivered_seq, stream.parked) == (1, 0, False)
    assert stored(shipment).tracking_number == ""
    with pytest.raises(CarrierDown):
        SandboxCarrier().parcel_book(key="1")


@pytest.mark.django_db
def test_a_known_tracking_number_is_quiet_and_another_is_refused() -> None:
    shipment = prepare(tracking_number="T1")

    tracking_record(shipment_id=shipment.pk, tracking_number="T1", actor=TESTER)
    with pytest.raises(Conflict, match=r"shipment\.other_number"):
        tracking_record(shipment_id=shipment.pk, tracking_number="T2", actor=TESTER)

    assert stored(shipment).tracking_number == "T1"
