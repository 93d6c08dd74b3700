"""The basket takes the shop as it is now."""

import pytest

from catalog.services import sku_reprice
from core.errors import Conflict
from orders.models import CartLine
from orders.services.cart import cart_settle
from orders.services.place import order_group_place
from tests.factories import TESTER
from tests.factories.story import BUYER, fill_cart, make_checkout, make_stocked_sku

pytestmark = pytest.mark.django_db


def test_prices_are_seen_and_quantities_cut_to_what_there_is() -> None:
    plenty, few = make_stocked_sku(units=9), make_stocked_sku(units=2)
    basket = fill_cart([(plenty, 3), (few, 5)])
    sku_reprice(sku_id=plenty.pk, price_minor=1500, actor=TESTER)

    changes = cart_settle(cart_id=basket.cart_id, actor=BUYER)

    assert [(change.sku, change.before, change.after) for change in changes] == [(few, 5, 2)]
    rows = CartLine.objects.values_list("sku_id", "quantity", "seen_price_minor")
    assert set(rows) == {(plenty.pk, 3, 1500), (few.pk, 2, 1000)}
    assert cart_settle(cart_id=basket.cart_id, actor=BUYER) == []


def test_what_is_sold_out_is_left_to_the_shopper() -> None:
    basket = fill_cart([(make_stocked_sku(units=0), 4)])

    assert cart_settle(cart_id=basket.cart_id, actor=BUYER) == []
    assert CartLine.objects.get().quantity == 4


def test_a_placed_basket_is_not_touched() -> None:
    basket = fill_cart([(make_stocked_sku(), 1)])
    order_group_place(cart_id=basket.cart_id, checkout=make_checkout(basket), actor=BUYER)

    with pytest.raises(Conflict):
        cart_settle(cart_id=basket.cart_id, actor=BUYER)
