"""The cart: what may go in, what is refused, and whose it is after login."""

import pytest

from catalog.services import product_unpublish
from core.errors import Conflict, DomainError, Invalid, NotFound
from orders.models import Cart, CartLine, CheckoutRecord
from orders.services.cart import (
    cart_identify,
    cart_line_add,
    cart_line_remove,
    cart_line_set,
    cart_merge,
    cart_open,
)
from orders.services.checkout import checkout_update
from orders.services.place import order_group_place
from tests.factories import TESTER, make_customer, make_sku
from tests.factories.story import (
    BUYER,
    fill_cart,
    make_checkout,
    make_delivering_merchant,
    make_stocked_sku,
)

pytestmark = pytest.mark.django_db


def guest_cart() -> Cart:
    return cart_open(customer=None, actor=BUYER)


def quantities(cart: Cart) -> dict[int, int]:
    return dict(CartLine.objects.filter(cart=cart).values_list("sku_id", "quantity"))


def test_adding_the_same_sku_twice_adds_up() -> None:
    cart, sku = guest_cart(), make_sku()
    cart_line_add(cart_id=cart.pk, sku_id=sku.pk, quantity=2, actor=BUYER)
    cart_line_add(cart_id=cart.pk, sku_id=sku.pk, quantity=3, actor=BUYER)
    assert quantities(cart) == {sku.pk: 5}


def test_a_customer_keeps_one_open_cart() -> None:
    customer = make_customer()
    first = cart_open(customer=customer, actor=BUYER)
    assert cart_open(customer=customer, actor=BUYER).pk == first.pk


@pytest.mark.parametrize("quantity", [0, -1, 1000, 10**9, 2**63, "2", 1.5, None])
def test_a_quantity_that_is_no_sensible_number_is_refused(quantity: object) -> None:
    cart, sku = guest_cart(), make_sku()
    with pytest.raises(Invalid) as refusal:
        cart_line_add(cart_id=cart.pk, sku_id=sku.pk, quantity=quantity, actor=BUYER)  # type: ignore[arg-type]
    assert refusal.value.code == "line.quantity"
    assert quantities(cart) == {}


def test_units_of_two_adds_may_not_pass_the_limit_together() -> None:
    cart, sku = guest_cart(), make_sku()
    cart_line_add(cart_id=cart.pk, sku_id=sku.pk, quantity=999, actor=BUYER)
    with pytest.raises(Invalid):
        cart_line_add(cart_id=cart.pk, sku_id=sku.pk, quantity=1, actor=BUYER)
    assert quantities(cart) == {sku.pk: 999}


@pytest.mark.parametrize("sku_id", [0, -1, 10**9, 2**62])
def test_an_unknown_sku_is_refused(sku_id: int) -> None:
    with pytest.raises(NotFound) as refusal:
        cart_line_add(cart_id=guest_cart().pk, sku_id=sku_id, quantity=1, actor=BUYER)
    assert refusal.value.code == "sku.unknown"


def test_an_unknown_cart_is_refused() -> None:
    with pytest.raises(NotFound):
        cart_line_add(cart_id=10**9, sku_id=make_sku().pk, quantity=1, actor=BUYER)


def test_what_is_not_on_sale_is_refused() -> None:
    sku = make_sku(published=False)
    with pytest.raises(Invalid) as refusal:
        cart_line_add(cart_id=guest_cart().pk, sku_id=sku.pk, quantity=1, actor=BUYER)
    assert refusal.value.code == "line.unavailable"


def test_a_second_currency_is_refused_by_name() -> None:
    cart = guest_cart()
    euro, dollar = (
        make_sku(make_delivering_merchant("EUR")),
        make_sku(make_delivering_merchant("USD")),
    )
    cart_line_add(cart_id=cart.pk, sku_id=euro.pk, quantity=1, actor=BUYER)
    with pytest.raises(Invalid) as refusal:
        cart_line_add(cart_id=cart.pk, sku_id=dollar.pk, quantity=1, actor=BUYER)
    assert refusal.value.code == "line.currency"
    assert quantities(cart) == {euro.pk: 1}


def test_an_emptied_cart_takes_another_currency() -> None:
    cart, euro = guest_cart(), make_sku(make_delivering_merchant("EUR"))
    dollar = make_sku(make_delivering_merchant("USD"))
    cart_line_add(cart_id=cart.pk, sku_id=euro.pk, quantity=1, actor=BUYER)
    cart_line_remove(cart_id=cart.pk, sku_id=euro.pk, actor=BUYER)
    cart_line_add(cart_id=cart.pk, sku_id=dollar.pk, quantity=1, actor=BUYER)
    assert quantities(cart) == {dollar.pk: 1}


def test_removing_what_is_gone_is_quiet() -> None:
    cart_line_remove(cart_id=guest_cart().pk, sku_id=5, actor=BUYER)


