"""An order from the first SKU to the last parcel, by requests alone; ids are text in all answers."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from orders.models import Cart
from payments.channels.base import Answer
from payments.models import Attempt, Payment
from payments.services.collect import attempt_answer_record
from tests.api.conftest import Caller, merchant_key
from tests.api.walk import (
    ANSWERS,
    answered,
    cart_with,
    done,
    group_row,
    order_of,
    paid,
    placed,
    shipped,
)
from tests.factories.story import (
    CHANNEL,
    DELIVERY_MINOR,
    make_delivering_merchant,
    make_stocked_sku,
)

pytestmark = pytest.mark.django_db


def members(document: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every member of a document at any depth."""
    if isinstance(document, dict):
        for inner_name, inner in document.items():
            yield from members(inner, inner_name)
    elif isinstance(document, list):
        for inner in document:
            yield from members(inner, name)
    else:
        yield name, document


def is_id(name: str) -> bool:
    return name == "id" or name.endswith(("_id", "_ids"))


def test_two_merchants_are_bought_from_paid_once_and_ship_apart(platform: Caller) -> None:
    first, second = make_delivering_merchant(), make_delivering_merchant()
    group = paid(platform, make_stocked_sku(first), make_stocked_sku(second), units=2)

    assert (group["state"], group["payment_state"]) == ("paid", "paid")
    assert group["total"] == {"amount": 2 * (2 * 1000 + DELIVERY_MINOR), "currency": "EUR"}
    for merchant in (first, second):
        parcel = shipped(merchant_key(merchant), order_of(group, merchant)["id"])
        assert [line["quantity"] for line in parcel["lines"]] == [2]
    group = done(platform.get(f"/order_groups/{group['id']}"))
    assert group["fulfilment_state"] == "shipped"
    assert {order["state"] for order in group["orders"]} == {"shipped"}


def test_ids_are_text_times_are_utc_and_amounts_are_whole_in_every_answer(platform: Caller) -> None:
    merchant = make_delivering_merchant()
    sku = make_stocked_sku(merchant)
    checkout = answered(platform, sku)
    group = paid(platform, sku)
    order = order_of(group, merchant)
    parcel = shipped(platform, order["id"])
    answers = [
        checkout,
        group,
        parcel,
        done(platform.get("/products")),
        done(platform.get(f"/products/{sku.product_id}")),
        done(platform.get(f"/carts/{checkout['cart_id']}")),
        done(platform.get("/order_groups")),
        done(platform.get("/orders")),
        done(platform.get(f"/orders/{order['id']}")),
        done(platform.get(f"/payments/{group['payment_ids'][0]}")),
        done(platform.get("/shipments")),
        done(platform.get(f"/shipments/{parcel['id']}")),
    ]
    found = [pair for answer in answers for pair in members(answer)]

    assert [pair for pair in found if is_id(pair[0]) and not isinstance(pair[1], str | None)] == []
    times = [value for name, value in found if name.endswith("_at") and value]
    assert len(times) > 10
    assert [value for value in times if not value.endswith("Z")] == []
    amounts = [value for name, value in found if name == "amount"]
    assert {type(value) for value in amounts} == {int}


def test_a_cart_is_filled_changed_and_emptied(platform: Caller) -> None:
    sku = make_stocked_sku()
    cart_id = cart_with(platform, sku, units=2)

    cart = done(platform.patch(f"/carts/{cart_id}/lines/{sku.pk}", {"quantity": 5}))
    assert [(line["quantity"], line["available"]) for line in cart["lines"]] == [(5, 10)]
    assert cart["items"] == {"amount": 5000, "currency": "EUR"}
    cart = done(platform.delete(f"/carts/{cart_id}/lines/{sku.pk}"))
    assert (cart["lines"], done(platform.get(f"/carts/{cart_id}"))["items"]) == ([], None)


def test_a_checkout_says_what_is_missing_until_nothing_is(platform: Caller) -> None:
    cart_id = cart_with(platform, make_stocked_sku())
    made = platform.post("/checkouts", {"cart_id": cart_id})
    checkout = done(made, 201)
    assert made["Location"] == f"/api/v1/checkouts/{checkout['id']}"
    assert checkout["can_complete"] is False
    assert {told["pointer"] for told in checkout["problems"]} >= {"/email", "/line1", "/country"}

    checkout = done(platform.patch(f"/checkouts/{checkout['id']}", ANSWERS))
    assert (checkout["problems"], checkout["can_complete"]) == ([], True)
    assert checkout["total"]["amount"] == 1000 + DELIVERY_MINOR
    assert [part["method_id"] is not None for part in checkout["parts"]] == [True]


def test_a_wrong_answer_is_pointed_at_and_keeps_the_others_out(platform: Caller, refused) -> None:
    checkout = answered(platform, make_stocked_sku())
    document = refused(
        platform.patch(f"/checkouts/{checkout['id']}", {"email": "ada@", "name": "Eve"}),
        422,
        "checkout-invalid",
    )
    assert [told["pointer"] for told in document["errors"]] == ["/email"]
    assert done(platform.get(f"/checkouts/{checkout['id']}"))["name"] == "Ada Lovelace"


