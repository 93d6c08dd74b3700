"""What is taxed how: classes, rates by place, the class of a product, the merchant's own terms."""

import pytest

from accounts.models import Merchant
from accounts.permissions import merchant_actor
from accounts.services import merchant_tax_set
from catalog.models import Product, TaxClass, TaxRate
from catalog.taxes import (
    product_tax_class_set,
    tax_class_create,
    tax_rate_remove,
    tax_rate_set,
)
from core.errors import Conflict, Denied, Invalid, NotFound
from core.models import OutboxEvent
from core.money import percent_text
from tests.factories import TESTER, make_merchant, make_product
from tests.factories.taxes import make_rates

pytestmark = pytest.mark.django_db


def told(event_type: str) -> list[dict[str, object]]:
    rows = OutboxEvent.objects.filter(type=event_type).order_by("id")
    return [row.payload for row in rows]


@pytest.mark.parametrize(
    ("ppm", "text"),
    [(0, "0"), (190_000, "19"), (88_750, "8.875"), (1_000_000, "100"), (100, "0.01")],
)
def test_a_rate_is_written_in_per_cent(ppm: int, text: str) -> None:
    assert percent_text(ppm) == text


def test_the_classes_that_prices_ask_for_are_there_from_the_start() -> None:
    assert set(TaxClass.objects.values_list("code", flat=True)) >= {"standard", "delivery"}


def test_a_class_has_a_code_of_its_own() -> None:
    tax_class_create(code="books", name="Books", actor=TESTER)
    with pytest.raises(Conflict) as refusal:
        tax_class_create(code="books", name="Scrolls", actor=TESTER)
    assert refusal.value.code == "tax_class.code_taken"
    with pytest.raises(Invalid) as wrong:
        tax_class_create(code="bo oks", name="", actor=TESTER)
    assert wrong.value.facts["fields"].keys() == {"code", "name"}
    assert TaxClass.objects.get(pk="books").name == "Books"


def test_a_rate_is_one_of_its_place_however_its_region_is_written() -> None:
    make_rates("US", standard=4)
    make_rates("US", region="New York", standard=8)
    make_rates("us", region=" NEW york ", standard=8.875)
    make_rates("US", region="New York", standard=8.875)
    rates = TaxRate.objects.order_by("region").values_list("region", "parts_per_million")
    assert list(rates) == [("", 40_000), ("New York", 88_750)]
    assert [event["previous_ppm"] for event in told("tax_rate.set")] == [None, None, 80_000]


def test_a_rate_that_can_be_none_is_refused_and_changes_nothing() -> None:
    with pytest.raises(Invalid) as refusal:
        make_rates("Germany", standard=100.0001)
    assert refusal.value.facts["fields"].keys() == {"country", "parts_per_million"}
    with pytest.raises(NotFound):
        tax_rate_set(tax_class="no", country="DE", parts_per_million=1, actor=TESTER)
    assert not TaxRate.objects.exists()


def test_a_rate_is_taken_away_and_taking_it_again_is_quiet() -> None:
    make_rates("DE", standard=19)
    rate = TaxRate.objects.get()
    for _ in range(2):
        tax_rate_remove(tax_rate_id=rate.pk, actor=TESTER)
    assert not TaxRate.objects.exists()
    assert len(told("tax_rate.removed")) == 1


def test_a_product_is_of_a_class_or_of_the_standard_one() -> None:
    tax_class_create(code="books", name="Books", actor=TESTER)
    product = make_product()
    for tax_class in ("books", "books", None):
        product_tax_class_set(product_id=product.pk, tax_class=tax_class, actor=TESTER)
        assert Product.objects.get(pk=product.pk).tax_class_id == tax_class
    assert [event["tax_class"] for event in told("product.tax_class_set")] == ["books", None]
    with pytest.raises(NotFound) as refusal:
        product_tax_class_set(product_id=product.pk, tax_class="no", actor=TESTER)
    assert refusal.value.code == "tax_class.unknown"
    with pytest.raises(NotFound) as unknown:
        make_product(tax_class_id="no")
    assert unknown.value.code == "tax_class.unknown"


def test_a_merchants_terms_are_the_platforms_to_set() -> None:
    merchant = make_merchant()
    merchant_tax_set(
        merchant_id=merchant.pk, prices_include_tax=False, commission_tax_ppm=190_000, actor=TESTER
    )
    merchant = Merchant.objects.get(pk=merchant.pk)
    assert (merchant.prices_include_tax, merchant.commission_tax_ppm) == (False, 190_000)
    assert told("merchant.tax_set")[0]["commission_tax_ppm"] == 190_000
    with pytest.raises(Invalid) as refusal:
        merchant_tax_set(
            merchant_id=merchant.pk,
            prices_include_tax=True,
            commission_tax_ppm=1_000_001,
            actor=TESTER,
        )
    assert refusal.value.facts["fields"].keys() == {"commission_tax_ppm"}
    merchant.refresh_from_db()
    assert not merchant.prices_include_tax


def test_a_merchant_sets_the_class_of_its_products_and_nothing_else() -> None:
    product, other = make_product(), make_merchant()
    own = merchant_actor(merchant_id=product.merchant_id, user_id=1)
    tax_class_create(code="books", name="Books", actor=TESTER)
    product_tax_class_set(product_id=product.pk, tax_class="books", actor=own)
    with pytest.raises(NotFound):
        product_tax_class_set(
            product_id=product.pk,
            tax_class=None,
            actor=merchant_actor(merchant_id=other.pk, user_id=1),
        )
    with pytest.raises(Denied):
        tax_class_create(code="more", name="More", actor=own)
    with pytest.raises(Denied):
        tax_rate_set(tax_class="books", country="DE", parts_per_million=1, actor=own)
    with pytest.raises(Denied):
        tax_rate_remove(tax_rate_id=1, actor=own)
    with pytest.raises(Denied):
        merchant_tax_set(
            merchant_id=product.merchant_id,
            prices_include_tax=False,
            commission_tax_ppm=0,
            actor=own,
        )
    assert Product.objects.get(pk=product.pk).tax_class_id == "books"
