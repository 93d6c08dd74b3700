"""Who sees what: a merchant's key its own, a browser its shopper's, and scopes for each address."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.urls import URLPattern

from accounts.keys import MERCHANT_SCOPES, PLATFORM_SCOPES
from accounts.services import customer_for_user
from config.api import urlpatterns
from core.api import ApiView
from core.models import IdempotencyKey, OutboxEvent, StateChange
from orders.models import OrderGroup
from tests.api.conftest import ROOT, Caller, Refused, browser, merchant_key, platform_key
from tests.api.walk import ANSWERS, answered, cart_with, done, order_of, paid, placed, shipped
from tests.factories import make_user
from tests.factories.settlement import make_payout
from tests.factories.story import make_delivering_merchant, make_stocked_sku

pytestmark = pytest.mark.django_db

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def resources() -> Iterator[tuple[str, str, str]]:
    """Address, method and scope of everything that the API can do."""
    for pattern in urlpatterns:
        view = getattr(pattern.callback, "cls", None)
        if view and issubclass(view, ApiView) and pattern.name != "nothing":
            for method in METHODS:
                if hasattr(view, method.lower()):
                    yield address_of(pattern), method, view.scopes.get(method, "")


def address_of(pattern: URLPattern) -> str:
    return "/" + str(pattern.pattern).replace("<str:", "<")


ALL = sorted(resources())


def filled(address: str, number: str) -> str:
    """The address with that id in every place."""
    parts = [number if part.startswith("<") else part for part in address.split("/")]
    return "/".join(parts)


def test_everything_needs_a_scope() -> None:
    assert len(ALL) == 38
    assert [place for place in ALL if place[2] not in PLATFORM_SCOPES] == []


@pytest.mark.parametrize(("address", "method", "scope"), ALL)
def test_a_key_without_the_scope_is_refused_and_told_which(
    refused: Refused, address: str, method: str, scope: str
) -> None:
    caller = platform_key(*(PLATFORM_SCOPES - {scope}))
    document = refused(caller.send(method, filled(address, "1")), 403, "scope-missing")
    assert document["scope"] == scope


@pytest.mark.parametrize(
    ("address", "method"),
    [(address, method) for address, method, scope in ALL if scope not in MERCHANT_SCOPES],
)
def test_a_shoppers_part_is_closed_to_merchants(
    refused: Refused, address: str, method: str
) -> None:
    caller = merchant_key(make_delivering_merchant())
    refused(caller.send(method, filled(address, "1")), 403, "scope-missing")


def test_a_merchant_finds_nothing_of_another(platform: Caller, refused: Refused) -> None:
    mine, others = make_delivering_merchant(), make_delivering_merchant()
    payout = make_payout(others)
    group = paid(platform, make_stocked_sku(mine), make_stocked_sku(others))
    theirs = order_of(group, others)
    parcel = shipped(platform, theirs["id"])
    caller = merchant_key(mine)
    ids = {
        "<order_id>": theirs["id"],
        "<shipment_id>": parcel["id"],
        "<statement_id>": str(payout.statement_id),
        "<payout_id>": str(payout.pk),
    }
    bodies = {
        "/orders/<order_id>/cancel": {"reason": "mine now"},
        "/orders/<order_id>/request_cancel": {"reason": "mine now"},
        "/orders/<order_id>/approve_cancel": {},
        "/orders/<order_id>/decline_cancel": {"answer": "mine now"},
        "/shipments": {"order_id": theirs["id"], "carrier": "manual"},
    }
    asked = 0
    for address, method, scope in ALL:
        if scope not in MERCHANT_SCOPES or scope == "catalog:read":
            continue
        if method == "GET" and "<" not in address:
            continue
        for name, number in ids.items():
            address = address.replace(name, number)
        key = {"Idempotency-Key": f"tenant-{asked:012}"}
        body = bodies.get(address.replace(theirs["id"], "<order_id>"))
        refused(caller.send(method, address, body, **key), 404, "not-found")
        asked += 1
    assert asked == 13


def test_nothing_of_another_merchant_is_in_what_a_merchant_sees(platform: Caller) -> None:
    mine, others = make_delivering_merchant(), make_delivering_merchant()
    sku = make_stocked_sku(others, price_minor=123456)
    group = paid(platform, make_stocked_sku(mine), sku)
    theirs, own = order_of(group, others), order_of(group, mine)
    parcels = [shipped(platform, order["id"]) for order in (theirs, own)]
    caller = merchant_key(mine)
    seen = [
        done(caller.get("/orders")),
        done(caller.get("/orders", state="shipped")),
        done(caller.get(f"/orders/{own['id']}")),
        done(caller.get("/shipments")),
        done(caller.get("/shipments", order_id=theirs["id"])),
        done(caller.get("/shipments", order_id=own["id"])),
    ]
    text = json.dumps(seen)
    assert own["id"] in text
    hidden = [
        theirs["id"],
        f'"merchant_id": "{others.pk}"',
        str(sku.price_minor),
        parcels[0]["id"],
        str(group["total"]["amount"]),
        group["email"],
        group["buyer_url"],
        *group["payment_ids"],
    ]
    assert [secret for secret in hidden if secret in text] == []
    assert len(seen[0]["data"]) == len(seen[3]["data"]) == 1


def test_a_browser_buys_as_a_guest_and_sees_its_own_only(
    platform: Caller, refused: Refused
) -> None:
    guest, stranger = browser(), browser()
    group = paid(guest, make_stocked_sku())
    assert group["state"] == "paid"
    cart = done(guest.get(f"/carts/{OrderGroup.objects.get(pk=group['id']).cart_id}"))
    assert cart["order_group_id"] == group["id"]
    addresses = [
        f"/carts/{cart['id']}",
        f"/order_groups/{group['id']}",
        f"/payments/{group['payment_ids'][0]}",
    ]
    cart_with(stranger)
    for address in addresses:
        done(guest.get(address))
        refused(stranger.get(address), 404, "not-found")
    assert done(guest.get("/order_groups"))["data"] == [group]
    assert done(stranger.get("/order_groups"))["data"] == []
    started = {"order_group_id": group["id"], "channel": "sandbox"}
    refused(stranger.post("/payments", started), 404, "not-found")
    cancel = f"/order_groups/{group['id']}/cancel"
    refused(stranger.post(cancel, {"reason": "mine"}), 404, "not-found")


def test_a_browser_has_one_cart_at_a_time() -> None:
    guest = browser()
    assert done(guest.post("/carts"), 201)["id"] == done(guest.post("/carts"), 201)["id"]


def test_a_browsers_change_needs_its_token(refused: Refused) -> None:
    guest = browser()
    cart_id = cart_with(guest)
    guest.headers = {}
    for method, path, body in (
        ("POST", "/carts", None),
        ("POST", f"/carts/{cart_id}/lines", {"sku_id": "1", "quantity": 1}),
        ("DELETE", f"/carts/{cart_id}/lines/1", None),
        ("POST", "/payments", {"order_group_id": "1", "channel": "sandbox"}),
    ):
        refused(guest.send(method, path, body), 403, "csrf-failed")
    done(guest.get(f"/carts/{cart_id}"))


def test_a_browser_reads_the_catalogue_and_no_orders(refused: Refused) -> None:
    guest = browser()
    sku = make_stocked_sku()
    assert done(guest.get(f"/products/{sku.product_id}"))["skus"][0]["available"] == 10
    refused(guest.get("/orders"), 403, "scope-missing")
    refused(guest.get("/shipments"), 403, "scope-missing")


@pytest.mark.parametrize(("verified", "seen"), [(True, 200), (False, 404)])
def test_a_login_sees_its_customers_orders_once_its_address_is_proven(
    platform: Caller, verified: bool, seen: int
) -> None:
    user = make_user(email=ANSWERS["email"])
    group = placed(platform, make_stocked_sku())
    customer_for_user(user=user)
    EmailAddress.objects.create(user=user, email=user.email, verified=verified, primary=True)
    caller = browser()
    caller.client.force_login(user)
    assert caller.get(f"/order_groups/{group['id']}").status_code == seen


def test_a_shopper_comes_back_to_this_shop_only(refused: Refused, settings: Any) -> None:
    guest = browser()
    group = placed(guest, make_stocked_sku())
    started = {"order_group_id": group["id"], "channel": "sandbox"}
    away = {**started, "return_url": "https://evil.example/"}
    refused(guest.post("/payments", away), 422, "validation")
    done(guest.post("/payments", {**started, "return_url": f"{settings.PUBLIC_URL}/x"}), 201)


def test_a_buyer_may_do_less_than_the_platform(platform: Caller, refused: Refused) -> None:
    guest = browser()
    group = paid(guest, make_stocked_sku())
    order_id = group["orders"][0]["id"]
    done(platform.post(f"/orders/{order_id}/acknowledge"))
    done(platform.post(f"/orders/{order_id}/start_packing"))
    cancel = f"/order_groups/{group['id']}/cancel"
    refused(guest.post(cancel, {"reason": "mind"}), 409, "cancel-too-late")
    done(platform.post(cancel, {"reason": "the buyer called"}))
    assert answered(guest, make_stocked_sku())["cart_id"]
    assert ROOT in guest.get("/products").request["PATH_INFO"]


def test_what_opens_a_guests_cart_is_in_no_record_of_what_was_done() -> None:
    guest = browser()
    group = paid(guest, make_stocked_sku())
    done(guest.post(f"/order_groups/{group['id']}/cancel", {"reason": "mind"}))
    token = guest.client.session["cart"]
    actors = set(StateChange.objects.values_list("actor", flat=True))
    assert "buyer:guest" in actors
    assert not any(token in actor for actor in actors)
    assert not any(token in str(event.payload) for event in OutboxEvent.objects.all())
    scopes = IdempotencyKey.objects.values_list("scope", flat=True)
    assert scopes
    assert not any(token in scope for scope in scopes)
