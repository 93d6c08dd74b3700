"""Categories, search and merchants: lists of goods with a form that narrows them."""

from typing import Any

import pytest
from django.test import Client

from accounts.services import merchant_suspend
from catalog.selectors import PRODUCTS_PER_PAGE
from catalog.services import category_create
from tests.factories import TESTER, make_merchant, make_product, make_user, new_sku
from tests.factories.story import make_stocked_sku
from tests.shop.pages import PASSWORD, add, gzipped_bytes, log_in, text_of

pytestmark = pytest.mark.django_db


def test_a_category_shows_its_goods_and_those_below_it_and_the_way_up(client: Client) -> None:
    home = category_create(name="Home", slug="home", actor=TESTER)
    kitchen = category_create(name="Kitchen", slug="kitchen", parent_id=home.pk, actor=TESTER)
    make_product(title="Kettle", category_id=kitchen.pk)
    make_product(title="Spade")

    above, below = client.get("/c/home/"), client.get("/c/kitchen/")

    assert "Kettle" in text_of(above)
    assert "Spade" not in text_of(above)
    assert 'href="/c/kitchen/"' in above.content.decode()
    assert "Kettle" in text_of(below)
    assert 'href="/c/home/"' in below.content.decode()


def test_a_search_says_what_was_looked_for_and_how_many_there_are(client: Client) -> None:
    make_product(title="Earl Grey")
    make_product(title="Mug")

    page = client.get("/search/", {"q": "earl <b>"})

    assert "Search for “earl &lt;b&gt;”" in text_of(page)
    page = client.get("/search/", {"q": "earl"})
    assert "1 product" in text_of(page)
    assert "Earl Grey" in text_of(page)
    assert "Mug" not in text_of(page)
    assert 'name="q" value="earl"' in page.content.decode()


def test_nothing_found_leads_on(client: Client) -> None:
    category_create(name="Tea", slug="tea", actor=TESTER)

    page = client.get("/search/", {"q": "unicorn", "stock": "yes"})

    words = text_of(page)
    assert "Nothing found for “unicorn”" in words
    assert "Check the spelling" in words
    assert "Remove all filters" in words
    assert 'href="/search/?q=unicorn"' in page.content.decode()


def test_the_form_narrows_and_keeps_what_was_chosen(client: Client) -> None:
    tea, knits = make_merchant(name="Tea"), make_merchant(name="Knits")
    make_product(tea, title="Cheap", skus=[new_sku(price_minor=500)])
    make_product(tea, title="Dear", skus=[new_sku(price_minor=5000)])
    make_product(knits, title="Woolly", skus=[new_sku(price_minor=500)])

    given = {"merchant": tea.slug, "highest": "10,00", "sort": "cheapest"}
    page = client.get("/search/", given)

    words = text_of(page)
    assert "Cheap" in words
    assert "Dear" not in words
    assert "Woolly" not in words
    assert 'value="10,00"' in page.content.decode()
    assert f'value="{tea.slug}" selected' in page.content.decode()
    assert 'value="cheapest" selected' in page.content.decode()


def test_prices_compare_in_one_currency_and_the_page_says_which(client: Client) -> None:
    make_product(make_merchant("JPY"), title="Bowl", skus=[new_sku(price_minor=2400)])
    make_product(make_merchant("EUR"), title="Mug", skus=[new_sku(price_minor=2400)])
    make_product(make_merchant("EUR"), title="Pot", skus=[new_sku(price_minor=9900)])

    words = text_of(client.get("/search/", {"lowest": "24", "highest": "30"}))
    assert "Mug" in words
    assert "Bowl" not in words
    assert "prices in EUR" in words

    words = text_of(client.get("/search/", {"highest": "2400", "currency": "JPY"}))
    assert "Bowl" in words
    assert "Mug" not in words


@pytest.mark.parametrize("bound", ["cheap", "-1e9", "1.234", "9" * 30, "£5"])
def test_what_is_no_price_is_said_at_its_field(client: Client, bound: str) -> None:
    make_product(title="Mug")

    page = client.get("/search/", {"highest": bound})

    assert page.status_code == 200
    assert "Enter a price in EUR, like 25" in text_of(page)
    assert 'aria-describedby="highest-error"' in page.content.decode()
    assert "Mug" in text_of(page)


def test_only_what_is_in_stock_where_that_is_asked_for(client: Client) -> None:
    there, gone = make_stocked_sku(), make_stocked_sku(units=0)

    both = text_of(client.get("/search/"))
    assert there.product.title in both
    assert gone.product.title in both
    assert "Sold out" in both

    narrowed = text_of(client.get("/search/", {"stock": "yes"}))
    assert there.product.title in narrowed
    assert gone.product.title not in narrowed


@pytest.mark.parametrize(
    "query",
    [
        "sort=best",
        "sort=nothing",
        "merchant=nobody",
        "currency=XXX",
        "after=nonsense",
        "q=%00",
        "merchant=%00&sort=%00&after=%00_1&currency=%00&lowest=%00",
        "q=" + "x" * 3000,
    ],
)
def test_a_query_that_nobody_offered_is_borne(client: Client, query: str) -> None:
    make_product(title="Mug")

    assert client.get(f"/search/?{query}").status_code == 200


def test_pages_are_linked_with_the_filter_that_was_set(client: Client) -> None:
    merchant = make_merchant()
    titles = {f"Mug No{number}x" for number in range(PRODUCTS_PER_PAGE + 3)}
    for title in titles:
        make_product(merchant, title=title)

    first = client.get("/search/", {"q": "mug", "merchant": merchant.slug})
    [following] = [
        part.split('"')[0].replace("&amp;", "&")
        for part in first.content.decode().split('rel="next" href="')[1:]
    ]
    second = client.get(f"/search/{following}")

    assert 'rel="next"' not in second.content.decode()
    shown = [{title for title in titles if title in text_of(page)} for page in (first, second)]
    assert [len(part) for part in shown] == [PRODUCTS_PER_PAGE, 3]
    assert shown[0] | shown[1] == titles


def test_a_merchants_page_says_who_it_is_and_how_to_return(client: Client) -> None:
    merchant = make_merchant(name="Nordlys", country="FI", return_window_days=30)
    make_product(merchant, title="Scarf")
    make_product(title="Mug")

    words = text_of(client.get(f"/m/{merchant.slug}/"))

    assert "from Finland" in words
    assert "within 30 days of delivery" in words
    assert "Scarf" in words
    assert "Mug" not in words


def test_unknown_and_suspended_ones_are_not_found(client: Client) -> None:
    merchant = make_merchant()
    merchant_suspend(merchant_id=merchant.pk, actor=TESTER)

    for path in ("/c/nothing/", "/m/nobody/", f"/m/{merchant.slug}/"):
        assert client.get(path).status_code == 404


@pytest.mark.parametrize("path", ["/search/?q=mug", "/c/all/", "/m/seller/"])
def test_a_list_keeps_its_limits(
    client: Client, django_assert_max_num_queries: Any, path: str
) -> None:
    category = category_create(name="All", slug="all", actor=TESTER)
    merchant = make_merchant(slug="seller")
    for number in range(30):
        title = f"Mug with a title of some length, number {number}"
        make_product(merchant, title=title, category_id=category.pk, skus=[new_sku(), new_sku()])
    log_in(client, make_user(password=PASSWORD))
    add(client, make_stocked_sku(merchant))
    client.get("/")

    with django_assert_max_num_queries(8):
        page = client.get(path)

    assert gzipped_bytes(page.content) <= 20_000
