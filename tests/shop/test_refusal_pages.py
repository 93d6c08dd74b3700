"""Pages that say no, or that something broke: in words, and without the database."""

from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.test import Client
from django.urls import path

from config.urls import urlpatterns as ours
from core.errors import Conflict, Denied, Invalid, NotFound
from tests.factories import make_user
from tests.factories.story import make_stocked_sku
from tests.shop.pages import PASSWORD, add, log_in, text_of

pytestmark = pytest.mark.django_db

REFUSALS = {
    "unknown": NotFound("x.unknown", "There is no such thing."),
    "denied": Denied("x.denied", "Not for you."),
    "late": Conflict("x.late", "This has been shipped."),
    "wrong": Invalid("x.wrong", "This is not a number."),
    "broken": RuntimeError("secret detail"),
}


def refuse(request: HttpRequest, why: str) -> HttpResponse:
    raise REFUSALS[why]


urlpatterns = [path("refuse/<str:why>/", refuse), *ours]


@pytest.mark.urls(__name__)
@pytest.mark.parametrize(
    ("why", "status", "words"),
    [
        ("unknown", 404, "This page does not exist"),
        ("denied", 403, "You may not see this page"),
        ("late", 409, "This has been shipped."),
        ("wrong", 422, "This is not a number."),
        ("broken", 500, "Something went wrong here"),
    ],
)
def test_a_refusal_has_its_page(why: str, status: int, words: str) -> None:
    client = Client(raise_request_exception=False)

    page = client.get(f"/refuse/{why}/")

    assert page.status_code == status
    assert words in text_of(page)
    assert "secret" not in text_of(page)
    assert page.content.decode().count("<h1") == 1
    assert "To the shop" in text_of(page) or status in (403, 500)


def test_a_missing_page_asks_the_database_nothing(
    client: Client, django_assert_num_queries: Any
) -> None:
    log_in(client, make_user(password=PASSWORD))
    add(client, make_stocked_sku())

    with django_assert_num_queries(0):
        assert client.get("/nothing/").status_code == 404


def test_the_pages_need_no_request_at_all(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        for name in ("403.html", "404.html", "429.html", "500.html"):
            assert "<h1" in render_to_string(name)


def strict(client_site: str, given: dict[str, Any]) -> Any:
    """A form that is sent without a token, by a browser that says where it was."""
    client = Client(enforce_csrf_checks=True)
    return client.post("/account/login/", given, headers={"Sec-Fetch-Site": client_site})


def test_a_stale_form_of_ours_offers_the_same_answers_again() -> None:
    page = strict("same-origin", {"email": "ada@example.com", "note": '"><b>', "n": ["1", "2"]})

    html = page.content.decode()
    assert page.status_code == 422
    assert "Your answers are kept: send them again" in text_of(page)
    assert 'name="email" value="ada@example.com"' in html
    assert 'name="note" value="&quot;&gt;&lt;b&gt;"' in html
    assert html.count('name="n"') == 2
    assert 'name="csrfmiddlewaretoken"' in html


def test_sending_them_again_works() -> None:
    sku = make_stocked_sku()
    client = Client(enforce_csrf_checks=True)
    given = {"sku": str(sku.pk), "quantity": "1"}
    address = f"/p/{sku.product.slug}/add/"
    page = client.post(address, given, headers={"Sec-Fetch-Site": "same-origin"})
    token = page.content.decode().split('name="csrfmiddlewaretoken" value="')[1].split('"')[0]

    assert client.post(address, {**given, "csrfmiddlewaretoken": token}).status_code == 303


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none", ""])
def test_a_form_of_somebody_else_is_not_repeated(site: str) -> None:
    page = strict(site, {"email": "ada@example.com"})

    assert page.status_code == 403
    assert "Go back, load the page again" in text_of(page)
    assert "ada@example.com" not in page.content.decode()


@pytest.mark.parametrize(
    "given",
    [
        {"password": "x", "email": "secret"},
        {"new_password1": "x"},
        {f"{n}": "x" for n in range(200)},
    ],
)
def test_passwords_and_floods_are_not_repeated(given: dict[str, str]) -> None:
    page = strict("same-origin", given)

    assert page.status_code == 403
    assert 'value="x"' not in page.content.decode()


def test_too_many_logins_are_told_in_words(client: Client) -> None:
    for _ in range(30):
        page = client.post("/account/login/", {"login": "ada@example.com", "password": "x"})
        if page.status_code == 429:
            break

    assert "Too many" in text_of(page)
