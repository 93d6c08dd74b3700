"""A login's own pages: orders, addresses, and the forms of the account library in our frame."""

from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.test import Client

from accounts.models import Address, Customer, User
from accounts.services import customer_for_email, customer_for_user
from orders.links import link_path
from shop.views.account import PER_PAGE
from tests.factories import make_user, prove_address
from tests.factories.story import fresh_row, make_group, make_stocked_sku, pay, place
from tests.shop.pages import PASSWORD, gzipped_bytes, log_in, text_of

pytestmark = pytest.mark.django_db

ADDRESS = {
    "name": "Ada Lovelace",
    "line1": "Quay 1",
    "city": "Bremen",
    "postcode": "28195",
    "country": "DE",
}


def shopper(client: Client, *, verified: bool = True, **fields: Any) -> User:
    """Somebody who has logged in."""
    user = make_user(password=PASSWORD, **fields)
    if verified:
        prove_address(user)
    log_in(client, user)
    return user


def customer_of(user: User) -> Customer:
    return customer_for_user(user=user)


def test_without_a_login_the_pages_lead_to_it(client: Client) -> None:
    for path in ("/account/", "/account/orders/1/", "/account/addresses/"):
        answer = client.get(path)
        assert answer.status_code == 302
        assert answer["Location"].startswith("/account/login/")


def test_orders_are_listed_in_words_the_newest_first(client: Client) -> None:
    user = shopper(client)
    first, second = (place([(make_stocked_sku(), 1)], customer_of(user)) for _ in range(2))
    pay(second)

    words = text_of(client.get("/account/"))

    assert words.index(second.number) < words.index(first.number)
    assert "Waiting for payment" in words
    assert "Being prepared" in words
    assert "15.00 EUR" in words


def test_an_order_is_reached_by_its_owner_only(client: Client) -> None:
    user = shopper(client)
    group = place([(make_stocked_sku(), 1)], customer_of(user))
    stranger = Client()
    shopper(stranger)

    answer = client.get(f"/account/orders/{group.number}/")

    assert answer.status_code == 303
    assert answer["Location"] == link_path(fresh_row(group))
    for number in (group.number, make_group().number, "nothing", "%00"):
        assert stranger.get(f"/account/orders/{number}/").status_code == 404


def test_orders_of_an_address_are_hidden_until_it_is_proved(client: Client) -> None:
    """Who signs up with somebody's address must not see what that person has ordered."""
    email = "victim@example.com"
    group = place([(make_stocked_sku(), 1)], customer_for_email(email=email))
    user = shopper(client, verified=False, email=email)

    page = client.get("/account/")
    assert group.number not in text_of(page)
    assert "Confirm your email address" in text_of(page)
    assert client.get(f"/account/orders/{group.number}/").status_code == 404

    prove_address(user)
    assert group.number in text_of(client.get("/account/"))
    assert client.get(f"/account/orders/{group.number}/").status_code == 303


def test_another_proved_address_does_not_open_them(client: Client) -> None:
    group = place([(make_stocked_sku(), 1)], customer_for_email(email="victim@example.com"))
    user = shopper(client, verified=False, email="victim@example.com")
    EmailAddress.objects.create(user=user, email="thief@example.com", verified=True)

    assert group.number not in text_of(client.get("/account/"))
    assert client.get(f"/account/orders/{group.number}/").status_code == 404


def test_a_long_list_is_paged_without_gap_or_repetition(
    client: Client, django_assert_max_num_queries: Any
) -> None:
    customer = customer_of(shopper(client))
    sku = make_stocked_sku(units=100)
    groups = [place([(sku, 1)], customer) for _ in range(PER_PAGE + 2)]
    client.get("/")

    with django_assert_max_num_queries(6):
        first = client.get("/account/")
    before = first.content.decode().split("?before=")[1].split('"')[0]
    second = client.get(f"/account/?before={before}")

    shown = [{g.number for g in groups if g.number in text_of(page)} for page in (first, second)]
    assert [len(part) for part in shown] == [PER_PAGE, 2]
    assert not shown[0] & shown[1]
    assert "Earlier orders" not in text_of(second)
    assert gzipped_bytes(first.content) <= 18_000


@pytest.mark.parametrize("before", ["x", "-1", "", "9" * 18, "9" * 50])
def test_a_wrong_page_address_is_borne(client: Client, before: str) -> None:
    shopper(client)

    assert client.get("/account/", {"before": before}).status_code == 200


