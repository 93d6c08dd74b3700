"""The basket: what it shows, what changes it, and whose it is."""

from typing import Any

import pytest
from django.test import Client

from catalog.models import Sku
from catalog.services import product_unpublish, sku_reprice
from delivery.models import DeliveryMethod
from inventory.models import StockItem
from inventory.services import stock_adjust
from orders.models import Cart, CartLine
from orders.services.cart import cart_identify
from tests.factories import TESTER, fresh, make_customer, make_user
from tests.factories.story import BUYER, make_delivering_merchant, make_stocked_sku, place
from tests.shop.pages import PASSWORD, add, gzipped_bytes, log_in, text_of

pytestmark = pytest.mark.django_db


def leave(sku: Sku, units: int) -> None:
    """So many units are left of it."""
    item = StockItem.objects.get(sku_id=sku.pk)
    stock_adjust(
        stock_item_id=item.pk,
        change=units - item.on_hand,
        reason_note="broken",
        dedup_key=fresh("break-{}"),
        actor=TESTER,
    )


def quantities() -> dict[int, int]:
    return dict(CartLine.objects.values_list("sku_id", "quantity"))


def test_an_empty_basket_leads_back_into_the_shop(client: Client) -> None:
    page = client.get("/basket/")

    assert "There is nothing in it yet" in text_of(page)
    assert "Checkout" not in text_of(page)
    assert not Cart.objects.exists()


def test_it_is_grouped_by_merchant_with_delivery_and_one_total(client: Client) -> None:
    tea = make_delivering_merchant(name="Harbour Tea")
    knits = make_delivering_merchant(name="Nordlys")
    for sku, quantity in ((make_stocked_sku(tea), 2), (make_stocked_sku(tea), 1)):
        add(client, sku, quantity)
    add(client, make_stocked_sku(knits, price_minor=2500), 1)

    page = client.get("/basket/")

    words = text_of(page)
    first, second = words.index("Harbour Tea"), words.index("Nordlys")
    assert "Goods, incl. tax 30.00 EUR Delivery, Standard 5.00 EUR" in words[first:second]
    assert "Goods, incl. tax 25.00 EUR Delivery, Standard 5.00 EUR" in words[second:]
    assert "Goods 55.00 EUR Delivery 10.00 EUR Estimate 65.00 EUR" in words
    assert words.count("Checkout") == 2
    assert page["Cache-Control"].count("no-store") == 1


def test_delivery_that_has_no_price_yet_is_told_at_the_checkout(client: Client) -> None:
    sku = make_stocked_sku()
    add(client, sku)
    DeliveryMethod.objects.update(kind="quoted")

    words = text_of(client.get("/basket/"))

    assert "Delivery at the checkout" in words
    assert "Estimate 10.00 EUR" in words


def test_the_quantity_is_set_and_a_wrong_one_refused_with_a_summary(client: Client) -> None:
    sku = make_stocked_sku()
    add(client, sku)

    assert client.post(f"/basket/{sku.pk}/", {"quantity": "7"}).status_code == 303
    assert quantities() == {sku.pk: 7}

    page = client.post(f"/basket/{sku.pk}/", {"quantity": "lots"})
    assert page.status_code == 422
    assert "<title>Error: " in page.content.decode()
    assert "There is a problem Enter a whole number of units from 1 to 999." in text_of(page)
    assert quantities() == {sku.pk: 7}


def test_a_line_is_removed_and_put_back(client: Client) -> None:
    sku = make_stocked_sku()
    add(client, sku, 3)

    answer = client.post(f"/basket/{sku.pk}/remove/")
    assert quantities() == {}
    page = client.get(answer["Location"])
    assert f"{sku.product.title} was removed. Put it back" in text_of(page)
    assert "was removed" not in text_of(client.get("/basket/"))

    back = client.post(f"/basket/{sku.pk}/put-back/", {"quantity": "3"})
    assert back.status_code == 303
    assert quantities() == {sku.pk: 3}


@pytest.mark.parametrize("query", ["removed=x", "removed=99999", "removed=", "quantity=2"])
def test_nothing_is_offered_back_that_nobody_sells(client: Client, query: str) -> None:
    assert "was removed" not in text_of(client.get(f"/basket/?{query}"))


