"""Step 3: what is shown is what is placed, once; and what has changed since is told in words."""

import pytest
from django.test import Client

from catalog.services import sku_reprice
from orders.links import link_path
from orders.models import Cart, CheckoutRecord, OrderGroup
from orders.services.cart import cart_line_remove
from tests.factories import TESTER, make_user
from tests.factories.shopper import answer, cart_of, cost, last_step, order, visitor
from tests.factories.story import BUYER, make_stocked_sku, place
from tests.threads import succeeded, together

pytestmark = pytest.mark.django_db

PAGE = "/checkout/review/"


def test_the_order_is_placed_and_its_pay_page_is_next() -> None:
    client = visitor([(make_stocked_sku(), 2), (make_stocked_sku(), 1)])
    answer(client)
    html = client.get(PAGE).content.decode()
    assert "Place order and pay 40.00 EUR" in html
    assert "Am Kai 1" in html
    response = client.post(PAGE, last_step(client))
    group = OrderGroup.objects.get()
    assert (response.status_code, response["Location"]) == (303, f"{link_path(group)}pay/")
    assert (group.total_minor, group.email) == (4000, "ada@example.com")
    assert group.orders.count() == 2


def test_a_new_basket_begins_after_it() -> None:
    client = visitor()
    order(client)
    assert "cart" not in client.session


def test_a_basket_that_was_begun_since_stays() -> None:
    client = visitor()
    answer(client)
    sent = last_step(client)
    client.post(PAGE, sent)
    newer = cart_of(visitor())
    session = client.session
    session["cart"] = newer.token
    session.save()
    client.post(PAGE, sent)
    assert client.session["cart"] == newer.token


def test_sent_again_it_leads_to_the_same_order() -> None:
    client = visitor()
    answer(client)
    sent = last_step(client)
    answers = [client.post(PAGE, sent) for _ in range(2)]
    assert len({response["Location"] for response in answers}) == 1
    assert OrderGroup.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_pressed_by_eight_hands_at_once_it_is_one_order() -> None:
    client = visitor()
    answer(client)
    sent = last_step(client)
    cookies = client.cookies

    def press() -> str:
        hand = Client()
        hand.cookies = cookies
        return str(hand.post(PAGE, sent)["Location"])

    assert len(set(succeeded(together(*[press] * 8)))) == 1
    assert OrderGroup.objects.count() == 1


def test_sold_out_at_the_last_step_is_told_in_the_catalogues_words() -> None:
    sku = make_stocked_sku(units=1)
    client = visitor([(sku, 1)])
    answer(client)
    sent = last_step(client)
    place([(sku, 1)])
    response = client.post(PAGE, sent)
    html = response.content.decode()
    assert response.status_code == 422
    sentence = f"{sku.product.title} is sold out. Remove it to continue"
    assert f'<a href="#id_line_{sku.pk}">{sentence}</a>' in html
    assert f'id="id_line_{sku.pk}"' in html
    assert "<title>Error:" in html
    assert cart_of(client).placed_group_id is None


def test_a_new_price_is_told_with_the_new_total_and_can_then_be_accepted() -> None:
    sku = make_stocked_sku(price_minor=1000)
    client = visitor([(sku, 1)])
    answer(client)
    sent = last_step(client)
    sku_reprice(sku_id=sku.pk, price_minor=1100, actor=TESTER)
    response = client.post(PAGE, sent)
    html = response.content.decode()
    assert response.status_code == 422
    assert f"The price of {sku.product.title} changed from 10.00 EUR to 11.00 EUR" in html
    assert "The total is now 16.00 EUR. Check it and place the order again" in html
    assert "Place order and pay 16.00 EUR" in html
    assert client.post(PAGE, last_step(client)).status_code == 303
    assert OrderGroup.objects.get().total_minor == 1600


def test_a_total_that_nobody_was_shown_is_refused() -> None:
    client = visitor()
    answer(client)
    for total in ("1", "-5", "x", "9" * 5000, ""):
        assert client.post(PAGE, last_step(client) | {"total_minor": total}).status_code == 422
    assert not OrderGroup.objects.exists()


def test_the_same_sum_in_another_currency_is_another_total() -> None:
    client = visitor()
    answer(client)
    shown = last_step(client)
    assert shown["currency"] == "EUR"
    assert client.post(PAGE, shown | {"currency": "USD"}).status_code == 422
    assert not OrderGroup.objects.exists()
    assert client.post(PAGE, shown).status_code == 303


def test_a_token_of_nobody_places_nothing() -> None:
    for token in ("x" * 22, "", "\0"):
        response = visitor().post(PAGE, {"checkout_token": token, "total_minor": "1500"})
        assert (response.status_code, response["Location"]) == (303, "/basket/")
    assert not OrderGroup.objects.exists()


def test_a_basket_that_was_emptied_meanwhile_leads_back_to_it() -> None:
    sku = make_stocked_sku()
    client = visitor([(sku, 1)])
    answer(client)
    sent = last_step(client)
    cart_line_remove(cart_id=cart_of(client).pk, sku_id=sku.pk, actor=BUYER)
    assert client.post(PAGE, sent)["Location"] == "/basket/"
    for path in ("/checkout/", "/checkout/delivery/", PAGE):
        assert client.get(path)["Location"] == "/basket/"


def test_an_answer_that_is_missing_leads_back_to_its_page() -> None:
    client = visitor()
    answer(client)
    sent = last_step(client)
    CheckoutRecord.objects.update(name="")
    assert client.get(PAGE)["Location"] == "/checkout/"
    assert client.post(PAGE, sent)["Location"] == "/checkout/"
    assert not OrderGroup.objects.exists()


def test_the_basket_of_somebody_else_is_not_to_be_seen() -> None:
    first, second = visitor(), visitor()
    answer(first, line1="Kai 1")
    answer(second, line1="Other 2")
    assert last_step(first)["checkout_token"] != last_step(second)["checkout_token"]
    html = second.get(PAGE).content.decode()
    assert "Other 2" in html
    assert "Kai 1" not in html


def test_looking_places_nothing() -> None:
    client = visitor()
    answer(client)
    for _ in range(2):
        client.get(PAGE, last_step(client))
    assert Cart.objects.filter(placed_group_id=None).count() == 1
    assert not OrderGroup.objects.exists()


def test_nobody_keeps_the_page() -> None:
    client = visitor()
    answer(client)
    assert client.get(PAGE)["Cache-Control"] == "private, no-store"


def test_the_page_keeps_its_budget() -> None:
    client = visitor([(make_stocked_sku(), 1) for _ in range(6)], user=make_user())
    answer(client)
    statements, size = cost(client, PAGE)
    assert statements <= 8
    assert size <= 14 * 1024
