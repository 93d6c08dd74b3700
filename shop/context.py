"""What the frame of every page shows. Nothing is read before a template asks for it."""

from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from orders.selectors.basket_page import basket_units
from shop.cached import categories
from shop.session import cart_token


def frame(request: HttpRequest) -> dict[str, Any]:
    """The top categories and the units in the basket: one query at most, none for a new guest."""
    return {
        "shop_categories": SimpleLazyObject(_top_categories),
        "shop_basket_units": SimpleLazyObject(lambda: _units(request)),
    }


def _top_categories() -> list[Any]:
    return [category for category in categories() if category.depth == 1]


def _units(request: HttpRequest) -> int:
    token, user_id = cart_token(request), request.user.pk
    return basket_units(token=token, user_id=user_id) if token or user_id else 0
