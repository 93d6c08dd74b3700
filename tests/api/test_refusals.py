"""Refusals: one shape for all, and nothing that anybody can send is a fault of ours."""

import json
from typing import Any

import pytest
from django.db import OperationalError

from orders.api import orders as orders_api
from tests.api.conftest import ROOT, Caller, Refused
from tests.api.walk import answered, cart_with, done, paid, placed
from tests.factories.story import make_stocked_sku

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "path",
    ["/nothing", "/orders/", "/", "/orders/1/nothing", "/products/1/../x"],
)
def test_an_address_that_leads_nowhere(platform: Caller, refused: Refused, path: str) -> None:
    refused(platform.get(path), 404, "not-found")
    refused(Caller().get(path), 404, "not-found")


IDS = ["0", "1", "-1", "abc", "٣", "1" * 30, str(2**63), str(2**63 - 1), "1%00", "%F0%9F%98%80"]


@pytest.mark.parametrize("number", IDS)
@pytest.mark.parametrize(
    "path",
    [
        "/products/{}",
        "/carts/{}",
        "/checkouts/{}",
        "/order_groups/{}",
        "/orders/{}",
        "/payments/{}",
        "/shipments/{}",
    ],
)
def test_an_id_of_nothing_is_not_found(
    platform: Caller, refused: Refused, path: str, number: str
) -> None:
    refused(platform.get(path.format(number)), 404, "not-found")


BODIES = [
    (b"{", 400, "malformed-json"),
    (b'{"reason": NaN}', 400, "malformed-json"),
    (b"\xff\xfe", 400, "malformed-json"),
    (b"[" * 100_000, 400, "malformed-json"),
    (b"1" * 5000, 400, "malformed-json"),
    (b" " * 300_000, 413, "body-too-large"),
    (b"[]", 422, "validation"),
    (b"null", 422, "validation"),
    (b'"text"', 422, "validation"),
    (b"{}", 422, "validation"),
    (b'{"reason": 5}', 422, "validation"),
    (b'{"reason": ["a"]}', 422, "validation"),
    (b'{"reason": "a\\u0000"}', 422, "validation"),
    (b'{"reason": "\\ud800"}', 422, "validation"),
    (b'{"reason": " "}', 422, "validation"),
    (b'{"reason": "a", "raeson": "b"}', 422, "validation"),
    (b'{"reason": "a", "\\ud800/~": "b"}', 422, "validation"),
    (b'{"reason": "a", "state": "paid"}', 422, "state-not-writable"),
    (json.dumps({"reason": "a" * 201}).encode(), 422, "validation"),
]


@pytest.mark.parametrize(("body", "status", "code"), BODIES)
def test_a_body_that_is_not_right(
    platform: Caller, refused: Refused, body: bytes, status: int, code: str
) -> None:
    group = placed(platform, make_stocked_sku())
    response = platform.client.post(
        f"{ROOT}/order_groups/{group['id']}/cancel",
        body,
        content_type="application/json",
        headers={**platform.headers, "Idempotency-Key": "k" * 16},
    )
    refused(response, status, code)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "nonsense"])
def test_a_body_of_another_kind(platform: Caller, refused: Refused, kind: str) -> None:
    response = platform.client.post(
        f"{ROOT}/checkouts", b"{}", content_type=kind, headers=platform.headers
    )
    refused(response, 415, "unsupported-media-type")


@pytest.mark.parametrize(
    ("line", "pointer"),
    [
        ({"sku_id": 5, "quantity": 1}, "/sku_id"),
        ({"sku_id": "-5", "quantity": 1}, "/sku_id"),
        ({"sku_id": "9" * 20, "quantity": 1}, "/sku_id"),
        ({"sku_id": "5", "quantity": "1"}, "/quantity"),
        ({"sku_id": "5", "quantity": True}, "/quantity"),
        ({"sku_id": "5", "quantity": 1.0}, "/quantity"),
        ({"sku_id": "5", "quantity": 0}, "/quantity"),
        ({"sku_id": "5", "quantity": 2**70}, "/quantity"),
        ({"sku_id": "5"}, "/quantity"),
        ({"sku_id": "5", "quantity": 1, "x~/y": 1}, "/x~0~1y"),
    ],
)
def test_a_field_that_is_wrong_is_pointed_at(
    platform: Caller, refused: Refused, line: Any, pointer: str
) -> None:
    cart_id = cart_with(platform)
    document = refused(platform.post(f"/carts/{cart_id}/lines", line), 422, "validation")
    assert [error["pointer"] for error in document["errors"]] == [pointer]


def test_a_field_inside_a_list_is_pointed_at(platform: Caller, refused: Refused) -> None:
    checkout = answered(platform, make_stocked_sku())
    methods = [{"merchant_id": "1", "method_id": "2"}, {"merchant_id": "1"}]
    document = refused(
        platform.patch(f"/checkouts/{checkout['id']}", {"delivery_methods": methods}),
        422,
        "validation",
    )
    assert document["errors"][0]["pointer"] == "/delivery_methods/1/method_id"


