"""Calling off by programs: previews, some units, requests and their answers."""

from typing import Any

import pytest
from pytest_django import Settings

from inventory.models import StockItem
from orders.models import CancelRequest, Order
from payments.models import Refund
from tests.api.conftest import Caller, Refused, browser, merchant_key
from tests.api.walk import placed
from tests.factories.story import (
    fresh_row,
    make_group,
    make_paid_group,
    make_promised_group,
    make_stocked_sku,
    only_order,
    pack,
)

pytestmark = pytest.mark.django_db


def ok(response: Any) -> Any:
    assert response.status_code == 200, response.content
    return response.json()


def names(order: dict[str, Any]) -> set[str]:
    return {action["name"] for action in order["allowed_actions"]}


def test_a_preview_says_what_cancelling_would_do_and_does_nothing(platform: Caller) -> None:
    order = only_order(make_paid_group(units=3))
    [line] = order.lines.all()
    body = {"reason": "mind", "lines": [{"line_id": str(line.pk), "quantity": 2}]}

    told = ok(platform.post(f"/orders/{order.pk}/cancel?dry_run=true", body))

    assert told["refund"] == {"amount": 2000, "currency": "EUR"}
    assert told["lines"] == [{"line_id": str(line.pk), "quantity": 2}]
    assert told["is_whole"] is False
    assert not Refund.objects.exists()
    done = ok(platform.post(f"/orders/{order.pk}/cancel", body))
    assert done["lines"][0]["cancelled_quantity"] == 2
    assert Refund.objects.get().amount_minor == 2000


def test_a_preview_tells_what_is_never_charged_from_what_goes_back(
    platform: Caller, settings: Settings
) -> None:
    settings.PAYMENT_CAPTURE_AT = {"sandbox": "shipment"}
    order = only_order(make_promised_group())
    told = ok(platform.post(f"/orders/{order.pk}/cancel?dry_run=true", {"reason": "mind"}))
    assert told["let_go"] == {"amount": order.total_minor, "currency": "EUR"}
    assert (told["refund"]["amount"], told["called_off"]["amount"]) == (0, 0)


def test_a_preview_of_a_group_and_of_what_is_too_late(platform: Caller, refused: Refused) -> None:
    group = make_group(orders=2)
    told = ok(platform.post(f"/order_groups/{group.pk}/cancel?dry_run=true", {"reason": "mind"}))
    assert (told["is_whole"], told["refund"]["amount"]) == (True, 0)
    assert fresh_row(group).status == "pending_payment"
    shipped = f"/orders/{group.orders.first().pk}/cancel?dry_run=perhaps"  # type: ignore[union-attr]
    refused(platform.post(shipped, {"reason": "mind"}), 422, "validation")


def test_units_that_the_order_lacks_are_refused(platform: Caller, refused: Refused) -> None:
    order = only_order(make_paid_group(units=2))
    line_id = str(order.lines.get().pk)
    for lines in ([(line_id, 3)], [(str(order.pk), 1)]):
        body = {
            "reason": "mind",
            "lines": [{"line_id": name, "quantity": units} for name, units in lines],
        }
        refused(platform.post(f"/orders/{order.pk}/cancel", body), 422, "cancel-quantity")
    twice = {"reason": "mind", "lines": [{"line_id": line_id, "quantity": 1}] * 2}
    refused(platform.post(f"/orders/{order.pk}/cancel", twice), 422, "validation")
    assert fresh_row(order).version == order.version


def test_a_request_is_made_for_the_buyer_and_answered_by_the_merchant(
    platform: Caller, refused: Refused
) -> None:
    order = pack(only_order(make_paid_group(units=2)))
    merchant = merchant_key(order.merchant)
    asked = ok(platform.post(f"/orders/{order.pk}/request_cancel", {"reason": "too slow"}))
    assert "ship" not in names(asked)
    shown = ok(merchant.get(f"/orders/{order.pk}"))
    assert {"approve_cancel", "decline_cancel"} <= names(shown)
    shipment = {"order_id": str(order.pk), "carrier": "manual", "tracking_number": "T1"}
    refused(merchant.post("/shipments", shipment), 409, "cancel-requested")

    declined = ok(merchant.post(f"/orders/{order.pk}/decline_cancel", {"answer": "It has left"}))
    assert "ship" in names(declined)
    refused(merchant.post(f"/orders/{order.pk}/approve_cancel", {}), 409, "cancel-none-requested")

    ok(platform.post(f"/orders/{order.pk}/request_cancel", {"reason": "once more"}))
    approved = ok(merchant.post(f"/orders/{order.pk}/approve_cancel", {"restock": False}))
    assert approved["state"] == "cancelled"
    assert [row.status for row in CancelRequest.objects.order_by("id")] == ["declined", "approved"]


def test_a_request_is_withdrawn(platform: Caller) -> None:
    order = pack(only_order(make_paid_group()))
    ok(platform.post(f"/orders/{order.pk}/request_cancel", {"reason": ""} | {"reason": "x"}))
    ok(platform.post(f"/orders/{order.pk}/withdraw_cancel"))
    assert CancelRequest.objects.get().status == "withdrawn"


def test_another_merchants_order_is_not_there(refused: Refused) -> None:
    order = pack(only_order(make_paid_group()))
    stranger = merchant_key(only_order(make_paid_group()).merchant)
    for verb, body in (
        ("cancel", {"reason": "x"}),
        ("cancel?dry_run=true", {"reason": "x"}),
        ("approve_cancel", {}),
        ("decline_cancel", {"answer": "x"}),
        ("request_cancel", {"reason": "x"}),
        ("withdraw_cancel", None),
    ):
        refused(stranger.post(f"/orders/{order.pk}/{verb}", body), 404, "not-found")
    assert browser().post(f"/orders/{order.pk}/cancel", {"reason": "x"}).status_code in (401, 403)
    assert Order.objects.get(pk=order.pk).status == "packing"


def test_a_shopper_writes_nothing_off(platform: Caller, refused: Refused) -> None:
    visitor = browser()
    group = placed(visitor, make_stocked_sku(units=5), units=5)
    body = {"reason": "x", "restock": False}
    refused(visitor.post(f"/order_groups/{group['id']}/cancel", body), 403, "cancel-restock-denied")
    assert StockItem.objects.get().on_hand == 5
    ok(platform.post(f"/order_groups/{group['id']}/cancel", body))
    assert StockItem.objects.get().on_hand == 0


def test_an_answer_is_for_the_request_that_was_looked_at_and_is_replayed(
    platform: Caller, refused: Refused
) -> None:
    order = pack(only_order(make_paid_group(units=2)))
    merchant, line = merchant_key(order.merchant), order.lines.get()
    one = {"reason": "one", "lines": [{"line_id": str(line.pk), "quantity": 1}]}
    seen = ok(platform.post(f"/orders/{order.pk}/request_cancel", one))["cancel_request"]
    assert (seen["reason"], seen["lines"]) == ("one", one["lines"])
    ok(platform.post(f"/orders/{order.pk}/withdraw_cancel"))
    ok(platform.post(f"/orders/{order.pk}/request_cancel", {"reason": "all"}))
    stale = {"request_id": seen["id"]}
    refused(
        merchant.post(f"/orders/{order.pk}/approve_cancel", stale), 409, "cancel-request-changed"
    )
    answers = [
        merchant.post(f"/orders/{order.pk}/approve_cancel", {}, key="approve-this-once")
        for _ in range(2)
    ]
    assert [ok(answer)["state"] for answer in answers] == ["cancelled", "cancelled"]
    assert ok(answers[1])["cancel_request"] is None
