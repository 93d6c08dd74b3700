"""The checkout: answers kept and judged field by field, and one order from it, however often sent."""

from collections.abc import Mapping
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Address
from catalog.models import Sku
from catalog.services import product_unpublish, sku_reprice
from core.command import carrier
from core.errors import Conflict, DomainError, Invalid, NotFound
from delivery.services import method_create
from orders.models import Cart, CheckoutRecord, OrderGroup
from orders.selectors.checkout import checkout_of_cart, checkout_view
from orders.services.cart import cart_line_add, cart_open
from orders.services.checkout import checkout_complete, checkout_open, checkout_update
from tests.factories import TESTER, fresh, make_customer, make_user
from tests.factories.story import (
    BUYER,
    DELIVERY_MINOR,
    make_delivering_merchant,
    make_stocked_sku,
    place,
)

pytestmark = pytest.mark.django_db

ANSWERS = {
    "email": "ada@example.com",
    "name": "Ada Lovelace",
    "country": "DE",
    "line1": "Am Kai 1",
    "city": "Bremen",
    "postcode": "28195",
}


def guests_cart(*wants: tuple[Sku, int]) -> Cart:
    cart = cart_open(customer=None, actor=BUYER)
    for sku, quantity in wants or [(make_stocked_sku(), 1)]:
        cart_line_add(cart_id=cart.pk, sku_id=sku.pk, quantity=quantity, actor=BUYER)
    return Cart.objects.get(pk=cart.pk)


def answered(*wants: tuple[Sku, int], **answers: str) -> CheckoutRecord:
    """A checkout of these units that lacks nothing."""
    cart = guests_cart(*wants)
    return checkout_update(cart_id=cart.pk, answers=ANSWERS | answers, actor=BUYER)


def complete(record: CheckoutRecord) -> OrderGroup:
    total_minor = checkout_view(record).total_minor
    return checkout_complete(token=record.token, expected_total_minor=total_minor, actor=BUYER)


def refused(record: CheckoutRecord, total_minor: int) -> DomainError:
    """The refusal, after which the cart is open as it was."""
    with pytest.raises(DomainError) as refusal:
        checkout_complete(token=record.token, expected_total_minor=total_minor, actor=BUYER)
    assert Cart.objects.get(pk=record.cart_id).placed_group_id is None
    return refusal.value


def told(refusal: DomainError) -> dict[str, str]:
    return {error["code"]: error["message"] for error in refusal.facts["errors"]}


def test_a_cart_has_one_checkout() -> None:
    cart = guests_cart()
    first = checkout_open(cart_id=cart.pk, actor=BUYER)
    assert checkout_open(cart_id=cart.pk, actor=BUYER) == first
    assert checkout_update(cart_id=cart.pk, answers={"name": "Ada"}, actor=BUYER) == first


def test_a_login_finds_what_it_told_before() -> None:
    user = make_user(name="Ada")
    customer = make_customer(email=user.email)
    customer.user = user
    customer.save()
    Address.objects.create(customer=customer, name="Old", line1="Alt 1", city="Ulm", country="DE")
    Address.objects.create(
        customer=customer,
        name="Ada L.",
        line1="Am Kai 1",
        city="Bremen",
        postcode="28195",
        country="DE",
        phone="0421 555 111",
        is_default=True,
    )
    record = checkout_open(cart_id=guests_cart().pk, user=user, actor=BUYER)
    assert (record.email, record.name, record.phone) == (user.email, "Ada L.", "0421 555 111")
    assert record.address["line1"] == "Am Kai 1"
    assert checkout_view(record).has_contact


def test_a_new_login_finds_its_name_and_nobody_finds_anything() -> None:
    user, cart = make_user(name="Ben"), guests_cart()
    assert checkout_of_cart(cart, user).name == "Ben"
    assert checkout_of_cart(cart, None).name == ""
    assert CheckoutRecord.objects.count() == 0


