"""The page of a product, and its button."""

from typing import Any

import pytest
from django.test import Client

from catalog.services import product_unpublish
from inventory.services import stock_receive
from orders.models import Cart, CartLine
from tests.factories import TESTER, make_product, make_user, new_sku
from tests.factories.story import make_delivering_merchant, make_stocked_sku
from tests.shop.pages import PASSWORD, add, gzipped_bytes, log_in, text_of

pytestmark = pytest.mark.django_db


def test_it_says_price_stock_delivery_returns_and_seller(client: Client) -> None:
    merchant = make_delivering_merchant(name="Nordlys", country="FI", return_window_days=30)
    sku = make_stocked_sku(merchant, units=10)

    words = text_of(client.get(f"/p/{sku.product.slug}/"))

    assert "10.00 EUR" in words
    assert "In stock" in words
    assert "Standard : 5.00 EUR" in words or "Standard: 5.00 EUR" in words
    assert "Within 30 days of delivery" in words
    assert "Nordlys, Finland" in words


@pytest.mark.parametrize(
    ("units", "word"), [(0, "Sold out"), (1, "Only 1 left"), (5, "Only 5 left"), (6, "In stock")]
)
def test_the_stock_is_told_in_words(client: Client, units: int, word: str) -> None:
    sku = make_stocked_sku(units=units)

    page = client.get(f"/p/{sku.product.slug}/")

    assert word in text_of(page)
    assert ("Add to basket" in text_of(page)) == (units > 0)


def test_variants_are_radios_with_their_own_price_and_stock(client: Client) -> None:
    product = make_product(
        make_delivering_merchant(),
        skus=[new_sku(title="S", price_minor=900), new_sku(title="M", price_minor=1100)],
    )
    small, medium = product.skus.order_by("pk")
    stock_receive(sku_id=medium.pk, quantity=4, dedup_key="four", actor=TESTER)

    page = client.get(f"/p/{product.slug}/").content.decode()

    assert f'value="{small.pk}" disabled' in page
    assert f'value="{medium.pk}" checked' in page
    assert "Only 4 left" in page
    assert "<option>5</option>" not in page


def test_adding_leads_to_the_basket(client: Client) -> None:
    sku = make_stocked_sku()

    answer = add(client, sku, 2)

    assert answer.status_code == 303
    assert answer["Location"] == "/basket/"
    assert CartLine.objects.get().quantity == 2
    assert sku.product.title in text_of(client.get("/basket/"))


@pytest.mark.parametrize("quantity", ["0", "-1", "1000", "two", "", "1.5", "9" * 40, "²", "\0"])
def test_what_is_no_quantity_is_refused_on_the_page(client: Client, quantity: str) -> None:
    sku = make_stocked_sku()

    page = add(client, sku, quantity)

    assert page.status_code == 422
    assert "<title>Error: " in page.content.decode()
    assert "Enter a whole number of units from 1 to 999." in text_of(page)
    assert 'href="#quantity"' in page.content.decode()
    assert not CartLine.objects.exists()


@pytest.mark.parametrize("sku", ["", "x", "0", "9" * 17, "9" * 40])
def test_a_variant_must_be_chosen_and_be_the_products_own(client: Client, sku: str) -> None:
    mine, other = make_stocked_sku(), make_stocked_sku()

    for given in (sku, str(other.pk)):
        page = client.post(f"/p/{mine.product.slug}/add/", {"sku": given, "quantity": "1"})
        assert page.status_code == 422
        assert "Select which one you want" in text_of(page)
    assert not CartLine.objects.exists()


def test_two_currencies_do_not_meet_in_one_basket(client: Client) -> None:
    add(client, make_stocked_sku())
    yen = make_stocked_sku(make_delivering_merchant("JPY"))

    page = add(client, yen)

    assert page.status_code == 422
    assert "This is sold in JPY, and your basket is in EUR." in text_of(page)
    assert CartLine.objects.count() == 1


def test_what_is_not_published_has_no_page_and_can_not_be_added(client: Client) -> None:
    sku = make_stocked_sku()
    product_unpublish(product_id=sku.product_id, actor=TESTER)

    assert client.get(f"/p/{sku.product.slug}/").status_code == 404
    assert add(client, sku).status_code == 404
    assert not Cart.objects.exists()


def test_looking_changes_nothing_and_a_get_adds_nothing(client: Client) -> None:
    sku = make_stocked_sku()

    client.get(f"/p/{sku.product.slug}/")

    assert client.get(f"/p/{sku.product.slug}/add/").status_code == 405
    assert not Cart.objects.exists()
    assert "sessionid" not in client.cookies


def test_the_text_of_a_merchant_is_shown_as_text(client: Client) -> None:
    product = make_product(title="<i>Mug</i>", description="<script>alert(1)</script>\n\nMore")

    page = client.get(f"/p/{product.slug}/").content.decode()

    assert "<script>" not in page
    assert "<i>Mug" not in page
    assert "<p>More</p>" in page


def test_it_keeps_its_limits(client: Client, django_assert_max_num_queries: Any) -> None:
    merchant = make_delivering_merchant()
    skus = [new_sku(title=f"Variant {number}") for number in range(20)]
    product = make_product(merchant, skus=skus, description="A long text. " * 800)
    log_in(client, make_user(password=PASSWORD))
    add(client, make_stocked_sku(merchant))
    client.get("/")

    with django_assert_max_num_queries(8):
        page = client.get(f"/p/{product.slug}/")

    assert gzipped_bytes(page.content) <= 20_000
