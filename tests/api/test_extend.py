"""More time to pay by a request: offered when it is legal, done once per key, asked for when late."""

from datetime import timedelta
from typing import Any

import pytest

from core import clock
from orders import tasks
from tests.api.conftest import Refused, browser
from tests.api.walk import done, placed
from tests.factories.story import make_stocked_sku

pytestmark = pytest.mark.django_db


def actions_of(group: Any) -> dict[str, str]:
    return {action["name"]: action["href"] for action in group["allowed_actions"]}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Whom the API has asked to expire."""
    ids: list[int] = []
    monkeypatch.setattr(tasks.expire_group, "apply_async", lambda args, **_: ids.extend(args))
    return ids


def test_a_shopper_extends_once_per_key() -> None:
    shopper = browser()
    group = placed(shopper, make_stocked_sku())
    assert "extend" not in actions_of(group)
    clock.advance(timedelta(minutes=26))
    href = actions_of(done(shopper.get(f"/order_groups/{group['id']}")))["extend"]
    assert href == f"/api/v1/order_groups/{group['id']}/extend"
    path = f"/order_groups/{group['id']}/extend"
    later = done(shopper.post(path, key="an-extension-of-1"))["pay_before"]
    again = shopper.post(path, key="an-extension-of-1")
    assert done(again)["pay_before"] == later > group["pay_before"]
    assert again["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize("verb", ["extend", "cancel", "pay"])
def test_a_refusal_for_being_late_asks_for_the_expiry(
    refused: Refused, asked: list[int], verb: str
) -> None:
    shopper = browser()
    group = placed(shopper, make_stocked_sku())
    refused(shopper.post(f"/order_groups/{group['id']}/extend"), 409, "state-conflict")
    assert asked == []
    clock.advance(timedelta(minutes=31))
    sent = {
        "extend": (f"/order_groups/{group['id']}/extend", None),
        "cancel": (f"/order_groups/{group['id']}/cancel", {"reason": "late"}),
        "pay": ("/payments", {"order_group_id": group["id"], "channel": "sandbox"}),
    }[verb]
    refused(shopper.post(*sent), 409, "payment-expired")
    assert asked == [int(group["id"])]
