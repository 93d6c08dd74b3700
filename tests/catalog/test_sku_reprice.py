"""Prices: per SKU, in the currency of its merchant."""

from typing import Any

import pytest

from accounts.actors import Actor, Role
from accounts.permissions import merchant_actor
from catalog.models import Sku
from catalog.services import sku_reprice
from core.errors import Invalid, NotFound
from core.ids import gene
from core.models import OutboxEvent
from tests.factories import make_merchant, make_sku

pytestmark = pytest.mark.django_db

STAFF = Actor(Role.STAFF, "1")


def test_a_new_price_tells_the_old_one_in_the_products_stream() -> None:
    sku = make_sku(price_minor=1000)

    sku_reprice(sku_id=sku.pk, price_minor=950, actor=STAFF)

    assert Sku.objects.get().price_minor == 950
    event = OutboxEvent.objects.select_related("stream").get(type="sku.repriced")
    assert (event.stream.aggregate_type, event.stream.aggregate_id) == ("product", sku.product_id)
    assert event.shard_key == gene(sku.product_id)
    assert event.payload == {
        "product_id": str(sku.product_id),
        "merchant_id": str(sku.merchant_id),
        "sku_id": str(sku.pk),
        "actor": "staff:1",
        "currency": "EUR",
        "price_minor": 950,
        "previous_minor": 1000,
    }


def test_the_price_that_it_has_already_is_quiet() -> None:
    sku = make_sku(price_minor=1000)

    sku_reprice(sku_id=sku.pk, price_minor=1000, actor=STAFF)

    assert not OutboxEvent.objects.filter(type="sku.repriced").exists()


def test_repricing_there_and_back_leaves_the_price() -> None:
    sku = make_sku(price_minor=1000)

    for price_minor in (10**12, 1000):
        sku_reprice(sku_id=sku.pk, price_minor=price_minor, actor=STAFF)

    assert Sku.objects.get().price_minor == 1000
    assert OutboxEvent.objects.filter(type="sku.repriced").count() == 2


@pytest.mark.parametrize("price_minor", [0, -1, 10**12 + 1, 10**30, 9.5, "950", True, None])
def test_a_price_out_of_bounds_changes_nothing(price_minor: Any) -> None:
    sku = make_sku(price_minor=1000)

    with pytest.raises(Invalid) as refusal:
        sku_reprice(sku_id=sku.pk, price_minor=price_minor, actor=STAFF)

    assert refusal.value.code == "sku.price"
    assert Sku.objects.get().price_minor == 1000


@pytest.mark.parametrize("sku_id", [0, 10**30])
def test_an_unknown_sku_is_not_found(sku_id: int) -> None:
    with pytest.raises(NotFound) as refusal:
        sku_reprice(sku_id=sku_id, price_minor=1, actor=STAFF)

    assert refusal.value.code == "sku.unknown"


def test_another_merchants_sku_is_not_found() -> None:
    sku = make_sku(price_minor=1000)
    other = merchant_actor(merchant_id=make_merchant().pk, user_id=1)
    own = merchant_actor(merchant_id=sku.merchant_id, user_id=1)

    with pytest.raises(NotFound) as refusal:
        sku_reprice(sku_id=sku.pk, price_minor=1, actor=other)
    assert refusal.value.code == "sku.unknown"

    assert sku_reprice(sku_id=sku.pk, price_minor=1, actor=own).price_minor == 1