def test_what_can_not_be_put_back_is_refused_in_words(client: Client) -> None:
    sku = make_stocked_sku()
    add(client, sku)
    client.post(f"/basket/{sku.pk}/remove/")
    product_unpublish(product_id=sku.product_id, actor=TESTER)

    page = client.post(f"/basket/{sku.pk}/put-back/", {"quantity": "1"})

    assert page.status_code == 422
    assert "This is not on sale." in text_of(page)


def test_a_changed_price_is_told_until_the_basket_is_updated(client: Client) -> None:
    sku = make_stocked_sku()
    add(client, sku)
    sku_reprice(sku_id=sku.pk, price_minor=1250, actor=TESTER)
    told = (
        f"The price of {sku.product.title} changed from 10.00 EUR to 12.50 EUR"
        " since you added it. Check the new total before you continue"
    )

    words = text_of(client.get("/basket/"))
    assert told in words
    assert "Estimate 17.50 EUR" in words
    assert "Checkout" in words

    assert client.post("/basket/settle/").status_code == 303
    assert told not in text_of(client.get("/basket/"))


def test_short_stock_is_told_and_cut_only_when_the_shopper_says_so(client: Client) -> None:
    sku = make_stocked_sku(units=9)
    add(client, sku, 8)
    leave(sku, 3)

    words = text_of(client.get("/basket/"))
    assert f"Only 3 of {sku.product.title} left" in words
    assert "Checkout" not in words
    assert quantities() == {sku.pk: 8}

    page = client.post("/basket/settle/", follow=True)
    assert quantities() == {sku.pk: 3}
    assert "We have changed your quantity from 8 to 3." in text_of(page)
    assert "Checkout" in text_of(page)


@pytest.mark.parametrize("why", ["sold out", "unpublished"])
def test_what_is_gone_is_told_costs_nothing_and_can_be_removed(client: Client, why: str) -> None:
    there, gone = make_stocked_sku(), make_stocked_sku()
    add(client, there)
    add(client, gone)
    if why == "sold out":
        leave(gone, 0)
    else:
        product_unpublish(product_id=gone.product_id, actor=TESTER)

    words = text_of(client.get("/basket/"))
    assert f"{gone.product.title} is sold out. Remove it to continue" in words
    assert "Checkout" not in words
    assert "Goods 10.00 EUR" in words
    client.post("/basket/settle/")
    assert quantities() == {there.pk: 1, gone.pk: 1}

    assert client.post(f"/basket/{gone.pk}/remove/").status_code == 303
    assert quantities() == {there.pk: 1}
    assert "Checkout" in text_of(client.get("/basket/"))


def test_others_see_and_change_nothing_of_it() -> None:
    shopper, stranger = Client(), Client()
    sku = make_stocked_sku()
    add(shopper, sku)
    paths = (f"/basket/{sku.pk}/", f"/basket/{sku.pk}/remove/", "/basket/settle/")

    assert "There is nothing in it yet" in text_of(stranger.get("/basket/"))
    for path in paths:
        assert stranger.post(path, {"quantity": "5"}).status_code == 404
    assert quantities() == {sku.pk: 1}


def test_a_stranger_with_a_basket_changes_only_that() -> None:
    shopper, stranger = Client(), Client()
    sku, other = make_stocked_sku(), make_stocked_sku()
    add(shopper, sku)
    add(stranger, other)

    stranger.post(f"/basket/{sku.pk}/", {"quantity": "5"})
    stranger.post(f"/basket/{sku.pk}/remove/")

    assert quantities() == {sku.pk: 1, other.pk: 1}


@pytest.mark.parametrize("path", ["", "remove/", "put-back/"])
def test_a_get_changes_nothing(client: Client, path: str) -> None:
    sku = make_stocked_sku()
    add(client, sku)

    assert client.get(f"/basket/{sku.pk}/{path}").status_code == 405
    assert client.get("/basket/settle/").status_code == 405
    assert quantities() == {sku.pk: 1}


