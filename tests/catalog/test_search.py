"""Finding goods."""

from typing import Any

import pytest
from django.db import connection

from accounts.models import Merchant
from catalog.models import Product, Sku
from catalog.search import LARGEST_COUNT, Sort, Wanted, _matching, find
from catalog.services import category_create
from tests.factories import TESTER, make_merchant, make_product, new_sku

pytestmark = pytest.mark.django_db


def titles(text: str = "", **wanted: Any) -> list[str]:
    return [product.title for product in find(wanted=Wanted(text=text, **wanted)).products]


def make(title: str, **fields: Any) -> Product:
    return make_product(title=title, **fields)


def test_a_word_is_found_in_title_description_and_the_merchants_name() -> None:
    make("Earl Grey", description="Black tea with bergamot")
    make("Mug", merchant=make_merchant(name="Harbour Tea"))
    make("Spade")

    assert titles("earl") == ["Earl Grey"]
    assert titles("BERGAMOT") == ["Earl Grey"]
    assert set(titles("tea")) == {"Earl Grey", "Mug"}
    assert titles("lamp") == []


def test_every_word_must_be_found_wherever_it_stands() -> None:
    make("Earl Grey", merchant=make_merchant(name="Harbour"))
    make("Earl Grey", merchant=make_merchant(name="Lighthouse"))

    found = find(wanted=Wanted(text="grey harbour")).products

    assert [product.merchant.name for product in found] == ["Harbour"]


@pytest.mark.parametrize("text", ["swea", "grey swea", "sweaters", "Sweater!", "'sweater' & | :*"])
def test_the_last_word_may_be_unfinished_and_any_may_be_bent(text: str) -> None:
    make("Grey sweater")

    assert titles(text) == ["Grey sweater"]


def test_only_the_last_word_may_be_unfinished() -> None:
    make("Grey sweater")

    assert titles("gr sweater") == []


@pytest.mark.parametrize(
    ("title", "text"),
    [
        ("Fjällräven väska", "väsk"),
        ("Чай чёрный", "чай"),
        ("茶碗 灰", "茶碗"),
        ("Über-Kanne", "kanne"),
    ],
)
def test_other_languages_are_found_as_they_are_written(title: str, text: str) -> None:
    make(title)

    assert titles(text) == [title]


@pytest.mark.parametrize("text", ["", "  ", "!?", "%", "\\", "()", "-", ":*"])
def test_a_text_without_words_narrows_nothing(text: str) -> None:
    make("Mug")

    assert titles(text) == ["Mug"]


@pytest.mark.parametrize("text", ["a" * 5_000, "word " * 500, "the", "a:* & !b <-> c"])
def test_odd_texts_find_nothing_and_break_nothing(text: str) -> None:
    make("Mug")

    assert titles(text) == []


def test_what_has_the_word_in_its_title_comes_first() -> None:
    make("Tea bowl")
    make("Cake", description="goes with tea")

    assert titles("tea") == ["Cake", "Tea bowl"]
    assert titles("tea", sort=Sort.BEST) == ["Tea bowl", "Cake"]


def test_the_list_narrows_by_merchant_category_price_and_given_ids() -> None:
    category = category_create(name="Tea", slug="tea", actor=TESTER)
    cheap = make("Cheap", skus=[new_sku(price_minor=500), new_sku(price_minor=9000)])
    dear = make("Dear", skus=[new_sku(price_minor=7000)], category_id=category.pk)
    yen = make("Yen", merchant=make_merchant("JPY"), skus=[new_sku(price_minor=600)])

    assert titles(merchant_id=dear.merchant_id) == ["Dear"]
    assert titles(category_path=category.path) == ["Dear"]
    assert titles(currency="JPY") == ["Yen"]
    assert titles(currency="EUR", highest_minor=500) == ["Cheap"]
    assert titles(currency="EUR", lowest_minor=501) == ["Dear"]
    assert titles(among=Product.objects.filter(pk__in=[cheap.pk, yen.pk]).values("pk")) == [
        "Yen",
        "Cheap",
    ]


def test_prices_sort_by_the_cheapest_sku_that_is_for_sale() -> None:
    middle = make("Middle", skus=[new_sku(price_minor=300), new_sku(price_minor=100, active=False)])
    make("Low", skus=[new_sku(price_minor=200)])
    make("High", skus=[new_sku(price_minor=400)])
    gone = make("Gone")
    Sku.objects.filter(product=gone).update(active=False)

    assert titles(sort=Sort.CHEAPEST) == ["Low", "Middle", "High"]
    assert titles(sort=Sort.DEAREST) == ["High", "Middle", "Low"]
    assert middle.title in titles()


@pytest.mark.parametrize("sort", Sort)
def test_pages_follow_each_other_without_gap_or_repetition(sort: Sort) -> None:
    merchant = make_merchant()
    for number in range(7):
        make(
            f"Tea {number}" if number % 2 else f"Cup {number}",
            merchant=merchant,
            description="tea",
            skus=[new_sku(price_minor=100 + number % 3)],
        )
    wanted = Wanted(text="tea", sort=sort)
    whole = [product.pk for product in find(wanted=wanted).products]

    pages, after = [], ""
    while True:
        found = find(wanted=wanted, after=after, limit=2)
        assert found.count == 7
        pages.append([product.pk for product in found.products])
        if not (after := found.after):
            break

    assert [len(page) for page in pages] == [2, 2, 2, 1]
    assert [pk for page in pages for pk in page] == whole


@pytest.mark.parametrize(
    "after",
    [
        "x",
        "_",
        "1_",
        "_1",
        "x_1",
        "2026-13-01_5",
        f"1_{2**70}",
        "1_²",
        f"{9**99}_1",
        "\0_1",
        "2026-01-01T00:00_1",
    ],
)
@pytest.mark.parametrize("sort", [Sort.NEWEST, Sort.CHEAPEST])
def test_a_wrong_page_address_begins_at_the_start(after: str, sort: Sort) -> None:
    make("Mug")

    assert find(wanted=Wanted(sort=sort), after=after).products


def test_nobody_counts_on_beyond_a_hundred() -> None:
    stock_many(LARGEST_COUNT + 20)

    assert find(wanted=Wanted()).count == LARGEST_COUNT + 1


def test_a_page_takes_four_queries_however_long(django_assert_num_queries: Any) -> None:
    for _ in range(5):
        make("Mug", skus=[new_sku(), new_sku()])

    with django_assert_num_queries(4):
        found = find(wanted=Wanted(text="mug", sort=Sort.CHEAPEST))
        assert sum(len(product.skus.all()) for product in found.products) == 10
        assert not any(product.images.all() for product in found.products)


def test_words_are_read_from_the_indexes() -> None:
    stock_many(5_000, sellers=100)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE catalog_product, accounts_merchant")

    plan = _matching(Wanted(text="jug")).explain()

    assert "BitmapOr" in plan, plan
    assert "catalog_product_words" in plan


def stock_many(count: int, *, sellers: int = 1) -> None:
    product = make("Mug")
    known = {"currency": "EUR", "country": "DE", "commission_basis_points": 0, "state": "active"}
    merchants = Merchant.objects.bulk_create(
        Merchant(name=f"Seller {number}", slug=f"seller-{number}", **known)
        for number in range(sellers)
    )
    Product.objects.bulk_create(
        Product(
            merchant=merchants[number % sellers],
            title=f"Mug {number}",
            slug=f"mug-{number}",
            published_at=product.published_at,
        )
        for number in range(count)
    )