def test_setting_replaces_the_quantity() -> None:
    cart, sku = guest_cart(), make_sku()
    cart_line_add(cart_id=cart.pk, sku_id=sku.pk, quantity=2, actor=BUYER)
    cart_line_set(cart_id=cart.pk, sku_id=sku.pk, quantity=7, actor=BUYER)
    assert quantities(cart) == {sku.pk: 7}
    with pytest.raises(Invalid):
        cart_line_set(cart_id=cart.pk, sku_id=sku.pk, quantity=0, actor=BUYER)
    with pytest.raises(NotFound):
        cart_line_set(cart_id=cart.pk, sku_id=sku.pk + 1, quantity=1, actor=BUYER)


def test_a_placed_cart_takes_nothing_more() -> None:
    sku = make_stocked_sku()
    basket = fill_cart([(sku, 1)])
    order_group_place(cart_id=basket.cart_id, checkout=make_checkout(basket), actor=BUYER)
    with pytest.raises(Conflict) as refusal:
        cart_line_add(cart_id=basket.cart_id, sku_id=sku.pk, quantity=1, actor=BUYER)
    assert refusal.value.code == "cart.placed"


def test_identifying_routes_to_one_customer_per_address() -> None:
    first, second = guest_cart(), guest_cart()
    one = cart_identify(cart_id=first.pk, email="Ada@Example.com", name="Ada", actor=BUYER)
    two = cart_identify(cart_id=second.pk, email="ada@example.com", name="", actor=BUYER)
    assert one.customer == two.customer


def test_login_gives_a_guest_cart_to_a_customer_without_one() -> None:
    guest, customer, sku = guest_cart(), make_customer(), make_sku()
    cart_line_add(cart_id=guest.pk, sku_id=sku.pk, quantity=1, actor=BUYER)
    merged = cart_merge(guest_cart_id=guest.pk, customer=customer, actor=BUYER)
    assert merged.pk == guest.pk
    assert Cart.objects.get(pk=guest.pk).customer == customer


def test_login_merges_lines_and_keeps_the_greater_quantity() -> None:
    customer, merchant = make_customer(), make_delivering_merchant()
    both, only_guest = make_sku(merchant), make_sku(merchant)
    own, guest = cart_open(customer=customer, actor=BUYER), guest_cart()
    cart_line_add(cart_id=own.pk, sku_id=both.pk, quantity=2, actor=BUYER)
    cart_line_add(cart_id=guest.pk, sku_id=both.pk, quantity=5, actor=BUYER)
    cart_line_add(cart_id=guest.pk, sku_id=only_guest.pk, quantity=1, actor=BUYER)
    merged = cart_merge(guest_cart_id=guest.pk, customer=customer, actor=BUYER)
    assert merged.pk == own.pk
    assert quantities(own) == {both.pk: 5, only_guest.pk: 1}
    assert quantities(guest) == {}


def test_after_the_login_the_order_is_not_for_whom_the_guest_had_named() -> None:
    customer, guest = make_customer(), guest_cart()
    cart_line_add(cart_id=guest.pk, sku_id=make_sku().pk, quantity=1, actor=BUYER)
    checkout_update(
        cart_id=guest.pk, answers={"email": "other@example.com", "name": "Ada"}, actor=BUYER
    )
    merged = cart_merge(guest_cart_id=guest.pk, customer=customer, actor=BUYER)
    record = CheckoutRecord.objects.get(cart=merged)
    assert (record.email, record.name) == ("", "Ada")


def test_login_leaves_another_currency_behind() -> None:
    customer = make_customer()
    own, guest = cart_open(customer=customer, actor=BUYER), guest_cart()
    euro = make_sku(make_delivering_merchant("EUR"))
    dollar = make_sku(make_delivering_merchant("USD"))
    cart_line_add(cart_id=own.pk, sku_id=euro.pk, quantity=1, actor=BUYER)
    cart_line_add(cart_id=guest.pk, sku_id=dollar.pk, quantity=1, actor=BUYER)
    cart_merge(guest_cart_id=guest.pk, customer=customer, actor=BUYER)
    assert quantities(own) == {euro.pk: 1}
    assert quantities(guest) == {dollar.pk: 1}


def test_nobody_takes_another_customers_cart() -> None:
    other = cart_open(customer=make_customer(), actor=BUYER)
    with pytest.raises(DomainError):
        cart_merge(guest_cart_id=other.pk, customer=make_customer(), actor=BUYER)


def test_a_product_that_left_the_shop_stays_out() -> None:
    sku = make_sku()
    product_unpublish(product_id=sku.product_id, actor=TESTER)
    with pytest.raises(Invalid):
        cart_line_add(cart_id=guest_cart().pk, sku_id=sku.pk, quantity=1, actor=BUYER)
