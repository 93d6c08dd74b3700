"""Merchants: created by the platform, activated, suspended; imported in bulk."""

from typing import Any

import pytest
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext

from accounts.actors import Actor, Role, system
from accounts.models import Merchant
from accounts.permissions import merchant_actor
from accounts.services import (
    NewMerchant,
    merchant_activate,
    merchant_create,
    merchant_suspend,
    merchants_import,
)
from core.errors import Conflict, Denied, Invalid, NotFound
from core.ids import gene
from core.models import OutboxEvent
from tests.factories import make_merchant

pytestmark = pytest.mark.django_db

STAFF = Actor(Role.STAFF, "1")
BUYER = Actor(Role.BUYER, "1")


def new(**fields: Any) -> NewMerchant:
    given = {
        "name": "Tea House",
        "slug": "tea-house",
        "currency": "EUR",
        "country": "DE",
        "commission_basis_points": 1250,
        **fields,
    }
    return NewMerchant(**given)


def events() -> list[str]:
    return list(OutboxEvent.objects.order_by("stream_id", "seq").values_list("type", flat=True))


def test_a_merchant_begins_in_onboarding_with_a_return_window_of_14_days() -> None:
    merchant = merchant_create(merchant=new(), actor=STAFF)

    merchant.refresh_from_db()
    assert merchant.state == Merchant.State.ONBOARDING
    assert merchant.return_window_days == 14
    assert merchant.pay_within_minutes is None
    assert merchant.shard_key == gene(merchant.pk)


def test_every_step_of_a_merchant_leaves_an_event_with_its_actor() -> None:
    merchant = merchant_create(merchant=new(), actor=STAFF)
    merchant_activate(merchant_id=merchant.pk, actor=STAFF)
    merchant_suspend(merchant_id=merchant.pk, actor=system("fraud"), reason="stolen cards")

    assert events() == ["merchant.created", "merchant.activated", "merchant.suspended"]
    last = OutboxEvent.objects.get(type="merchant.suspended")
    assert last.shard_key == merchant.shard_key
    assert last.payload == {
        "merchant_id": str(merchant.pk),
        "actor": "system:fraud",
        "reason": "stolen cards",
    }


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "Tea\0House"),
        ("slug", "Tea House"),
        ("slug", ""),
        ("currency", "EUX"),
        ("currency", "eur"),
        ("country", "Germany"),
        ("country", "de"),
        ("commission_basis_points", -1),
        ("commission_basis_points", 10_001),
        ("return_window_days", -1),
        ("return_window_days", 366),
        ("pay_within_minutes", 20),
    ],
)
def test_a_field_out_of_bounds_is_refused_by_its_name(field: str, value: object) -> None:
    with pytest.raises(Invalid) as refusal:
        merchant_create(merchant=new(**{field: value}), actor=STAFF)

    assert refusal.value.code == "merchant.invalid"
    assert list(refusal.value.facts["fields"]) == [field]
    assert not Merchant.objects.exists()
    assert not OutboxEvent.objects.exists()


@pytest.mark.parametrize(
    "fields",
    [
        {"commission_basis_points": 10_001},
        {"commission_basis_points": -1},
        {"return_window_days": 366},
        {"pay_within_minutes": 20},
        {"state": "asleep"},
    ],
)
def test_the_database_refuses_the_same(fields: dict[str, Any]) -> None:
    merchant = make_merchant()

    with pytest.raises(IntegrityError):
        Merchant.objects.filter(pk=merchant.pk).update(**fields)


def test_a_slug_is_taken_once() -> None:
    merchant_create(merchant=new(), actor=STAFF)

    with pytest.raises(Conflict) as refusal:
        merchant_create(merchant=new(name="Another"), actor=STAFF)

    assert refusal.value.code == "merchant.slug_taken"
    assert events() == ["merchant.created"]


@pytest.mark.parametrize("actor", [BUYER, merchant_actor(merchant_id=1, user_id=1)])
def test_only_the_platform_makes_and_moves_merchants(actor: Actor) -> None:
    merchant = make_merchant()

    with pytest.raises(Denied):
        merchant_create(merchant=new(), actor=actor)
    with pytest.raises(Denied):
        merchants_import(merchants=[new()], actor=actor)
    with pytest.raises(Denied):
        merchant_suspend(merchant_id=merchant.pk, actor=actor)
    with pytest.raises(Denied):
        merchant_activate(merchant_id=merchant.pk, actor=actor)


def test_suspending_and_activating_undo_each_other_and_repeat_quietly() -> None:
    merchant = make_merchant()
    before = events()

    for service in (merchant_suspend, merchant_suspend, merchant_activate, merchant_activate):
        service(merchant_id=merchant.pk, actor=STAFF)

    assert Merchant.objects.get() == merchant
    assert Merchant.objects.get().state == Merchant.State.ACTIVE
    assert events() == [*before, "merchant.suspended", "merchant.activated"]


@pytest.mark.parametrize(
    ("state", "service"),
    [
        (Merchant.State.ONBOARDING, merchant_suspend),
        (Merchant.State.CLOSED, merchant_suspend),
        (Merchant.State.CLOSED, merchant_activate),
    ],
)
def test_a_step_out_of_the_wrong_state_is_refused(state: str, service: Any) -> None:
    merchant = make_merchant()
    Merchant.objects.update(state=state)

    with pytest.raises(Conflict) as refusal:
        service(merchant_id=merchant.pk, actor=STAFF)

    assert refusal.value.facts == {"id": str(merchant.pk), "state": state}
    assert Merchant.objects.get().state == state


@pytest.mark.parametrize("merchant_id", [0, -1, 10**30])
def test_an_unknown_merchant_is_not_found(merchant_id: int) -> None:
    with pytest.raises(NotFound):
        merchant_activate(merchant_id=merchant_id, actor=STAFF)


def test_an_import_makes_active_merchants_once_and_answers_in_order() -> None:
    first = merchants_import(merchants=[new(slug="b"), new(slug="a")], actor=STAFF)
    again = merchants_import(
        merchants=[new(slug="a", name="Other"), new(slug="c"), new(slug="b")], actor=STAFF
    )

    assert [merchant.slug for merchant in first] == ["b", "a"]
    assert [merchant.slug for merchant in again] == ["a", "c", "b"]
    assert again[2] == first[0]
    assert {merchant.state for merchant in Merchant.objects.all()} == {"active"}
    assert not Merchant.objects.filter(name="Other").exists()
    assert events() == ["merchant.created", "merchant.activated"] * 3


def test_an_import_is_all_or_nothing() -> None:
    with pytest.raises(Invalid):
        merchants_import(merchants=[new(slug="a"), new(slug="b", currency="")], actor=STAFF)
    with pytest.raises(Conflict):
        merchants_import(merchants=[new(slug="a"), new(slug="a")], actor=STAFF)
    with pytest.raises(Invalid):
        merchants_import(merchants=[new(slug=f"m{n}") for n in range(1001)], actor=STAFF)

    assert not Merchant.objects.exists()


def test_an_import_takes_the_same_statements_however_many_there_are() -> None:
    def statements(slugs: list[str]) -> int:
        with CaptureQueriesContext(connection) as queries:
            merchants_import(merchants=[new(slug=slug) for slug in slugs], actor=STAFF)
        return len(queries)

    assert statements(["few"]) == statements([f"many-{n}" for n in range(200)])