def test_completing_again_with_another_key_answers_the_same_group(platform: Caller) -> None:
    checkout = answered(platform, make_stocked_sku())
    address, total = f"/checkouts/{checkout['id']}/complete", {"expected_total": checkout["total"]}
    first, second = platform.post(address, total), platform.post(address, total)

    assert done(first, 201)["id"] == done(second, 201)["id"]
    assert first["Location"] == f"/api/v1/order_groups/{first.json()['id']}"


@pytest.mark.parametrize(
    "total", [{"amount": 1, "currency": "EUR"}, {"amount": 1500, "currency": "USD"}]
)
def test_another_total_than_the_one_that_was_seen_places_nothing(
    platform: Caller, refused, total: Any
) -> None:
    checkout = answered(platform, make_stocked_sku())
    document = refused(
        platform.post(f"/checkouts/{checkout['id']}/complete", {"expected_total": total}),
        409,
        "price-changed",
    )
    assert document["total_minor"] == 1500
    assert Cart.objects.get(pk=checkout["cart_id"]).placed_group_id is None


def test_what_is_sold_out_is_told_by_line(platform: Caller, refused) -> None:
    sku = make_stocked_sku(units=1)
    checkout = answered(platform, sku, units=2)
    assert [told["code"] for told in checkout["problems"]] == ["line-stock-short"]
    document = refused(
        platform.post(
            f"/checkouts/{checkout['id']}/complete", {"expected_total": checkout["total"]}
        ),
        409,
        "stock-insufficient",
    )
    assert document["lines"] == [{"sku_id": str(sku.pk), "requested": 2, "available": 1}]


def test_a_payment_names_its_next_action_then_why_it_failed(platform: Caller) -> None:
    group = placed(platform, make_stocked_sku())
    assert [action["name"] for action in group["allowed_actions"]] == ["pay", "cancel"]
    started = platform.post("/payments", {"order_group_id": group["id"], "channel": "sandbox"})
    payment = done(started, 201)
    assert (payment["next_action"], payment["failure"]) == (None, None)

    answer(payment, "requires_action", action_url="https://pay.invalid/1")
    waiting = done(platform.client.get(started["Location"], headers=platform.headers))
    assert waiting["next_action"] == {"redirect_url": "https://pay.invalid/1"}
    answer(payment, "failed", failure_code="insufficient_funds")
    failed = done(platform.get(f"/payments/{payment['id']}"))
    assert failed["next_action"] is None
    assert failed["failure"] == {"code": "insufficient_funds", "advice": "use_other_method"}


def answer(payment: Any, status: str, **fields: str) -> None:
    amount = payment["amount"]
    said = Answer(
        status=status,
        amount_minor=amount["amount"],
        currency=amount["currency"],
        ref="secret-ref",
        **fields,
    )
    attempt = Attempt.objects.get(pk=payment["attempts"][0]["id"])
    attempt_answer_record(attempt_id=attempt.pk, answer=said, actor=CHANNEL)


def test_what_a_channel_needs_of_us_is_never_shown(platform: Caller) -> None:
    group = placed(platform, make_stocked_sku())
    started = {"order_group_id": group["id"], "channel": "sandbox", "token": "tok_3ds"}
    payment = done(platform.post("/payments", started), 201)
    answer(payment, "requires_action", action_url="https://pay.invalid/1")
    text = json.dumps(done(platform.get(f"/payments/{payment['id']}")))
    assert "tok_3ds" not in text
    assert "secret-ref" not in text


def test_a_group_is_called_off_before_and_after_it_is_paid(platform: Caller) -> None:
    for group in (placed(platform, make_stocked_sku()), paid(platform, make_stocked_sku())):
        address = f"/order_groups/{group['id']}/cancel"
        assert address in {a["href"].removeprefix("/api/v1") for a in group["allowed_actions"]}
        cancelled = done(platform.post(address, {"reason": "changed my mind"}))
        assert {order["state"] for order in cancelled["orders"]} == {"cancelled"}
    assert Payment.objects.get(reference=group_row(group).pk).refunded_minor == 1500


def test_a_merchant_calls_one_order_off(platform: Caller) -> None:
    merchant = make_delivering_merchant()
    group = paid(platform, make_stocked_sku(merchant), make_stocked_sku())
    mine = merchant_key(merchant)
    order = done(mine.post(f"/orders/{order_of(group, merchant)['id']}/cancel", {"reason": "lost"}))
    assert (order["state"], order["allowed_actions"]) == ("cancelled", [])


def test_a_parcel_with_some_units_leaves_the_order_open(platform: Caller, refused) -> None:
    merchant = make_delivering_merchant()
    group = paid(platform, make_stocked_sku(merchant), units=3)
    order_id, mine = group["orders"][0]["id"], merchant_key(merchant)
    done(mine.post(f"/orders/{order_id}/acknowledge"))
    order = done(mine.post(f"/orders/{order_id}/start_packing"))
    line_id = order["lines"][0]["id"]
    parcel = {
        "order_id": order_id,
        "carrier": "manual",
        "lines": [{"line_id": line_id, "quantity": 2}],
    }
    sent = done(mine.post("/shipments", parcel), 201)
    assert sent["lines"] == [{"line_id": line_id, "quantity": 2}]
    refused(mine.post("/shipments", parcel), 422, "shipment-lines")
    order = done(mine.get(f"/orders/{order_id}"))
    assert (order["state"], order["lines"][0]["shipped_quantity"]) == ("packing", 2)
    assert done(mine.get("/shipments", order_id=order_id))["data"] == [sent]