def test_a_placed_basket_is_no_basket_any_more(client: Client) -> None:
    sku = make_stocked_sku()
    add(client, sku)
    group = place([(make_stocked_sku(), 1)])
    Cart.objects.filter(token=client.session["cart"]).update(placed_group_id=group.pk)

    assert "There is nothing in it yet" in text_of(client.get("/basket/"))
    add(client, sku, 2)
    assert "20.00 EUR" in text_of(client.get("/basket/"))


def test_login_brings_the_guests_goods_along(client: Client) -> None:
    user = make_user(password=PASSWORD)
    sku, other = make_stocked_sku(), make_stocked_sku()
    elsewhere = Client()
    log_in(elsewhere, user)
    add(elsewhere, other)
    add(client, sku, 2)

    log_in(client, user)

    for place_of in (client, elsewhere):
        words = text_of(place_of.get("/basket/"))
        assert sku.product.title in words
        assert other.product.title in words
    client.post("/account/logout/")
    assert "There is nothing in it yet" in text_of(client.get("/basket/"))


def test_login_keeps_goods_of_another_currency_in_view(client: Client) -> None:
    user = make_user(password=PASSWORD)
    euro, yen = make_stocked_sku(), make_stocked_sku(make_delivering_merchant("JPY"))
    elsewhere = Client()
    log_in(elsewhere, user)
    add(elsewhere, euro)
    add(client, yen)

    log_in(client, user)

    assert yen.product.title in text_of(client.get("/basket/"))
    assert euro.product.title in text_of(elsewhere.get("/basket/"))
    Cart.objects.filter(currency="JPY").update(placed_group_id=1)
    assert euro.product.title in text_of(client.get("/basket/"))


def test_an_empty_guest_basket_does_not_hide_the_logins_own(client: Client) -> None:
    user = make_user(password=PASSWORD)
    sku, other = make_stocked_sku(), make_stocked_sku()
    elsewhere = Client()
    log_in(elsewhere, user)
    add(elsewhere, sku)
    add(client, other)
    client.post(f"/basket/{other.pk}/remove/")

    log_in(client, user)

    assert sku.product.title in text_of(client.get("/basket/"))


def test_naming_an_address_gives_nobody_a_basket_of_its_owner() -> None:
    """A guest who names a customer's address keeps the token: the customer must not fall into it."""
    user = make_user(password=PASSWORD)
    guest, owner = Client(), Client()
    sku = make_stocked_sku()
    add(guest, sku)
    cart_identify(cart_id=Cart.objects.get().pk, email=user.email, name="X", actor=BUYER)

    log_in(owner, user)

    assert "There is nothing in it yet" in text_of(owner.get("/basket/"))
    add(owner, make_stocked_sku())
    assert Cart.objects.count() == 2
    assert sku.product.title in text_of(guest.get("/basket/"))


def test_a_login_that_names_another_address_keeps_its_basket_by_the_session(
    client: Client,
) -> None:
    log_in(client, make_user(password=PASSWORD))
    add(client, make_stocked_sku())
    cart = Cart.objects.get()
    other = make_customer()

    cart_identify(cart_id=cart.pk, email=other.email, name="X", actor=BUYER)

    assert Cart.objects.get().guest
    assert "10.00 EUR" in text_of(client.get("/basket/"))


def test_the_text_of_a_title_is_shown_as_text(client: Client) -> None:
    sku = make_stocked_sku()
    sku.product.title = "<b>Mug</b>"
    sku.product.save()
    add(client, sku)

    assert "<b>Mug" not in client.get("/basket/").content.decode()


def test_it_keeps_its_limits(client: Client, django_assert_max_num_queries: Any) -> None:
    merchants = [make_delivering_merchant() for _ in range(3)]
    log_in(client, make_user(password=PASSWORD))
    for number in range(12):
        add(client, make_stocked_sku(merchants[number % 3]))
    removed = make_stocked_sku()
    add(client, removed)
    answer = client.post(f"/basket/{removed.pk}/remove/")
    client.get("/")

    with django_assert_max_num_queries(7):
        page = client.get(answer["Location"])

    assert "was removed" in text_of(page)
    assert gzipped_bytes(page.content) <= 14_000
