"""The first page, and the frame that it shares with all others."""

from typing import Any

import pytest
from django.test import Client

from accounts.actors import Actor, Role
from accounts.services import merchant_suspend
from catalog.services import category_create
from tests.factories import make_merchant, make_product, make_user
from tests.factories.story import make_stocked_sku
from tests.shop.pages import PASSWORD, add, gzipped_bytes, log_in, text_of

pytestmark = pytest.mark.django_db

STAFF = Actor(Role.STAFF, "1")


def test_it_shows_categories_merchants_and_what_is_new(client: Client) -> None:
    home = category_create(name="Home", slug="home", actor=STAFF)
    category_create(name="Kitchen", slug="kitchen", parent_id=home.pk, actor=STAFF)
    merchant = make_merchant(name="Harbour Tea")
    make_product(merchant, title="Earl Grey")
    make_product(title="Secret", published=False)

    page = client.get("/")

    words = text_of(page)
    assert page.status_code == 200
    assert "Harbour Tea" in words
    assert "Earl Grey" in words
    assert "10.00 EUR" in words
    assert "Secret" not in words
    assert 'href="/c/home/"' in page.content.decode()
    assert 'href="/c/kitchen/"' not in page.content.decode()


def test_a_suspended_merchant_and_its_goods_are_not_on_it(client: Client) -> None:
    product = make_product(make_merchant(name="Shady"), title="Lamp")
    merchant_suspend(merchant_id=product.merchant_id, actor=STAFF)

    words = text_of(client.get("/"))

    assert "Shady" not in words
    assert "Lamp" not in words


def test_its_lists_are_read_once_a_minute(client: Client, django_assert_num_queries: Any) -> None:
    for _ in range(20):
        make_product()
    with django_assert_num_queries(5):
        client.get("/")
    with django_assert_num_queries(0):
        client.get("/")


def test_a_shopper_with_a_basket_costs_two_queries_more(
    client: Client, django_assert_max_num_queries: Any
) -> None:
    client.get("/")
    add(client, make_stocked_sku(), 3)

    with django_assert_max_num_queries(2):
        page = client.get("/")

    assert "Basket 3 items" in text_of(page)


def test_a_full_page_travels_in_twenty_kilobytes(client: Client) -> None:
    merchants = [make_merchant(name=f"The Merchant Number {n}") for n in range(10)]
    for number in range(30):
        make_product(merchants[number % 10], title=f"A product with a title, number {number}")

    assert gzipped_bytes(client.get("/").content) <= 20_000


def test_the_frame_leads_past_itself_and_names_its_language(client: Client) -> None:
    page = client.get("/").content.decode()

    assert '<html lang="en">' in page
    assert page.index('href="#main"') < page.index("<header")
    assert page.count("<h1") == 1
    assert page.count('<main id="main"') == 1
    assert "<script" not in page
    assert "style=" not in page


def test_who_is_logged_in_finds_the_account(client: Client) -> None:
    assert 'href="/account/login/"' in client.get("/").content.decode()

    log_in(client, make_user(password=PASSWORD))

    page = client.get("/").content.decode()
    assert 'href="/account/"' in page
    assert 'href="/account/login/"' not in page
