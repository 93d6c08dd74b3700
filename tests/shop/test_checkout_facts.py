"""What the checkout tells of a visit, where somebody gathers it, and whose visit an order came of."""

from collections.abc import Callable
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client
from pytest_django.fixtures import Settings

from orders.links import link_path
from tests.factories.shopper import order, visitor

pytestmark = pytest.mark.django_db

told: list[dict[str, Any]] = []


def gatherer(get_response: Callable[[HttpRequest], HttpResponse]) -> Any:
    """Stands behind the middleware of the figures, in its place."""

    def gather(request: HttpRequest) -> HttpResponse:
        request.facts = []  # type: ignore[attr-defined]
        request.session_key_for_figures = "visit-1"  # type: ignore[attr-defined]
        response = get_response(request)
        told.extend(request.facts)  # type: ignore[attr-defined]
        return response

    return gather


@pytest.fixture(autouse=True)
def gathered(settings: Settings) -> None:
    told.clear()
    real = "analytics.middleware.AnalyticsMiddleware"
    settings.MIDDLEWARE = [
        f"{__name__}.gatherer" if name == real else name for name in settings.MIDDLEWARE
    ]


def test_the_way_to_the_order_is_told_step_by_step() -> None:
    client = visitor()
    client.get("/checkout/")
    group = order(client)
    Client().post(f"{link_path(group)}pay/", {"method": "tok_ok"})
    assert told == [
        {"name": "begin_checkout", "currency": "EUR"},
        {"name": "add_payment_info", "value_minor": 1500, "currency": "EUR"},
    ]
    assert group.session_key == "visit-1"


def test_a_way_to_pay_that_nobody_offers_tells_nothing() -> None:
    group = order(visitor())
    told.clear()
    Client().post(f"{link_path(group)}pay/", {"method": "x"})
    assert told == []
