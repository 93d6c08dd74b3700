"""A voucher on the pages: entered in the basket, told there and at the checkout, never lost silently."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from core import clock
from orders.models import Cart, OrderGroup, Voucher
from orders.services.voucher_terms import voucher_amend, voucher_stop
from tests.factories import TESTER, make_user
from tests.factories.shopper import answer, cart_of, last_step, visitor
from tests.factories.story import make_delivering_merchant, make_stocked_sku
from tests.factories.vouchers import make_voucher, place_with, used
from tests.shop.pages import text_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nothing_counted() -> Iterator[None]:
    """What was tried before is forgotten."""
    cache.clear()
    yield
    cache.clear()


def enter(client: Client, code: str) -> Any:
    return client.post("/basket/voucher/", {"voucher": code})


def basket(client: Client) -> str:
    return text_of(client.get("/basket/"))


def stop(voucher: Voucher) -> None:
    voucher_stop(voucher_id=voucher.pk, reason="misprint", actor=TESTER)


def test_a_code_in_any_case_is_entered_and_told_with_what_it_takes_off() -> None:
    make_voucher(code="WELCOME-10")
    client = visitor([(make_stocked_sku(), 2)])
    assert "Add a voucher" in basket(client)
    page = enter(client, " welcome-10")
    assert (page.status_code, page.headers["Location"]) == (303, "/basket/")
    words = basket(client)
    assert "Voucher WELCOME-10 \N{MINUS SIGN} 2.00 EUR" in words
    assert "Estimate 23.00 EUR" in words
    assert "Remove voucher WELCOME-10" in words
    assert "Use another voucher" in words


def test_free_delivery_takes_off_what_delivery_costs() -> None:
    voucher = make_voucher(kind="free_delivery")
    client = visitor()
    enter(client, voucher.code)
    assert "\N{MINUS SIGN} 5.00 EUR Estimate 10.00 EUR" in basket(client)


def test_it_is_taken_out_again() -> None:
    client = visitor()
    enter(client, make_voucher().code)
    assert client.post("/basket/voucher/remove/").status_code == 303
    assert client.post("/basket/voucher/remove/").status_code == 303
    assert "Estimate 15.00 EUR" in basket(client)
    assert cart_of(client).voucher is None


def refusals() -> Iterator[tuple[str, dict[str, Any], str]]:
    now = clock.now
    yield "not yet", {"starts_at": lambda: now() + timedelta(days=1)}, "can be used from"
    yield "over", {"ends_at": lambda: now() + timedelta(seconds=1)}, "This voucher ended on"
    small = {"amount_minor": 100, "minimum_minor": 2500}
    yield "minimum", small, "Spend 15.00 EUR more to use this voucher"
    yield "currency", {"amount_minor": 100, "currency": "JPY"}, "for goods sold in JPY"
    other = {"merchant_id": lambda: make_delivering_merchant(name="Nordlys").pk}
    yield "goods", other, "This voucher is for goods from Nordlys"


@pytest.mark.parametrize(("name", "given", "sentence"), list(refusals()))
def test_what_it_is_not_good_for_is_said_at_the_field(
    name: str, given: dict[str, Any], sentence: str
) -> None:
    fields = {key: value() if callable(value) else value for key, value in given.items()}
    voucher = make_voucher(**fields)
    client = visitor()
    if name == "over":
        clock.advance(timedelta(seconds=2))

    page = enter(client, voucher.code.lower())

    assert page.status_code == 422
    assert text_of(page).count(sentence) == 2  # in the summary and at the field
    assert f'value="{voucher.code.lower()}"' in page.content.decode()
    assert "<details open>" in page.content.decode()
    assert cart_of(client).voucher is None


def test_goods_of_its_merchant_that_cost_too_little_are_told_with_its_name() -> None:
    tea, other = make_delivering_merchant(name="Harbour Tea"), make_stocked_sku(price_minor=99999)
    voucher = make_voucher(
        amount_minor=100, minimum_minor=2500, merchant_id=tea.pk, funded_by="merchant"
    )
    client = visitor([(make_stocked_sku(tea), 1), (other, 1)])
    page = enter(client, voucher.code)
    assert "Spend 15.00 EUR more at Harbour Tea to use this voucher" in text_of(page)


@pytest.mark.parametrize("code", ["NOBODYS", "", "ünknown", "a\0b", "X" * 9999, "<b>"])
def test_a_code_that_nobody_made_is_not_recognised(code: str) -> None:
    client = visitor()
    page = enter(client, code)
    assert page.status_code == 422
    assert "We do not recognise this voucher code" in text_of(page)
    assert "<b>" not in page.content.decode()


def test_what_is_used_up_and_what_was_used_by_who_is_logged_in_is_told() -> None:
    user, sku = make_user(), make_stocked_sku()
    all_gone, once = make_voucher(total_limit=1), make_voucher(per_customer_limit=1)
    place_with(all_gone, [(sku, 1)])
    client = visitor([(sku, 1)], user)
    assert "has been used up" in text_of(enter(client, all_gone.code))
    enter(client, once.code)
    answer(client, email=user.email)
    client.post("/checkout/review/", last_step(client))
    again = visitor([(sku, 1)], user)
    answer(again, email=user.email)
    assert "You have used this voucher already" in text_of(enter(again, once.code))


def test_a_guest_is_known_by_the_address_that_was_given_at_the_checkout() -> None:
    voucher, sku = make_voucher(per_customer_limit=1), make_stocked_sku()
    for _ in range(2):
        client = visitor([(sku, 1)])
        enter(client, voucher.code)
        last = client
        answer(last, email="Ada@example.com")
        sent = last_step(last)
        page = last.post("/checkout/review/", sent)
    assert page.status_code == 422
    assert "You have used this voucher already" in text_of(page)
    assert "You have used this voucher already" in basket(last)
    assert OrderGroup.objects.count() == used(voucher) == 1


def test_a_basket_that_changes_says_that_its_voucher_does_not_hold_any_more() -> None:
    sku = make_stocked_sku()
    voucher = make_voucher(amount_minor=500, minimum_minor=2000)
    client = visitor([(sku, 2)])
    enter(client, voucher.code)
    client.post(f"/basket/{sku.pk}/", {"quantity": "1"})
    words = basket(client)
    assert f"Voucher {voucher.code}: Spend 10.00 EUR more to use this voucher." in words
    assert "Remove it to order without it" in words
    assert "Estimate 15.00 EUR" in words
    assert 'href="/checkout/"' not in client.get("/basket/").content.decode()
    client.post("/basket/voucher/remove/")
    assert 'href="/checkout/"' in client.get("/basket/").content.decode()


def test_what_would_leave_nothing_to_pay_is_told_before_the_checkout() -> None:
    sku = make_stocked_sku()
    sku.merchant.delivery_methods.update(price_minor=0)
    client = visitor([(sku, 1)])
    enter(client, make_voucher(kind="percentage", basis_points=10_000).code)
    words = basket(client)
    assert "This voucher would leave nothing to pay" in words
    assert "Estimate 10.00 EUR" in words


def test_an_order_is_placed_at_the_price_that_the_last_step_told() -> None:
    voucher = make_voucher()
    client = visitor([(make_stocked_sku(), 1), (make_stocked_sku(), 1)])
    enter(client, voucher.code)
    answer(client)
    words = text_of(client.get("/checkout/review/"))
    assert "Place order and pay 28.00 EUR" in words
    client.post("/checkout/review/", last_step(client))
    group = OrderGroup.objects.get()
    assert (group.total_minor, group.discount_minor, used(voucher)) == (2800, 200, 1)


def test_a_voucher_that_fails_between_the_last_step_and_the_order_is_never_a_higher_price() -> None:
    voucher = make_voucher()
    client = visitor()
    enter(client, voucher.code)
    answer(client)
    sent = last_step(client)
    stop(voucher)

    page = client.post("/checkout/review/", sent)

    assert page.status_code == 422
    assert "This voucher can no longer be used" in text_of(page)
    assert not OrderGroup.objects.exists()
    # Not even where the page that it has seen now is sent as it is.
    page = client.post("/checkout/review/", last_step(client))
    assert page.status_code == 422
    assert not OrderGroup.objects.exists()
    assert "This voucher can no longer be used" in text_of(client.get("/checkout/review/"))
    assert "This voucher can no longer be used" in basket(client)
    client.post("/basket/voucher/remove/")
    client.post("/checkout/review/", last_step(client))
    assert OrderGroup.objects.get().total_minor == 1500


def test_the_last_use_goes_to_who_orders_first() -> None:
    voucher, sku = make_voucher(total_limit=1), make_stocked_sku()
    clients = [visitor([(sku, 1)]) for _ in range(2)]
    for number, client in enumerate(clients):
        enter(client, voucher.code)
        answer(client, email=f"shopper{number}@example.com")
    sent = [last_step(client) for client in clients]
    pages = [c.post("/checkout/review/", form) for c, form in zip(clients, sent, strict=True)]
    assert [page.status_code for page in pages] == [303, 422]
    assert "This voucher has been used up" in text_of(pages[1])
    assert "This voucher has been used up" in basket(clients[1])
    voucher_amend(
        voucher_id=voucher.pk, ends_at=None, per_customer_limit=None, total_limit=2, actor=TESTER
    )
    clients[1].post("/checkout/review/", last_step(clients[1]))
    assert OrderGroup.objects.count() == used(voucher) == 2


def test_codes_can_be_guessed_ten_times() -> None:
    voucher, client = make_voucher(), visitor()
    for number in range(10):
        assert enter(client, f"GUESS{number}").status_code == 422
    page = enter(client, voucher.code)
    assert page.status_code == 429
    assert "Too many tries. Wait a few minutes and try again." in text_of(page)
    assert cart_of(client).voucher is None


def test_a_guest_who_logs_in_keeps_the_voucher() -> None:
    user = make_user(password="correct horse battery")
    client = visitor()
    voucher = make_voucher()
    enter(client, voucher.code)
    form = {"login": user.email, "password": "correct horse battery"}
    client.post("/account/login/", form)
    assert Cart.objects.get(customer__user=user).voucher == voucher


def test_a_login_with_a_basket_of_its_own_takes_the_guests_voucher_unless_it_has_one() -> None:
    user = make_user(password="correct horse battery")
    guests, own = make_voucher(), make_voucher()
    for expected in (guests, own):
        mine = Client()
        mine.force_login(user)
        add_one(mine)
        if expected is own:
            enter(mine, own.code)
        client = visitor()
        enter(client, guests.code)
        client.post("/account/login/", {"login": user.email, "password": "correct horse battery"})
        assert Cart.objects.get(customer__user=user, guest=False).voucher == expected


def add_one(client: Client) -> None:
    sku = make_stocked_sku()
    client.post(f"/p/{sku.product.slug}/add/", {"sku": str(sku.pk), "quantity": "1"})


@pytest.mark.parametrize(("fields", "more"), [(None, 0), ({}, 1), ({"per_customer_limit": 1}, 2)])
def test_a_voucher_costs_the_basket_a_statement_or_two(
    fields: dict[str, Any] | None, more: int
) -> None:
    client = visitor()
    plain = statements(client)
    if fields is not None:
        enter(client, make_voucher(**fields).code)
    assert statements(client) - plain == more


def statements(client: Client) -> int:
    client.get("/basket/")
    with CaptureQueriesContext(connection) as queries:
        client.get("/basket/")
    return len(queries)


@pytest.mark.parametrize("path", ["/basket/voucher/", "/basket/voucher/remove/"])
def test_nothing_is_changed_by_looking_and_nobody_without_a_basket_enters_one(path: str) -> None:
    assert visitor().get(path).status_code == 405
    assert Client().post(path, {"voucher": make_voucher().code}).status_code == 404