@pytest.mark.parametrize(
    ("answers", "code", "field"),
    [
        ({"email": ""}, "email.empty", "email"),
        ({"email": "ada@"}, "email.format", "email"),
        ({"email": "a" * 250 + "@b.de"}, "text.too_long", "email"),
        ({"name": " "}, "name.empty", "name"),
        ({"name": "a" * 121}, "name.too_long", "name"),
        ({"line1": ""}, "address_line1.empty", "line1"),
        ({"line2": "a" * 201}, "text.too_long", "line2"),
        ({"city": "\0"}, "town.empty", "city"),
        ({"country": ""}, "country.empty", "country"),
        ({"country": "XX"}, "country.unknown", "country"),
        ({"postcode": ""}, "postcode.empty", "postcode"),
        ({"postcode": "2819"}, "postcode.country", "postcode"),
        ({"country": "NL"}, "postcode.country", "postcode"),
        ({"phone": "call me"}, "phone.format", "phone"),
        ({"phone": "+ ( ) - . / "}, "phone.format", "phone"),
    ],
)
def test_a_wrong_answer_is_told_at_its_field(
    answers: Mapping[str, str], code: str, field: str
) -> None:
    cart = guests_cart()
    with pytest.raises(Invalid) as refusal:
        checkout_update(cart_id=cart.pk, answers=ANSWERS | dict(answers), actor=BUYER)
    [error] = refusal.value.facts["errors"]
    assert (error["code"], error["field"]) == (code, field)
    assert not CheckoutRecord.objects.exists()


@pytest.mark.parametrize(
    ("country", "typed", "kept"),
    [
        ("DE", " 28 195 ", "28195"),
        ("GB", "sw1a1aa", "SW1A 1AA"),
        ("GB", "M1–1AE", "M1 1AE"),
        ("NL", "1012 ab", "1012 AB"),
        ("PL", "00950", "00-950"),
        ("JP", "\N{FULLWIDTH DIGIT ONE}00 0001", "100-0001"),
        ("US", "10001", "10001"),
        ("US", "10001 2345", "10001-2345"),
        ("IE", "d02 x285", "D02 X285"),
        ("AE", "", ""),
    ],
)
def test_a_postcode_is_put_in_its_countrys_form(country: str, typed: str, kept: str) -> None:
    record = answered(country=country, postcode=typed)
    assert record.address["postcode"] == kept


def test_what_is_not_given_stays() -> None:
    record = answered()
    checkout_update(cart_id=record.cart_id, answers={"phone": "0421 555 111"}, actor=BUYER)
    record.refresh_from_db()
    assert (record.email, record.phone) == ("ada@example.com", "0421 555 111")
    with pytest.raises(Invalid) as refusal:
        checkout_update(cart_id=record.cart_id, answers={"country": "GB"}, actor=BUYER)
    assert told(refusal.value) == {"postcode.country": "Enter a full United Kingdom postcode"}


def test_each_merchant_with_several_ways_asks_for_one() -> None:
    merchant = make_delivering_merchant(name="Harbour Tea")
    sku = make_stocked_sku(merchant)
    express = method_create(
        merchant_id=merchant.pk,
        code="express",
        name="Express",
        kind="flat",
        price_minor=990,
        position=1,
        actor=TESTER,
    )
    record = answered((sku, 1), (make_stocked_sku(), 1))
    assert not checkout_view(record).has_delivery
    with pytest.raises(Invalid) as refusal:
        checkout_update(cart_id=record.cart_id, delivery_methods={}, actor=BUYER)
    assert told(refusal.value) == {
        "delivery.none_selected": "Select how Harbour Tea should deliver your items"
    }
    with pytest.raises(Invalid) as refusal:
        checkout_update(cart_id=record.cart_id, delivery_methods={merchant.pk: 0}, actor=BUYER)
    assert set(told(refusal.value)) == {"delivery.method_unknown"}

    chosen = {merchant.pk: express.pk}
    record = checkout_update(cart_id=record.cart_id, delivery_methods=chosen, actor=BUYER)
    view = checkout_view(record)
    assert view.has_delivery
    assert view.totals.delivery_minor == 990 + DELIVERY_MINOR
    assert complete(record).delivery_minor == 990 + DELIVERY_MINOR


def test_completing_makes_the_order_of_the_one_who_was_named() -> None:
    known = make_customer(email="ada@example.com")
    group = complete(answered(email=" Ada@Example.com"))
    assert (group.customer, group.email) == (known, "ada@example.com")
    assert group.shipping_address["name"] == "Ada Lovelace"
    assert group.shipping_address["line1"] == "Am Kai 1"
    assert Cart.objects.get(pk=group.cart_id).customer == known


def test_sent_twice_it_is_the_same_order() -> None:
    record = answered()
    group = complete(record)
    again = checkout_complete(token=record.token, expected_total_minor=0, actor=BUYER)
    assert again == group
    assert OrderGroup.objects.count() == 1