def test_a_state_is_never_written(platform: Caller, refused: Refused) -> None:
    checkout = answered(platform, make_stocked_sku())
    refused(
        platform.patch(f"/checkouts/{checkout['id']}", {"state": "x"}), 422, "state-not-writable"
    )
    group = placed(platform, make_stocked_sku())
    refused(
        platform.patch(f"/orders/{group['orders'][0]['id']}", {"state": "x"}),
        405,
        "method-not-allowed",
    )


def test_what_an_address_can_do_is_told(platform: Caller, refused: Refused) -> None:
    response = platform.delete("/products")
    refused(response, 405, "method-not-allowed")
    assert response["Allow"] == "GET, HEAD"


@pytest.mark.parametrize(
    ("parameters", "status", "code"),
    [
        ({"limit": "0"}, 422, "validation"),
        ({"limit": "201"}, 422, "validation"),
        ({"limit": "many"}, 422, "validation"),
        ({"limit": "1" * 5000}, 422, "validation"),
        ({"state": "gone"}, 422, "validation"),
        ({"state": "\0"}, 422, "validation"),
        ({"placed_from": "yesterday"}, 422, "validation"),
        ({"placed_from": "0001-01-01T00:00:00+23:59"}, 422, "validation"),
        ({"offset": "5"}, 400, "unknown-parameter"),
    ],
)
def test_a_parameter_that_is_not_right(
    platform: Caller, refused: Refused, parameters: dict[str, str], status: int, code: str
) -> None:
    document = refused(platform.get("/order_groups", **parameters), status, code)
    assert [error["pointer"] for error in document["errors"]] == [f"/{next(iter(parameters))}"]


def test_another_state_is_a_conflict_with_its_facts(platform: Caller, refused: Refused) -> None:
    order = placed(platform, make_stocked_sku())["orders"][0]
    document = refused(platform.post(f"/orders/{order['id']}/acknowledge"), 409, "state-conflict")
    assert (document["state"], document["id"]) == ("pending_payment", order["id"])
    assert document["retryable"] is False


def test_what_a_body_names_and_is_not_there_is_not_found(
    platform: Caller, refused: Refused
) -> None:
    cart_id = cart_with(platform)
    line = {"sku_id": "404", "quantity": 1}
    refused(platform.post(f"/carts/{cart_id}/lines", line), 404, "sku-unknown")
    refused(platform.post("/checkouts", {"cart_id": "404"}), 404, "not-found")


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "//evil.example", "", "data:text/html,x"]
)
def test_a_shopper_is_not_sent_just_anywhere(
    platform: Caller, refused: Refused, address: str
) -> None:
    group = placed(platform, make_stocked_sku())
    started = {"order_group_id": group["id"], "channel": "sandbox", "return_url": address}
    refused(platform.post("/payments", started), 422, "validation")


def test_a_line_that_is_named_twice_ships_nothing(platform: Caller, refused: Refused) -> None:
    order = paid(platform, make_stocked_sku())["orders"][0]
    line = {"line_id": order["lines"][0]["id"], "quantity": 1}
    parcel = {"order_id": order["id"], "carrier": "manual", "lines": [line, line]}
    document = refused(platform.post("/shipments", parcel), 422, "validation")
    assert [error["pointer"] for error in document["errors"]] == ["/lines"]


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [(RuntimeError("planted"), 500, "internal"), (OperationalError("planted"), 503, "unavailable")],
)
def test_a_fault_of_ours_tells_nothing_of_our_insides(
    platform: Caller,
    refused: Refused,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    status: int,
    code: str,
) -> None:
    def fail(*_given: Any) -> None:
        raise error

    monkeypatch.setattr(orders_api, "own_order", fail)
    document = refused(platform.get("/orders/1"), status, code)
    assert document["retryable"] is True
    assert "planted" not in json.dumps(document)


def test_a_request_keeps_the_name_that_its_caller_gave_it(platform: Caller) -> None:
    named = {**platform.headers, "X-Request-Id": "from-me-1"}
    given = platform.client.get(f"{ROOT}/orders/1", headers=named)
    assert (given["X-Request-Id"], given.json()["request_id"]) == ("from-me-1", "from-me-1")
    odd = {**platform.headers, "X-Request-Id": "a b\t" + "c" * 200}
    assert (
        platform.client.get(f"{ROOT}/orders/1", headers=odd)["X-Request-Id"] != odd["X-Request-Id"]
    )


def test_answers_are_not_kept_on_the_way(platform: Caller) -> None:
    done(platform.get("/products"))
    assert platform.get("/products")["Cache-Control"] == "no-store"
