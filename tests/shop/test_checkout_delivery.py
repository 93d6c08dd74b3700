"""Step 2: how each merchant delivers, asked only where there is a choice."""

import pytest

from accounts.models import Merchant
from delivery.models import DeliveryMethod
from delivery.services import method_create
from orders.models import CheckoutRecord, Order
from tests.factories import TESTER, make_user
from tests.factories.shopper import answer, cost, last_step, order, visitor
from tests.factories.story import make_delivering_merchant, make_stocked_sku

pytestmark = pytest.mark.django_db

PAGE = "/checkout/delivery/"


def merchant_with_express(name: str = "Harbour Tea") -> tuple[Merchant, DeliveryMethod]:
    merchant = make_delivering_merchant(name=name)
    return merchant, method_create(
        merchant_id=merchant.pk,
        code="express",
        name="Express",
        kind="flat",
        price_minor=990,
        position=1,
        actor=TESTER,
    )


def test_it_is_skipped_where_each_merchant_has_one_way() -> None:
    client = visitor()
    answer(client)
    response = client.get(PAGE)
    assert (response.status_code, response["Location"]) == (303, "/checkout/review/")


def test_it_comes_after_the_address() -> None:
    assert visitor().get(PAGE)["Location"] == "/checkout/"


def test_the_choice_is_kept_and_shown_again() -> None:
    merchant, express = merchant_with_express()
    client = visitor([(make_stocked_sku(merchant), 1), (make_stocked_sku(), 1)])
    answer(client)
    html = client.get(PAGE).content.decode()
    assert html.count("<fieldset") == 1
    assert "9.90 EUR" in html
    assert " checked" not in html
    response = client.post(PAGE, {f"delivery_{merchant.pk}": str(express.pk)})
    assert (response.status_code, response["Location"]) == (303, "/checkout/review/")
    assert CheckoutRecord.objects.get().delivery_methods == {str(merchant.pk): str(express.pk)}
    assert client.get(PAGE).content.decode().count(" checked") == 1


def test_a_way_that_is_no_longer_offered_is_asked_for_again_though_one_alone_is_left() -> None:
    merchant, express = merchant_with_express()
    client = visitor([(make_stocked_sku(merchant), 1)])
    answer(client)
    client.post(PAGE, {f"delivery_{merchant.pk}": str(express.pk)})
    DeliveryMethod.objects.filter(pk=express.pk).update(active=False)
    assert client.get("/checkout/review/")["Location"] == PAGE
    left = DeliveryMethod.objects.get(merchant=merchant, active=True)
    assert client.get(PAGE).content.decode().count('type="radio"') == 1
    client.post(PAGE, {f"delivery_{merchant.pk}": str(left.pk)})
    client.post("/checkout/review/", last_step(client))
    assert Order.objects.get().delivery_method_id == left.pk


def test_a_first_way_without_a_price_stands_in_the_way_of_nobody() -> None:
    merchant, express = merchant_with_express()
    DeliveryMethod.objects.filter(merchant=merchant).exclude(pk=express.pk).update(kind="quoted")
    group = order(visitor([(make_stocked_sku(merchant), 1)]))
    assert group.orders.get().delivery_method_id == express.pk


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "Select how Harbour Tea should deliver your items"),
        ("x", "Harbour Tea no longer offers this way of delivery. Select another"),
        ("9" * 5000, "Harbour Tea no longer offers this way of delivery. Select another"),
    ],
)
def test_no_choice_and_a_wrong_one_are_told(value: str | None, message: str) -> None:
    merchant, _express = merchant_with_express()
    client = visitor([(make_stocked_sku(merchant), 1)])
    answer(client)
    response = client.post(PAGE, {f"delivery_{merchant.pk}": value} if value else {})
    html = response.content.decode()
    assert response.status_code == 422
    assert f'<a href="#id_delivery_{merchant.pk}">{message}</a>' in html
    assert f'id="error_{merchant.pk}">{message}</p>' in html
    assert CheckoutRecord.objects.get().delivery_methods == {}


def test_the_last_step_leads_back_while_something_is_not_chosen() -> None:
    merchant, _express = merchant_with_express()
    client = visitor([(make_stocked_sku(merchant), 1)])
    answer(client)
    assert client.get("/checkout/review/")["Location"] == PAGE


def test_the_page_keeps_its_budget() -> None:
    wants = [(make_stocked_sku(merchant_with_express(f"M{n}")[0]), 1) for n in range(4)]
    client = visitor(wants, user=make_user())
    answer(client)
    statements, size = cost(client, PAGE)
    assert statements <= 7
    assert size <= 14 * 1024
