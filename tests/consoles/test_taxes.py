"""Taxes in the consoles: classes and rates for staff, the class of a product for its merchant too."""

import pytest

from accounts.models import Merchant
from catalog.models import Product, TaxClass, TaxRate
from tests.consoles.world import member_client, page, sent, staff_client
from tests.factories import make_merchant, make_product
from tests.factories.taxes import make_rates

pytestmark = pytest.mark.django_db


def test_staff_add_classes_and_set_and_remove_rates() -> None:
    client, standard = staff_client(), TaxClass.objects.get(pk="standard")

    def done(verb: str, **fields: object) -> None:
        path = page(standard, verb, "platform")
        assert sent(client, path, **fields).status_code == 302

    done("add_tax_class", code="books", name="Books")
    assert TaxClass.objects.filter(pk="books").exists()
    done("set_rate", country="us", region="New York", percent="8.875")
    rate = TaxRate.objects.get()
    assert (rate.country, rate.parts_per_million) == ("US", 88_750)
    shown = client.get(page(standard, site="platform")).content.decode()
    assert "US New York 8.875 %" in shown
    done("remove_rate", rate=rate.pk)
    assert not TaxRate.objects.exists()


def test_what_can_be_no_rate_is_refused_in_words() -> None:
    client, standard = staff_client(), TaxClass.objects.get(pk="standard")
    answer = sent(client, page(standard, "set_rate", "platform"), country="1!", percent="19")
    assert answer.status_code == 409
    assert "Some of this is not right." in answer.content.decode()
    answer = sent(client, page(standard, "set_rate", "platform"), country="DE", percent="101")
    assert answer.status_code == 200
    assert not TaxRate.objects.exists()


def test_staff_set_a_merchants_tax() -> None:
    merchant = make_merchant()
    path = page(merchant, "set_tax", "platform")
    answer = sent(staff_client(), path, reason="GmbH", commission_tax_percent="19")
    assert answer.status_code == 302
    merchant = Merchant.objects.get(pk=merchant.pk)
    assert (merchant.prices_include_tax, merchant.commission_tax_ppm) == (True, 190_000)


def test_a_merchant_sets_the_class_of_its_product_and_packers_do_not() -> None:
    make_rates(books=7)
    product = make_product()
    path = page(product, "set_tax_class")
    assert sent(member_client(product.merchant), path, tax_class="books").status_code == 302
    assert Product.objects.get(pk=product.pk).tax_class_id == "books"
    packer = member_client(product.merchant, "fulfilment")
    assert packer.get(path).status_code == 403
    assert sent(member_client(product.merchant), path, tax_class="standard").status_code == 302
    assert Product.objects.get(pk=product.pk).tax_class_id is None
