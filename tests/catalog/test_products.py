"""Products and their SKUs: created whole, published and unpublished, imported in bulk."""

from typing import Any

import pytest
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext

from accounts.actors import Actor, Role
from accounts.models import Merchant
from accounts.permissions import merchant_actor
from catalog.models import Product, Sku
from catalog.services import (
    NewProduct,
    NewSku,
    catalog_import,
    product_create,
    product_publish,
    product_unpublish,
)
from core.errors import Conflict, Invalid, NotFound
from core.ids import gene
from core.models import OutboxEvent
from tests.factories import make_merchant, make_product, make_sku, new_sku

pytestmark = pytest.mark.django_db

STAFF = Actor(Role.STAFF, "1")


@pytest.fixture
def merchant() -> Merchant:
    return make_merchant("JPY")


def new(merchant: Merchant, **fields: Any) -> NewProduct:
    given = {"slug": "tea", "title": "Tea", "skus": [NewSku(code="T", price_minor=950)], **fields}
    return NewProduct(merchant_id=merchant.pk, **given)


def product_events() -> list[str]:
    events = OutboxEvent.objects.filter(type__startswith="product.").order_by("seq")
    return list(events.values_list("type", flat=True))


def test_a_product_begins_as_a_draft_with_its_skus_in_the_merchants_currency(
    merchant: Merchant,
) -> None:
    skus = [NewSku(code="S", price_minor=950, weight_g=100), NewSku(code="L", price_minor=1800)]

    product = product_create(product=new(merchant, skus=skus), actor=STAFF)

    product.refresh_from_db()
    assert product.state == Product.State.DRAFT
    assert [
        (sku.code, sku.price_minor, sku.currency, sku.weight_g, sku.merchant)
        for sku in product.skus.order_by("id")
    ] == [("S", 950, "JPY", 100, merchant), ("L", 1800, "JPY", 0, merchant)]
    event = OutboxEvent.objects.select_related("stream").get(type="product.created")
    assert (event.stream.aggregate_type, event.stream.aggregate_id) == ("product", product.pk)
    assert event.shard_key == gene(product.pk)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", ""),
        ("title", "T" * 201),
        ("title", "Tea\0"),
        ("slug", "no spaces"),
        ("description", "D" * 20_001),
        ("pay_within_minutes", 5),
    ],
)
def test_a_field_out_of_bounds_is_refused_by_its_name(
    merchant: Merchant, field: str, value: object
) -> None:
    with pytest.raises(Invalid) as refusal:
        product_create(product=new(merchant, **{field: value}), actor=STAFF)

    assert refusal.value.code == "product.invalid"
    assert list(refusal.value.facts["fields"]) == [field]
    assert not Product.objects.exists()


@pytest.mark.parametrize("price_minor", [0, -1, 10**12 + 1, 10**30, 9.5, "950", True, None])
def test_a_price_is_a_whole_number_within_bounds(merchant: Merchant, price_minor: Any) -> None:
    skus = [NewSku(code="ok", price_minor=1), NewSku(code="bad", price_minor=price_minor)]

    with pytest.raises(Invalid) as refusal:
        product_create(product=new(merchant, skus=skus), actor=STAFF)

    assert refusal.value.code == "sku.price"
    assert refusal.value.facts == {"lowest_minor": 1, "highest_minor": 10**12}
    assert not Product.objects.exists()


@pytest.mark.parametrize(("field", "value"), [("code", ""), ("weight_g", -1), ("weight_g", 10**9)])
def test_a_sku_out_of_bounds_is_refused_by_its_field(
    merchant: Merchant, field: str, value: object
) -> None:
    with pytest.raises(Invalid) as refusal:
        product_create(product=new(merchant, skus=[new_sku(**{field: value})]), actor=STAFF)

    assert refusal.value.code == "sku.invalid"
    assert list(refusal.value.facts["fields"]) == [field]


@pytest.mark.parametrize(
    "fields", [{"price_minor": 0}, {"price_minor": 10**12 + 1}, {"weight_g": 10**9}]
)
def test_the_database_refuses_the_same(fields: dict[str, int]) -> None:
    sku = make_sku()

    with pytest.raises(IntegrityError):
        Sku.objects.filter(pk=sku.pk).update(**fields)


def test_unknown_merchants_and_categories_are_not_found(merchant: Merchant) -> None:
    with pytest.raises(NotFound) as unknown_merchant:
        product_create(product=new(Merchant(pk=0)), actor=STAFF)
    with pytest.raises(NotFound) as unknown_category:
        product_create(product=new(merchant, category_id=10**30), actor=STAFF)

    assert unknown_merchant.value.code == "merchant.unknown"
    assert unknown_category.value.code == "category.unknown"
    assert not Product.objects.exists()


def test_a_merchant_sells_in_its_own_name_only(merchant: Merchant) -> None:
    other = merchant_actor(merchant_id=make_merchant().pk, user_id=1)

    with pytest.raises(NotFound):
        product_create(product=new(merchant), actor=other)
    product = product_create(
        product=new(merchant), actor=merchant_actor(merchant_id=merchant.pk, user_id=1)
    )
    for service in (product_publish, product_unpublish):
        with pytest.raises(NotFound):
            service(product_id=product.pk, actor=other)


