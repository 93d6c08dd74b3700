"""The story as an integrator tells it: from an empty cart to a parcel, through requests alone."""

from typing import Any

from accounts.models import Merchant
from catalog.models import Sku
from orders.models import OrderGroup
from payments.models import Attempt
from tests.api.conftest import Caller
from tests.factories import fresh
from tests.factories.story import capture, deliver_events

ANSWERS = {
    "email": "ada@example.com",
    "name": "Ada Lovelace",
    "line1": "Am Kai 1",
    "city": "Bremen",
    "postcode": "28195",
    "country": "DE",
}


def done(response: Any, status: int = 200) -> Any:
    """The document of an answer that went well."""
    assert response.status_code == status, response.content
    return response.json()


def cart_with(caller: Caller, *skus: Sku, units: int = 1) -> str:
    """A cart with these goods."""
    cart_id: str = done(caller.post("/carts"), 201)["id"]
    for sku in skus:
        line = {"sku_id": str(sku.pk), "quantity": units}
        done(caller.post(f"/carts/{cart_id}/lines", line), 201)
    return cart_id


def answered(caller: Caller, *skus: Sku, units: int = 1) -> Any:
    """A checkout that can be completed."""
    cart_id = cart_with(caller, *skus, units=units)
    checkout = done(caller.post("/checkouts", {"cart_id": cart_id}), 201)
    return done(caller.patch(f"/checkouts/{checkout['id']}", ANSWERS))


def placed(caller: Caller, *skus: Sku, units: int = 1) -> Any:
    """A group that waits for its money."""
    checkout = answered(caller, *skus, units=units)
    total = {"expected_total": checkout["total"]}
    return done(caller.post(f"/checkouts/{checkout['id']}/complete", total), 201)


def paid(caller: Caller, *skus: Sku, units: int = 1) -> Any:
    """A group whose money has come."""
    group = placed(caller, *skus, units=units)
    started = {"order_group_id": group["id"], "channel": "sandbox", "token": "tok_ok"}
    payment = done(caller.post("/payments", started), 201)
    capture(Attempt.objects.get(pk=payment["attempts"][0]["id"]))
    deliver_events()
    return done(caller.get(f"/order_groups/{group['id']}"))


def order_of(group: Any, merchant: Merchant) -> Any:
    """The merchant's part of a group."""
    return next(order for order in group["orders"] if order["merchant_id"] == str(merchant.pk))


def shipped(caller: Caller, order_id: str) -> Any:
    """The parcel with all of an order."""
    done(caller.post(f"/orders/{order_id}/acknowledge"))
    done(caller.post(f"/orders/{order_id}/start_packing"))
    parcel = {"order_id": order_id, "carrier": "manual", "tracking_number": fresh("T{}")}
    return done(caller.post("/shipments", parcel), 201)


def group_row(group: Any) -> OrderGroup:
    """The group's row."""
    return OrderGroup.objects.get(pk=group["id"])
