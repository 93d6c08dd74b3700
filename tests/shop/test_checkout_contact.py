"""Step 1: who and where. Nothing typed is lost, and each error stands where it can be put right."""

import pytest
from django.test import Client

from accounts.models import Address
from accounts.services import customer_for_user
from orders.models import CheckoutRecord
from tests.factories import make_user
from tests.factories.shopper import ANSWERS, answer, cart_of, cost, order, visitor
from tests.factories.story import make_stocked_sku

pytestmark = pytest.mark.django_db


def test_without_a_basket_there_is_nothing_to_check_out() -> None:
    for path in ("/checkout/", "/checkout/delivery/", "/checkout/review/"):
        response = Client().get(path)
        assert (response.status_code, response["Location"]) == (303, "/basket/")


def test_looking_stores_nothing() -> None:
    client = visitor()
    assert client.get("/checkout/").status_code == 200
    assert not CheckoutRecord.objects.exists()


def test_the_fields_say_what_they_are_for_and_none_is_required() -> None:
    html = visitor().get("/checkout/").content.decode()
    for token in (
        "email",
        "name",
        "country",
        "address-line1",
        "address-line2",
        "address-level2",
        "address-level1",
        "postal-code",
        "tel",
    ):
        assert f'autocomplete="{token}"' in html
    assert "Only used by the courier if there is a problem with delivery" in html
    assert " required" not in html
    assert "novalidate" in html
    assert "?next=/checkout/" in html


def test_answers_are_kept_and_lead_on() -> None:
    client = visitor()
    response = answer(client, postcode=" 28 195 ")
    assert (response.status_code, response["Location"]) == (303, "/checkout/delivery/")
    assert CheckoutRecord.objects.get().address["postcode"] == "28195"
    html = client.get("/checkout/").content.decode()
    assert 'value="Ada Lovelace"' in html
    assert 'value="DE" selected' in html


@pytest.mark.parametrize(
    ("field", "typed", "message"),
    [
        ("email", "", "Enter your email address"),
        ("email", "ada", "Enter an email address in the correct format, like name@example.com"),
        ("name", "", "Enter your full name"),
        ("name", "a" * 121, "Full name must be 120 characters or less"),
        ("country", "", "Select a country"),
        ("line1", "", "Enter address line 1, typically the building and street"),
        ("city", "", "Enter a town or city"),
        ("postcode", "", "Enter a postcode"),
        ("postcode", "<b>", "Enter a full Germany postcode"),
        ("phone", "soon", "Enter a phone number, like 07700 900 982 or +44 7700 900 982"),
    ],
)
def test_an_error_stands_in_the_summary_and_at_its_field(
    field: str, typed: str, message: str
) -> None:
    response = answer(visitor(), line2="Back door", **{field: typed})
    html = response.content.decode()
    assert response.status_code == 422
    assert "<title>Error:" in html
    assert "There is a problem" in html
    assert f'<a href="#id_{field}">{message}</a>' in html
    assert f'id="id_{field}_error">{message}</p>' in html
    assert f"id_{field}_error" in html.split(f'name="{field}"')[1].split(">")[0]
    assert 'value="Back door"' in html  # what was right is not typed twice
    assert "<b>" not in html


def test_several_errors_come_in_the_order_of_the_page() -> None:
    html = answer(visitor(), email="", city="", name="").content.decode()
    places = [html.index(f'href="#id_{field}"') for field in ("email", "name", "city")]
    assert places == sorted(places)


def test_who_came_to_change_something_goes_back_to_the_last_step() -> None:
    client = visitor()
    answer(client)
    html = client.get("/checkout/?back=review").content.decode()
    assert 'name="back" value="review"' in html
    assert answer(client, back="review")["Location"] == "/checkout/review/"


def test_a_back_that_is_no_page_of_ours_leads_nowhere() -> None:
    assert answer(visitor(), back="https://evil.example/")["Location"] == "/checkout/delivery/"


def test_a_login_finds_its_address_and_cant_order_as_somebody_else() -> None:
    user = make_user(name="Ada")
    Address.objects.create(
        customer=customer_for_user(user=user),
        name="Ada L.",
        line1="Kai 9",
        city="Bremen",
        postcode="28195",
        country="DE",
    )
    client = visitor(user=user)
    html = client.get("/checkout/").content.decode()
    assert f"You are signed in as {user.email}" in html
    assert 'value="Kai 9"' in html
    assert 'name="email"' not in html
    answer(client, email="other@example.com")
    assert CheckoutRecord.objects.get().email == user.email


def test_a_guest_who_names_a_known_address_sees_nothing_of_it() -> None:
    user = make_user(email="ada@example.com")
    customer = customer_for_user(user=user)
    Address.objects.create(customer=customer, name="A", line1="Secret 1", city="X", country="DE")
    client = visitor()
    answer(client, line1="")
    answer(client)
    assert "Secret 1" not in client.get("/checkout/").content.decode()


def test_an_ordered_basket_can_be_changed_no_more() -> None:
    client = visitor()
    cart = cart_of(client)
    order(client)
    session = client.session
    session["cart"] = cart.token
    session.save()
    assert client.post("/checkout/", ANSWERS)["Location"] == "/basket/"


def test_the_page_keeps_its_budget() -> None:
    client = visitor([(make_stocked_sku(), 1) for _ in range(5)], user=make_user())
    statements, size = cost(client, "/checkout/")
    assert statements <= 6
    assert size <= 14 * 1024