def test_an_address_is_added_changed_used_first_and_deleted(client: Client) -> None:
    shopper(client)

    assert client.post("/account/addresses/new/", ADDRESS).status_code == 303
    second = {**ADDRESS, "line1": "Pier 2", "postcode": " 28 195 "}
    client.post("/account/addresses/new/", second)
    one, two = Address.objects.order_by("pk")
    assert (one.is_default, two.is_default) == (True, False)
    assert two.postcode == "28195"
    assert "Quay 1" in text_of(client.get("/account/addresses/"))

    client.post(f"/account/addresses/{two.pk}/default/")
    assert list(Address.objects.filter(is_default=True)) == [two]

    page = client.get(f"/account/addresses/{two.pk}/").content.decode()
    assert 'value="Pier 2"' in page
    assert 'value="DE" selected' in page
    client.post(f"/account/addresses/{two.pk}/", {**second, "line1": "Pier 3"})
    assert Address.objects.get(pk=two.pk).line1 == "Pier 3"
    assert Address.objects.get(pk=two.pk).is_default

    client.post(f"/account/addresses/{two.pk}/delete/")
    client.post(f"/account/addresses/{two.pk}/delete/")
    assert list(Address.objects.values_list("pk", "is_default")) == [(one.pk, True)]


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("name", "", "Enter your full name"),
        ("line1", " ", "Enter address line 1"),
        ("city", "", "Enter a town or city"),
        ("country", "", "Select a country"),
        ("country", "XX", "Select a country from the list"),
        ("postcode", "123", "Enter a full Germany postcode"),
        ("phone", "abc", "Enter a phone number"),
        ("line2", "x" * 300, "must be 200 characters or less"),
    ],
)
def test_a_wrong_field_is_told_and_nothing_typed_is_lost(
    client: Client, field: str, value: str, words: str
) -> None:
    shopper(client)

    page = client.post("/account/addresses/new/", {**ADDRESS, field: value})

    html = page.content.decode()
    assert page.status_code == 422
    assert "<title>Error: " in html
    assert text_of(page).count(words) >= 2  # in the summary and at the field
    assert f'href="#{field}"' in html
    assert f"{field}-error" in html
    assert " required" not in html
    kept = {"line1": "Quay 1", "city": "Bremen"}.items() - {(field, ADDRESS.get(field, ""))}
    assert all(f'value="{typed}"' in html for name, typed in kept if name != field)
    assert not Address.objects.exists()


def test_others_addresses_are_not_found(client: Client) -> None:
    shopper(client)
    client.post("/account/addresses/new/", ADDRESS)
    address = Address.objects.get()
    stranger = Client()
    shopper(stranger)
    stranger.post("/account/addresses/new/", ADDRESS)

    assert stranger.get(f"/account/addresses/{address.pk}/").status_code == 404
    for path in ("", "default/"):
        path = f"/account/addresses/{address.pk}/{path}"
        assert stranger.post(path, {**ADDRESS, "name": "Thief"}).status_code == 404
    stranger.post(f"/account/addresses/{address.pk}/delete/")
    address.refresh_from_db()
    assert address.name == "Ada Lovelace"
    assert address.is_default


def test_the_address_book_has_an_end(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    shopper(client)
    monkeypatch.setattr("accounts.addresses.MOST_ADDRESSES", 1)
    client.post("/account/addresses/new/", ADDRESS)

    page = client.post("/account/addresses/new/", ADDRESS)

    assert page.status_code == 422
    assert "The address book is full." in text_of(page)


def test_looking_at_the_pages_changes_nothing(client: Client) -> None:
    user = make_user(password=PASSWORD)
    client.force_login(user)

    for path in ("/account/", "/account/addresses/", "/account/addresses/new/"):
        assert client.get(path).status_code == 200

    assert not Customer.objects.exists()
    for path in ("/account/addresses/1/delete/", "/account/addresses/1/default/"):
        assert client.get(path).status_code == 405


@pytest.mark.parametrize(
    "path",
    ["login/", "signup/", "password/reset/", "logout/", "password/change/", "email/"],
)
def test_the_librarys_pages_have_our_look(client: Client, path: str) -> None:
    if path in ("logout/", "password/change/", "email/"):
        shopper(client)

    page = client.get(f"/account/{path}")

    html = page.content.decode()
    assert page.status_code == 200
    assert 'class="button' in html
    assert "novalidate" in html
    assert " required" not in html
    assert " placeholder" not in html.split("<main")[1]
    assert html.count("<h1") == 1
    assert "style=" not in html


def test_a_wrong_login_answers_422_with_a_summary_and_keeps_the_address(client: Client) -> None:
    user = make_user(password=PASSWORD)

    page = client.post("/account/login/", {"login": user.email, "password": "wrong"})

    html = page.content.decode()
    assert page.status_code == 422
    assert "<title>Error: " in html
    assert "There is a problem" in text_of(page)
    assert f'value="{user.email}"' in html


def test_what_is_missing_is_asked_for_by_its_name(client: Client) -> None:
    words = text_of(client.post("/account/login/", {}))

    assert "There is a problem Enter your email Enter your password" in words
    assert "required" not in words


def test_logging_out_takes_a_post(client: Client) -> None:
    shopper(client)

    client.get("/account/logout/")
    assert "_auth_user_id" in client.session
    client.post("/account/logout/")
    assert "_auth_user_id" not in client.session


def test_signing_up_confirming_and_seeing_what_was_ordered_as_a_guest(client: Client) -> None:
    group = place([(make_stocked_sku(), 1)], customer_for_email(email="ada@example.com"))
    form = {"email": "Ada@Example.com", "password1": PASSWORD, "password2": PASSWORD}
    client.post("/account/signup/", form)
    assert group.number not in text_of(client.get("/account/"))

    [link] = [w for w in str(mail.outbox[0].body).split() if "/confirm-email/" in w]
    path = "/" + link.split("/", 3)[3]
    assert "Confirm" in text_of(client.get(path))
    client.post(path)

    assert group.number in text_of(client.get("/account/"))
