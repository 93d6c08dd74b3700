"""What shoppers see of the catalogue."""

from typing import Any

import pytest
from django.db import connection

from accounts.actors import Actor, Role
from accounts.models import Merchant
from accounts.services import merchant_suspend
from catalog.models import Category, Product
from catalog.selectors import product_page, published_products, skus_for_sale
from catalog.services import category_create, product_unpublish
from core.errors import NotFound
from tests.factories import make_merchant, make_product, make_sku, new_sku

pytestmark = pytest.mark.django_db

STAFF = Actor(Role.STAFF, "1")


def slugs(products: list[Product]) -> list[str]:
    return [product.slug for product in products]


def test_pages_follow_each_other_without_gap_or_repetition() -> None:
    merchant = make_merchant()
    made = [make_product(merchant) for _ in range(5)]
    moment = made[1].published_at
    Product.objects.filter(pk__in=[made[2].pk, made[3].pk]).update(published_at=moment)

    seen, after = [], None
    for expected in (2, 2, 1):
        page = published_products(after=after, limit=2)
        assert len(page.products) == expected
        seen += page.products
        after = page.after

    assert after is None
    assert seen == [made[4], made[3], made[2], made[1], made[0]]


def test_the_last_full_page_says_that_it_is_the_last() -> None:
    make_product()

    assert published_products(limit=1).after is None


def test_only_what_may_be_bought_is_seen() -> None:
    shown = make_product()
    make_product(published=False)
    hidden, suspended = make_product(), make_product()
    product_unpublish(product_id=hidden.pk, actor=STAFF)
    merchant_suspend(merchant_id=suspended.merchant_id, actor=STAFF)
    archived = make_product()
    Product.objects.filter(pk=archived.pk).update(archived_at="2026-01-01T00:00Z")

    assert published_products().products == [shown]
    for product in (hidden, suspended, archived):
        with pytest.raises(NotFound):
            product_page(slug=product.slug)
        assert not skus_for_sale([product.skus.get().pk])


def test_the_list_narrows_to_a_merchant_or_to_a_branch_of_the_tree() -> None:
    home = category_create(name="Home", slug="home", actor=STAFF)
    kitchen = category_create(name="Kitchen", slug="kitchen", parent_id=home.pk, actor=STAFF)
    garden = category_create(name="Garden", slug="garden", actor=STAFF)
    merchant = make_merchant()
    kettle = make_product(merchant, category_id=kitchen.pk)
    spade = make_product(category_id=garden.pk)

    def seen(**where: Any) -> list[str]:
        return slugs(published_products(**where).products)

    assert seen(merchant_id=merchant.pk) == [kettle.slug]
    assert seen(category=Category.objects.get(pk=home.pk)) == [kettle.slug]
    assert seen(category=garden) == [spade.slug]


def test_a_list_takes_three_queries_however_long(django_assert_num_queries: Any) -> None:
    merchant = make_merchant()
    for _ in range(5):
        make_product(merchant, skus=[new_sku(), new_sku()])

    with django_assert_num_queries(3):
        products = published_products().products
        assert sum(len(product.skus.all()) for product in products) == 10
        assert {product.merchant for product in products} == {merchant}
        assert not any(product.images.all() for product in products)


def test_a_page_shows_the_skus_for_sale() -> None:
    product = make_product(skus=[new_sku(code="now"), new_sku(code="old", active=False)])

    page = product_page(slug=product.slug)

    assert page == product
    assert [sku.code for sku in page.skus.all()] == ["now"]


def test_an_unknown_page_is_not_found() -> None:
    with pytest.raises(NotFound) as refusal:
        product_page(slug="nothing")

    assert refusal.value.facts == {"slug": "nothing"}


def test_skus_for_sale_come_by_id_with_product_and_merchant(
    django_assert_num_queries: Any,
) -> None:
    sku = make_sku(pay_within_minutes=15)
    old = make_product(skus=[new_sku(), new_sku(active=False)]).skus.get(active=False)

    with django_assert_num_queries(1):
        found = skus_for_sale([sku.pk, old.pk, 0])
        assert list(found) == [sku.pk]
        assert found[sku.pk].product.pay_within_minutes == 15
        assert found[sku.pk].merchant.state == Merchant.State.ACTIVE


def test_the_list_of_the_newest_reads_its_index() -> None:
    make_product()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_sort = off")
        cursor.execute(
            "EXPLAIN SELECT id FROM catalog_product WHERE published_at IS NOT NULL"
            " AND archived_at IS NULL ORDER BY published_at DESC, id DESC LIMIT 25"
        )
        plan = "\n".join(row[0] for row in cursor.fetchall())

    assert "catalog_product_newest" in plan