def test_slugs_are_taken_once_and_codes_once_per_merchant(merchant: Merchant) -> None:
    product_create(product=new(merchant), actor=STAFF)
    product_create(product=new(make_merchant(), slug="tea-too"), actor=STAFF)

    with pytest.raises(Conflict) as slug_taken:
        product_create(product=new(merchant, skus=[new_sku()]), actor=STAFF)
    with pytest.raises(Conflict) as code_taken:
        product_create(product=new(merchant, slug="more-tea"), actor=STAFF)

    assert slug_taken.value.code == "product.slug_taken"
    assert code_taken.value.code == "sku.code_taken"
    assert Product.objects.count() == Sku.objects.count() == 2


def test_publishing_and_unpublishing_undo_each_other_and_repeat_quietly(
    merchant: Merchant,
) -> None:
    product = product_create(product=new(merchant), actor=STAFF)

    for _ in range(2):
        product_publish(product_id=product.pk, actor=STAFF)
    assert Product.objects.get().state == Product.State.PUBLISHED
    for _ in range(2):
        product_unpublish(product_id=product.pk, actor=STAFF)

    assert Product.objects.get().state == Product.State.DRAFT
    assert product_events() == ["product.created", "product.published", "product.unpublished"]


@pytest.mark.parametrize("skus", [[], [NewSku(code="old", price_minor=1, active=False)]])
def test_a_product_without_an_item_for_sale_is_not_published(
    merchant: Merchant, skus: list[NewSku]
) -> None:
    product = product_create(product=new(merchant, skus=skus), actor=STAFF)

    with pytest.raises(Conflict) as refusal:
        product_publish(product_id=product.pk, actor=STAFF)
    with pytest.raises(Conflict):
        catalog_import(products=[new(merchant, slug="other", skus=skus)], actor=STAFF)

    assert refusal.value.code == "product.no_active_sku"
    assert Product.objects.get().state == Product.State.DRAFT


def test_an_archived_product_is_not_published() -> None:
    product = make_product(published=False)
    Product.objects.update(archived_at="2026-01-01T00:00Z")

    with pytest.raises(Conflict) as refusal:
        product_publish(product_id=product.pk, actor=STAFF)

    assert refusal.value.code == "product.archived"
    assert Product.objects.get().state == Product.State.ARCHIVED


@pytest.mark.parametrize("service", [product_publish, product_unpublish])
def test_an_unknown_product_is_not_found(service: Any) -> None:
    with pytest.raises(NotFound):
        service(product_id=10**30, actor=STAFF)


def test_an_import_publishes_once_and_answers_in_order(merchant: Merchant) -> None:
    def product(slug: str, **fields: Any) -> NewProduct:
        skus = [NewSku(code=slug, price_minor=950)]
        return new(merchant, **{"slug": slug, "skus": skus, **fields})

    first = catalog_import(products=[product("b"), product("a")], actor=STAFF)
    again = catalog_import(
        products=[product("a", title="X"), product("c"), product("b")], actor=STAFF
    )

    assert [row.slug for row in first] == ["b", "a"]
    assert [row.slug for row in again] == ["a", "c", "b"]
    assert {row.state for row in Product.objects.all()} == {Product.State.PUBLISHED}
    assert Sku.objects.count() == 3
    assert not Product.objects.filter(title="X").exists()
    assert sorted(product_events()) == ["product.created"] * 3 + ["product.published"] * 3


def test_an_import_is_all_or_nothing(merchant: Merchant) -> None:
    good, bad = new(merchant), new(merchant, slug="bad", title="", skus=[new_sku()])

    with pytest.raises(Invalid):
        catalog_import(products=[good, bad], actor=STAFF)
    with pytest.raises(Conflict):
        catalog_import(products=[good, good], actor=STAFF)
    with pytest.raises(Invalid):
        catalog_import(products=[good] * 1001, actor=STAFF)

    assert not Product.objects.exists()


def test_an_import_does_not_answer_with_a_product_of_another_merchant(merchant: Merchant) -> None:
    product_create(product=new(merchant), actor=STAFF)
    other = make_merchant()

    with pytest.raises(Conflict) as refusal:
        catalog_import(products=[new(other)], actor=merchant_actor(merchant_id=other.pk, user_id=1))

    assert refusal.value.code == "product.slug_taken"


def test_an_import_takes_the_same_statements_however_many_there_are(merchant: Merchant) -> None:
    def statements(slugs: list[str]) -> int:
        products = [new(merchant, slug=slug, skus=[new_sku(), new_sku()]) for slug in slugs]
        with CaptureQueriesContext(connection) as queries:
            catalog_import(products=products, actor=STAFF)
        return len(queries)

    assert statements(["few"]) == statements([f"many-{n}" for n in range(200)])
