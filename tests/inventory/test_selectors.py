from typing import Any

import pytest

from inventory.models import Location
from inventory.selectors import StockOption, available, stock_for
from inventory.services import stock_receive
from tests.factories import TESTER, make_sku
from tests.factories.stock import make_stock, reserve

pytestmark = pytest.mark.django_db


def test_the_option_counts_what_is_neither_sold_nor_reserved() -> None:
    item = make_stock(units=10)
    reserve(item, 3)

    assert stock_for([item.sku_id]) == {
        item.sku_id: StockOption(item.id, item.shard_key, available=7)
    }


def test_the_place_with_the_most_is_chosen() -> None:
    item = make_stock(units=10)
    annex = Location.objects.create(merchant=item.merchant, code="annex", name="Annex")
    annex_item_id = stock_receive(
        sku_id=item.sku_id, quantity=9, dedup_key="van", location_id=annex.pk, actor=TESTER
    )
    assert stock_for([item.sku_id])[item.sku_id].stock_item_id == item.id

    reserve(item, 2)

    assert stock_for([item.sku_id])[item.sku_id].stock_item_id == annex_item_id
    assert available([item.sku_id]) == {item.sku_id: 9}


def test_an_article_without_stock_has_no_option_and_none_available() -> None:
    sku = make_sku()

    assert stock_for([sku.pk]) == {}
    assert available([sku.pk]) == {sku.pk: 0}


def test_many_articles_take_one_query(
    django_assert_num_queries: Any,
) -> None:
    sku_ids = [make_stock().sku_id for _ in range(3)]

    with django_assert_num_queries(1):
        assert len(stock_for(sku_ids)) == 3
