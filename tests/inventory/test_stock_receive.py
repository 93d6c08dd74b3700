from itertools import count
from threading import Barrier, Thread
from typing import Any

import pytest
from django.db import connection

from accounts.models import Merchant
from core.errors import Conflict, Invalid, NotFound
from core.ids import gene
from inventory.models import Location, StockItem, StockMovement
from inventory.services import Receipt, stock_receive, stock_receive_many
from tests.factories import TESTER, fresh, make_merchant, make_sku
from tests.factories.stock import broken_stock_views, counters, make_stock

pytestmark = pytest.mark.django_db


def receive(sku_id: int, quantity: int = 5, key: str = "delivery note 1", **more: Any) -> int:
    return stock_receive(sku_id=sku_id, quantity=quantity, dedup_key=key, actor=TESTER, **more)


def test_what_is_received_is_on_hand_and_in_the_journal() -> None:
    sku = make_sku()

    item = StockItem.objects.get(pk=receive(sku.pk))

    movement = item.movements.get()
    assert counters(item) == (5, 0)
    assert (movement.reason, movement.on_hand_change, movement.reserved_change) == ("receive", 5, 0)
    assert movement.actor == str(TESTER)
    assert item.shard_key == sku.merchant.shard_key == item.id & 4095
    assert broken_stock_views() == {}


def test_a_repeated_receipt_is_quiet() -> None:
    sku = make_sku()

    first, second = receive(sku.pk), receive(sku.pk)

    assert first == second
    assert counters(StockItem.objects.get(pk=first)) == (5, 0)
    assert StockMovement.objects.count() == 1


@pytest.mark.parametrize("change", ["quantity", "sku"])
def test_a_key_that_said_something_else_is_refused(change: str) -> None:
    merchant = make_merchant()
    sku, other = make_sku(merchant), make_sku(merchant)
    item_id = receive(sku.pk)

    with pytest.raises(Conflict, match=r"stock\.key_reused"):
        receive(sku.pk, 6) if change == "quantity" else receive(other.pk)

    assert counters(StockItem.objects.get(pk=item_id)) == (5, 0)


def test_the_keys_of_two_merchants_on_one_shard_do_not_meet() -> None:
    first = make_merchant()
    neighbour_id = next(i for i in count(first.pk + 1) if gene(i) == first.shard_key)
    second = Merchant.objects.create(
        pk=neighbour_id,
        name="Neighbour",
        slug="neighbour",
        currency="EUR",
        country="DE",
        commission_basis_points=0,
    )

    for merchant in (first, second):
        receive(make_sku(merchant, published=False).pk)

    assert list(StockItem.objects.values_list("on_hand", "shard_key")) == [(5, first.shard_key)] * 2


def test_the_first_location_is_made_at_need_and_then_kept() -> None:
    merchant = make_merchant()

    for _ in range(2):
        receive(make_sku(merchant).pk, key=fresh("note-{}"))

    assert list(Location.objects.values_list("merchant_id", "code")) == [(merchant.pk, "main")]


def test_goods_go_to_the_location_that_is_named() -> None:
    sku = make_sku()
    receive(sku.pk)
    annex = Location.objects.create(merchant=sku.merchant, code="annex", name="Annex")

    item_id = receive(sku.pk, key="delivery note 2", location_id=annex.pk)

    assert StockItem.objects.get(pk=item_id).location == annex
    assert StockItem.objects.count() == 2


def test_another_merchants_location_is_unknown() -> None:
    foreign = make_stock().location

    with pytest.raises(NotFound, match=r"location\.unknown"):
        receive(make_sku().pk, location_id=foreign.pk)


def test_an_unknown_article_is_refused() -> None:
    with pytest.raises(NotFound, match=r"sku\.unknown"):
        receive(2**62)

    assert not StockMovement.objects.exists()


@pytest.mark.parametrize("quantity", [0, -1, 1_000_001, 10**9, 2**63])
def test_a_senseless_quantity_is_refused(quantity: int) -> None:
    with pytest.raises(Invalid, match=r"stock\.quantity"):
        receive(make_sku().pk, quantity)


@pytest.mark.parametrize("key", ["", "k" * 101])
def test_a_key_must_have_a_sensible_length(key: str) -> None:
    with pytest.raises(Invalid, match=r"stock\.key"):
        receive(make_sku().pk, key=key)


def test_a_stock_item_holds_a_billion_units_and_no_more() -> None:
    item = make_stock(units=1_000_000)
    StockItem.objects.filter(pk=item.pk).update(on_hand=999_999_999)

    receive(item.sku_id, 1, key="one more")
    with pytest.raises(Conflict, match=r"stock\.too_much"):
        receive(item.sku_id, 1, key="one too many")

    assert counters(item)[0] == 1_000_000_000


def test_many_receipts_take_as_many_queries_as_two(
    django_assert_max_num_queries: Any,
) -> None:
    skus = [make_sku() for _ in range(12)]
    receipts = [Receipt(sku_id=sku.pk, quantity=3, dedup_key="file") for sku in skus]

    with django_assert_max_num_queries(15):
        stock_receive_many(receipts=receipts, actor=TESTER)
    stock_receive_many(receipts=receipts, actor=TESTER)

    assert list(StockItem.objects.values_list("on_hand", "reserved")) == [(3, 0)] * 12
    assert broken_stock_views() == {}


def test_many_receipts_come_in_all_or_none() -> None:
    good = Receipt(sku_id=make_sku().pk, quantity=3, dedup_key="file")
    bad = Receipt(sku_id=2**62, quantity=3, dedup_key="file")

    with pytest.raises(NotFound):
        stock_receive_many(receipts=[good, bad], actor=TESTER)

    assert not StockItem.objects.exists()


def test_two_receipts_of_one_article_add_up() -> None:
    sku = make_sku()
    receipts = [Receipt(sku_id=sku.pk, quantity=3, dedup_key=key) for key in ("a", "b", "b")]

    stock_receive_many(receipts=receipts, actor=TESTER)

    assert counters(StockItem.objects.get()) == (6, 0)


@pytest.mark.django_db(transaction=True)
def test_one_receipt_told_by_eight_at_once_counts_once() -> None:
    sku = make_sku()
    barrier = Barrier(8)

    def tell() -> None:
        barrier.wait()
        receive(sku.pk)
        connection.close()

    threads = [Thread(target=tell) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert counters(StockItem.objects.get()) == (5, 0)
    assert broken_stock_views() == {}
