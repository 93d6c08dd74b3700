"""Idempotency keys over HTTP: asked for where money or stock moves, and kept per caller."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from orders.models import OrderGroup
from payments.models import Attempt
from tests.api.conftest import Caller, Refused, platform_key
from tests.api.walk import answered, done, paid, placed
from tests.factories.story import make_stocked_sku

pytestmark = pytest.mark.django_db
KEY = "0123456789abcdef"


def completing(caller: Caller, units: int = 1):
    checkout = answered(caller, make_stocked_sku(), units=units)
    return f"/checkouts/{checkout['id']}/complete", {"expected_total": checkout["total"]}


def test_a_replay_answers_the_first_answer_and_says_so(platform: Caller) -> None:
    address, body = completing(platform)
    first, again = (platform.post(address, body, key=KEY) for _time in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert first["Location"] == again["Location"]
    assert "Idempotent-Replayed" not in first
    assert again["Idempotent-Replayed"] == "true"
    assert OrderGroup.objects.count() == 1


def test_a_refusal_by_a_rule_is_replayed_too(platform: Caller, refused: Refused) -> None:
    address, body = completing(platform, units=11)
    first = refused(platform.post(address, body, key=KEY), 409, "stock-insufficient")
    again = platform.post(address, body, key=KEY)
    assert again.json() == first
    assert again["Content-Type"] == "application/problem+json"
    assert again["Idempotent-Replayed"] == "true"


def test_a_key_of_another_request_is_refused(platform: Caller, refused: Refused) -> None:
    group = placed(platform, make_stocked_sku())
    cancel = f"/order_groups/{group['id']}/cancel"
    done(platform.post(cancel, {"reason": "one"}, key=KEY))
    refused(platform.post(cancel, {"reason": "two"}, key=KEY), 422, "idempotency-key-reused")


def test_one_callers_key_is_not_anothers(platform: Caller) -> None:
    started = {"channel": "sandbox"}
    for caller in (platform, platform_key()):
        group = placed(platform, make_stocked_sku())
        done(caller.post("/payments", {**started, "order_group_id": group["id"]}, key=KEY), 201)
    assert Attempt.objects.count() == 2


@pytest.mark.parametrize("key", ["", "short", "k" * 256, "k" * 15 + "\u00e9", "with a space in it"])
def test_a_key_that_is_none_is_asked_for(platform: Caller, refused: Refused, key: str) -> None:
    address, body = completing(platform)
    refused(platform.post(address, body, key=key), 400, "idempotency-key-missing")
    assert not OrderGroup.objects.exists()


def test_whatever_moves_money_or_stock_asks_for_a_key(platform: Caller, refused: Refused) -> None:
    group = paid(platform, make_stocked_sku())
    order_id = group["orders"][0]["id"]
    checkout = answered(platform, make_stocked_sku())
    for address, body in (
        (f"/checkouts/{checkout['id']}/complete", {"expected_total": checkout["total"]}),
        (f"/order_groups/{group['id']}/cancel", {"reason": "x"}),
        (f"/orders/{order_id}/cancel", {"reason": "x"}),
        ("/payments", {"order_group_id": group["id"], "channel": "sandbox"}),
        ("/shipments", {"order_id": order_id, "carrier": "manual"}),
    ):
        refused(platform.send("POST", address, body), 400, "idempotency-key-missing")


def test_what_is_wrong_is_not_kept_under_the_key(platform: Caller, refused: Refused) -> None:
    address, body = completing(platform)
    refused(platform.post(address, {}, key=KEY), 422, "validation")
    done(platform.post(address, body, key=KEY), 201)


def test_placing_a_longer_cart_needs_no_more_statements(platform: Caller) -> None:
    counts = []
    for skus in (1, 1, 5):  # the process takes its lease of ids the first time
        checkout = answered(platform, *(make_stocked_sku() for _ in range(skus)))
        total = {"expected_total": checkout["total"]}
        with CaptureQueriesContext(connection) as queries:
            done(platform.post(f"/checkouts/{checkout['id']}/complete", total), 201)
        counts.append(len(queries))
    assert counts[1] == counts[2] <= 21
