"""A parcel moves when it is told to, and its scans are told."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from uuid import uuid4

import httpx
import pytest

CODES = (
    "handed_over",
    "in_transit",
    "out_for_delivery",
    "delivered",
    "exception",
    "returned",
    "lost",
)


@pytest.fixture
def parcel(carrier):
    return carrier.post("/parcels", key=uuid4().hex, address={"city": "Lisboa"})


def test_the_same_key_gets_the_same_parcel(carrier):
    key = uuid4().hex
    first = carrier.http.post("/parcels", json={"key": key})
    second = carrier.http.post("/parcels", json={"key": key})
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json() == carrier.get(f"/parcels/{key}")
    assert first.json()["status"] == "announced"


def test_twenty_at_once_under_one_key_make_one_parcel(carrier):
    key = uuid4().hex

    def announce(_):
        answer = httpx.post(f"{carrier.url}/parcels", json={"key": key}, trust_env=False)
        return answer.json()["tracking_number"]

    with ThreadPoolExecutor(20) as threads:
        assert len(set(threads.map(announce, range(20)))) == 1


def test_two_parcels_have_two_tracking_numbers(carrier, parcel):
    other = carrier.post("/parcels", key=uuid4().hex)
    assert other["tracking_number"] != parcel["tracking_number"]


def test_each_scan_is_told_in_order(carrier, receiver, parcel):
    for code in CODES:
        assert carrier.post("/control/scan", key=parcel["key"], code=code)["status"] == code
    told = receiver.wait(parcel["key"], len(CODES))
    assert [notification["code"] for notification in told] == list(CODES)
    assert {notification["kind"] for notification in told} == {"parcel.scan"}
    assert {notification["tracking_number"] for notification in told} == {parcel["tracking_number"]}
    assert set(told[0]) == {"id", "kind", "key", "tracking_number", "code", "at"}
    scans = carrier.get(f"/parcels/{parcel['key']}")["scans"]
    assert scans == [{name: each[name] for name in ("id", "code", "at")} for each in told]


def test_a_scan_may_say_when_it_happened(carrier, receiver, parcel):
    carrier.post(
        "/control/scan", key=parcel["key"], code="delivered", at="2026-03-01T10:00:00+01:00"
    )
    (notification,) = receiver.wait(parcel["key"])
    assert datetime.fromisoformat(notification["at"]) == datetime(2026, 3, 1, 9, tzinfo=UTC)


def test_nothing_moves_of_its_own_accord(carrier, receiver, parcel):
    other = carrier.post("/parcels", key=uuid4().hex)
    carrier.post("/control/scan", key=other["key"], code="handed_over")
    receiver.wait(other["key"])
    assert receiver.of(parcel["key"]) == []
    assert carrier.get(f"/parcels/{parcel['key']}")["scans"] == []


@pytest.mark.parametrize(
    "wrong", [{"code": None}, {"code": "flown"}, {"code": 5}, {"at": "noon"}, {"key": "a b"}]
)
def test_a_bad_scan_is_refused_by_name_and_moves_nothing(carrier, parcel, wrong):
    body = {"key": parcel["key"], "code": "delivered"} | wrong
    code, refusal = carrier.refused("/control/scan", **body)
    assert code == 400
    assert refusal["message"].startswith(f"{next(iter(wrong))} must be ")
    assert carrier.get(f"/parcels/{parcel['key']}") == parcel


def test_an_unknown_parcel_is_not_found(carrier):
    assert carrier.http.get("/parcels/unknown").status_code == 404
    assert carrier.refused("/control/scan", key="unknown", code="lost")[0] == 404


@pytest.mark.parametrize("body", [b"{", b"[]", b"{}", b'{"key": "\\ud800"}', 70_000 * b" "])
def test_a_bad_parcel_is_refused(carrier, body):
    answer = carrier.http.post("/parcels", content=body)
    assert (answer.status_code, answer.json()["error"]) == (400, "bad_request")
