"""Store credit by a request: its proved owner's alone, and once per key."""

from typing import Any

import pytest

from accounts.services import customer_for_user
from orders.models import OrderGroup
from payments.models import Attempt
from payments.selectors import credit_minor
from tests.api.conftest import Caller, Refused, browser, platform_key
from tests.api.walk import done
from tests.factories import make_user, prove_address
from tests.factories.story import issue_credit, make_stocked_sku, place

pytestmark = pytest.mark.django_db


def owner_and_group() -> tuple[Caller, OrderGroup]:
    """Somebody who is logged in, and a group of 15.00 of theirs; they have 12.00 of credit."""
    user, shopper = make_user(), browser()
    prove_address(user)
    shopper.client.force_login(user)
    group = place([(make_stocked_sku(), 1)], customer_for_user(user=user))
    issue_credit(group, 1200)
    return shopper, group


def asked(group: OrderGroup, minor: int) -> dict[str, Any]:
    return {
        "order_group_id": str(group.pk),
        "channel": "sandbox",
        "token": "tok_ok",
        "store_credit_minor": minor,
    }


def left(group: OrderGroup) -> int:
    return credit_minor(
        customer_id=group.customer_id, shard_key=group.shard_key, currency=group.currency
    )


def test_the_owner_spends_it_once_per_key() -> None:
    shopper, group = owner_and_group()
    first = done(shopper.post("/payments", asked(group, 1200), key="a-key-of-the-owner"), 201)
    again = shopper.post("/payments", asked(group, 1200), key="a-key-of-the-owner")
    assert done(again, 201)["id"] == first["id"]
    assert first["amount"]["amount"] == Attempt.objects.get().amount_minor == 300
    assert left(group) == 0


def test_a_program_has_no_store_credit(refused: Refused) -> None:
    _, group = owner_and_group()
    refused(platform_key().post("/payments", asked(group, 1)), 403, "credit-not-yours")
    assert left(group) == 1200


def test_more_than_there_is_changes_nothing(refused: Refused) -> None:
    shopper, group = owner_and_group()
    refused(shopper.post("/payments", asked(group, 1201)), 409, "credit-short")
    refused(shopper.post("/payments", asked(group, 1501)), 422, "credit-amount")
    assert (left(group), Attempt.objects.count()) == (1200, 0)
