"""What an order that came to nothing had in it goes back into a basket, as far as it can be had."""

from datetime import timedelta

import pytest

from catalog.services import product_unpublish, sku_reprice
from core import clock
from core.errors import Conflict
from inventory.models import StockItem
from orders.models import CartLine, OrderGroup, OrderLine
from orders.services.cancel import order_cancel
from orders.services.cart import cart_line_add, cart_open
from orders.services.expire import order_group_expire
from orders.services.refill import Refill, cart_refill
from tests.factories import TESTER
from tests.factories.story import (
    BUYER,
    make_delivering_merchant,
    make_group,
    make_stocked_sku,
    place,
)

pytestmark = pytest.mark.django_db


def expired(group: OrderGroup) -> OrderGroup:
    clock.advance(timedelta(minutes=31))
    assert order_group_expire(group_id=group.pk, actor=TESTER)
    return group


def refill(group: OrderGroup, cart_id: int | None = None) -> Refill:
    return cart_refill(group_id=group.pk, cart_id=cart_id, actor=BUYER)


def quantities(cart_id: int) -> dict[int, int]:
    return dict(CartLine.objects.filter(cart=cart_id).values_list("sku_id", "quantity"))


def told(filled: Refill) -> dict[str, str]:
    return {problem.code: problem.message for problem in filled.problems}


def test_everything_comes_back_when_it_can_be_had() -> None:
    first, second = make_stocked_sku(), make_stocked_sku()
    filled = refill(expired(place([(first, 2), (second, 1)])))
    assert quantities(filled.cart.pk) == {first.pk: 2, second.pk: 1}
    assert (filled.problems, filled.cart.currency) == ([], "EUR")


def test_what_has_gone_or_changed_is_told_line_by_line() -> None:
    gone, short, dearer = (make_stocked_sku(units=3, price_minor=1000) for _ in range(3))
    group = expired(place([(gone, 1), (short, 3), (dearer, 1)]))
    product_unpublish(product_id=gone.product_id, actor=TESTER)
    place([(short, 1)])
    sku_reprice(sku_id=dearer.pk, price_minor=1200, actor=TESTER)

    filled = refill(group)
    assert quantities(filled.cart.pk) == {short.pk: 2, dearer.pk: 1}
    assert told(filled) == {
        "refill.gone": f"{gone.product.title} is sold out. It is not in your basket",
        "refill.short": f"Only 2 of {short.product.title} left. You had ordered 3",
        "refill.price_changed": f"The price of {dearer.product.title} changed from 10.00 EUR"
        " to 12.00 EUR",
    }
    assert CartLine.objects.get(cart=filled.cart, sku=dearer).seen_price_minor == 1200


def test_doing_it_twice_adds_nothing_and_keeps_the_greater_quantity() -> None:
    sku = make_stocked_sku()
    group = expired(place([(sku, 2)]))
    cart = cart_open(customer=None, actor=BUYER)
    refill(group, cart.pk)
    refill(group, cart.pk)
    assert quantities(cart.pk) == {sku.pk: 2}
    cart_line_add(cart_id=cart.pk, sku_id=sku.pk, quantity=3, actor=BUYER)
    refill(group, cart.pk)
    assert quantities(cart.pk) == {sku.pk: 5}


def test_goods_in_another_currency_than_the_basket_stay_out() -> None:
    yen = make_stocked_sku(make_delivering_merchant("JPY"))
    group = expired(place([(yen, 1)]))
    cart = cart_open(customer=None, actor=BUYER)
    euro = make_stocked_sku()
    cart_line_add(cart_id=cart.pk, sku_id=euro.pk, quantity=1, actor=BUYER)
    assert set(told(refill(group, cart.pk))) == {"line.other_currency"}
    assert quantities(cart.pk) == {euro.pk: 1}


def test_nothing_moves_in_the_stock() -> None:
    group = expired(make_group())
    before = list(StockItem.objects.values_list("on_hand", "reserved"))
    refill(group)
    assert list(StockItem.objects.values_list("on_hand", "reserved")) == before


def test_an_order_that_is_alive_stays_where_it_is() -> None:
    with pytest.raises(Conflict) as refusal:
        refill(make_group())
    assert refusal.value.code == "state.conflict"
    assert not CartLine.objects.filter(cart__placed_group_id=None).exists()


def test_what_was_called_off_before_the_time_was_over_is_not_wanted_back() -> None:
    kept, given_up = make_stocked_sku(), make_stocked_sku()
    group = place([(kept, 3), (given_up, 2)])
    first = OrderLine.objects.get(sku_id=kept.pk)
    order_cancel(order_id=first.order_id, actor=BUYER, reason="", quantities={first.pk: 1})
    other = OrderLine.objects.get(sku_id=given_up.pk)
    order_cancel(order_id=other.order_id, actor=BUYER, reason="")

    filled = refill(expired(group))

    assert quantities(filled.cart.pk) == {kept.pk: 2}
    assert filled.problems == []