def test_nothing_can_be_answered_once_it_is_placed() -> None:
    record = answered()
    complete(record)
    for change in (
        lambda: checkout_open(cart_id=record.cart_id, actor=BUYER),
        lambda: checkout_update(cart_id=record.cart_id, answers={"name": "B"}, actor=BUYER),
    ):
        with pytest.raises(Conflict) as refusal:
            change()
        assert refusal.value.code == "cart.placed"


def test_a_token_of_nobody_opens_nothing() -> None:
    with pytest.raises(NotFound) as refusal:
        checkout_complete(token=fresh("none-{}"), expected_total_minor=0, actor=BUYER)
    assert refusal.value.code == "checkout.unknown"


def test_missing_answers_are_named_at_the_end() -> None:
    record = checkout_open(cart_id=guests_cart().pk, actor=BUYER)
    assert set(told(refused(record, 1500))) == {
        "email.empty",
        "name.empty",
        "country.empty",
        "address_line1.empty",
        "town.empty",
    }


def test_sold_out_at_the_last_step_is_told_in_the_catalogues_words() -> None:
    sku = make_stocked_sku(units=1, title="blue")
    record = answered((sku, 1))
    total_minor = checkout_view(record).total_minor
    place([(sku, 1)])
    refusal = refused(record, total_minor)
    title = f"{sku.product.title} · blue"
    assert refusal.code == "stock.insufficient"
    assert told(refusal) == {"line.gone": f"{title} is sold out. Remove it to continue"}


def test_too_few_left_are_told_with_their_number() -> None:
    sku = make_stocked_sku(units=3)
    record = answered((sku, 3))
    place([(sku, 1)])
    [message] = told(refused(record, 3500)).values()
    assert message == (
        f"Only 2 of {sku.product.title} left. Change your quantity from 3 to continue"
    )


def test_the_others_of_a_refused_basket_are_not_told_as_gone() -> None:
    last, short = make_stocked_sku(units=1), make_stocked_sku(units=1)
    record = answered((last, 1), (short, 1))
    total_minor = checkout_view(record).total_minor
    place([(short, 1)])
    with pytest.raises(Conflict) as refusal, carrier():
        checkout_complete(token=record.token, expected_total_minor=total_minor, actor=BUYER)
    [error] = refusal.value.facts["errors"]
    assert error["field"] == f"line_{short.pk}"


def test_an_article_that_left_the_shop_is_told_as_sold_out() -> None:
    sku = make_stocked_sku()
    record = answered((sku, 1))
    product_unpublish(product_id=sku.product_id, actor=TESTER)
    assert set(told(refused(record, 1500))) == {"line.gone"}


def test_a_price_that_changed_is_told_with_both_and_the_new_total() -> None:
    sku = make_stocked_sku(price_minor=1000)
    record = answered((sku, 1))
    seen = checkout_view(record).total_minor
    sku_reprice(sku_id=sku.pk, price_minor=1250, actor=TESTER)
    assert told(refused(record, seen)) == {
        "line.price_changed": f"The price of {sku.product.title} changed from 10.00 EUR to"
        " 12.50 EUR since you added it. Check the new total before you continue",
        "order.total_changed": "The total is now 17.50 EUR. Check it and place the order again",
    }
    assert complete(record).total_minor == 1750


def test_a_way_of_delivery_that_is_gone_is_told_with_its_merchant() -> None:
    record = answered()
    [part] = checkout_view(record).parts
    CheckoutRecord.objects.update(delivery_methods={str(part.merchant.pk): "1"})
    assert told(refused(record, 1500)) == {
        "delivery.method_unknown": f"{part.merchant.name} no longer offers this way of delivery."
        " Select another"
    }


def test_the_page_shows_the_price_that_placing_takes() -> None:
    first, second = make_stocked_sku(price_minor=1999), make_stocked_sku(price_minor=250)
    record = answered((first, 2), (second, 3))
    view = checkout_view(record)
    group = complete(record)
    assert (view.totals.items_minor, view.totals.delivery_minor, view.total_minor) == (
        group.items_minor,
        group.delivery_minor,
        group.total_minor,
    )
    assert group.pay_before - group.placed_at == timedelta(minutes=30)


def test_completing_takes_the_same_few_statements_for_any_cart() -> None:
    make_customer(email="ada@example.com")
    record = answered(*[(make_stocked_sku(), 1) for _ in range(4)])
    total_minor = checkout_view(record).total_minor
    with CaptureQueriesContext(connection) as queries:
        checkout_complete(token=record.token, expected_total_minor=total_minor, actor=BUYER)
    statements = [query["sql"] for query in queries if "SAVEPOINT" not in query["sql"]]
    assert len(statements) <= 8, statements
