"""What pages tell of a visit."""

from typing import Any

import pytest
from django.http import HttpRequest
from django.test import Client, RequestFactory

from shop.facts import tell
from tests.factories.story import make_stocked_sku
from tests.shop.pages import add

pytestmark = pytest.mark.django_db

SEEN: list[dict[str, Any]] = []


class Gathering:
    """Stands where the middleware for figures will: it offers the list that facts are put on."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> Any:
        request.facts = []
        answer = self.get_response(request)
        SEEN.extend(request.facts)
        return answer


@pytest.fixture
def seen(settings: Any) -> list[dict[str, Any]]:
    SEEN.clear()
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{__name__}.Gathering"]
    return SEEN


def test_looking_and_adding_are_told(client: Client, seen: list[dict[str, Any]]) -> None:
    sku = make_stocked_sku()
    client.get(f"/p/{sku.product.slug}/")
    add(client, sku, 3)

    about = {
        "product_id": str(sku.product_id),
        "sku_id": str(sku.pk),
        "merchant_id": str(sku.merchant_id),
        "currency": "EUR",
    }
    assert seen == [
        {"name": "view_item", "value_minor": 1000, "quantity": 1, **about},
        {"name": "add_to_cart", "value_minor": 3000, "quantity": 3, **about},
    ]


def test_what_was_refused_is_not_told(client: Client, seen: list[dict[str, Any]]) -> None:
    add(client, make_stocked_sku(), 0)

    assert seen == []


def test_nothing_happens_where_nobody_gathers() -> None:
    request: HttpRequest = RequestFactory().get("/")

    tell(request, "view_item", quantity=1)

    assert not hasattr(request, "facts")
