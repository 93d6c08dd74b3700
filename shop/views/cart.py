"""The basket: what is in it, and every change of it."""

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from accounts.guessing import guessing
from catalog.selectors import skus_for_sale
from core.errors import DomainError, NotFound, TooOften
from orders.models import Cart
from orders.selectors.basket_page import BasketLine, basket_page
from orders.services.cart import (
    MOST_UNITS_PER_LINE,
    Change,
    cart_line_add,
    cart_line_remove,
    cart_line_set,
    cart_settle,
)
from orders.services.voucher import cart_voucher_remove, cart_voucher_set
from shop.pages import see_other
from shop.parse import as_number, whole_number
from shop.session import buyer_of, cart_for, cart_of, cart_token

SHORTEST_SELECT = 10
CartView = Callable[..., HttpResponse]


@never_cache
@require_safe
def basket(request: HttpRequest) -> HttpResponse:
    """The basket by merchant; `?removed=` offers to take the last removal back, for one view."""
    return _basket(request, {"removed": _removed(request)})


def _basket(request: HttpRequest, context: dict[str, Any], status: int = 200) -> HttpResponse:
    page = basket_page(token=cart_token(request), user_id=request.user.pk)
    parts = [(part, [(line, _quantities(line)) for line in part.lines]) for part in page.parts]
    given = {"basket": page, "parts": parts, "shop_basket_units": page.units, **context}
    return render(request, "shop/basket.html", given, status=status)


def own_cart(view: CartView) -> CartView:
    """Gives the view the visitor's cart; 404 where there is none. What is refused is said there."""

    @require_POST
    @wraps(view)
    def run(request: HttpRequest, **given: Any) -> HttpResponse:
        cart = cart_of(request)
        if cart is None:
            raise NotFound("cart.unknown", _("There is no such basket."))
        try:
            return view(request, cart, **given)
        except DomainError as refusal:
            errors = {"basket": str(refusal.message)}
            return _basket(request, {"errors": errors}, status=422)

    return run


@own_cart
def set_quantity(request: HttpRequest, cart: Cart, sku_id: int) -> HttpResponse:
    """As many units of a line as were asked for."""
    cart_line_set(
        cart_id=cart.pk,
        sku_id=sku_id,
        quantity=whole_number(request, "quantity") or 0,
        actor=buyer_of(request),
    )
    return see_other("shop:basket")


@own_cart
def remove(request: HttpRequest, cart: Cart, sku_id: int) -> HttpResponse:
    """Takes a line out, sold out or not, and offers to put it back."""
    line = cart.lines.filter(sku_id=sku_id).first()
    cart_line_remove(cart_id=cart.pk, sku_id=sku_id, actor=buyer_of(request))
    quantity = line.quantity if line else 1
    query = urlencode({"removed": sku_id, "quantity": quantity})
    return see_other(f"{reverse('shop:basket')}?{query}")


@require_POST
def put_back(request: HttpRequest, sku_id: int) -> HttpResponse:
    """Undoes a removal."""
    try:
        cart_line_add(
            cart_id=cart_for(request).pk,
            sku_id=sku_id,
            quantity=whole_number(request, "quantity") or 0,
            actor=buyer_of(request),
        )
    except DomainError as refusal:
        return _basket(request, {"errors": {"basket": str(refusal.message)}}, status=422)
    return see_other("shop:basket")


@own_cart
def settle(request: HttpRequest, cart: Cart) -> HttpResponse:
    """Takes today's prices, and no more units than there are."""
    for change in cart_settle(cart_id=cart.pk, actor=buyer_of(request)):
        messages.warning(request, _cut(change))
    return see_other("shop:basket")


@own_cart
def voucher_set(request: HttpRequest, cart: Cart) -> HttpResponse:
    """Enters a voucher's code; what it is not good for is said at the field, with what was typed."""
    code = request.POST.get("voucher", "")
    limits = {"voucher": f"cart:{cart.pk}", "voucher_visitor": ""}
    try:
        with guessing(request, limits=limits, wrong="voucher.unknown"):
            cart_voucher_set(cart_id=cart.pk, code=code, actor=buyer_of(request))
    except DomainError as refusal:
        told = {"errors": {"voucher": str(refusal.message)}, "typed": code}
        return _basket(request, told, 429 if isinstance(refusal, TooOften) else 422)
    return see_other("shop:basket")


@own_cart
def voucher_remove(request: HttpRequest, cart: Cart) -> HttpResponse:
    """Takes the voucher out."""
    cart_voucher_remove(cart_id=cart.pk, actor=buyer_of(request))
    return see_other("shop:basket")


def _removed(request: HttpRequest) -> dict[str, Any] | None:
    """What may be put back: it is still sold, and the address names it."""
    sku_id = as_number(request.GET.get("removed", ""))
    sku = skus_for_sale([sku_id]).get(sku_id) if sku_id else None
    quantity = as_number(request.GET.get("quantity", "")) or 1
    return {"sku": sku, "quantity": min(quantity, MOST_UNITS_PER_LINE)} if sku else None


def _quantities(line: BasketLine) -> list[int]:
    """What the line's select offers: a few, and what it has."""
    most = min(SHORTEST_SELECT, max(line.available, 1))
    return sorted({*range(1, most + 1), line.quantity})


def _cut(change: Change) -> str:
    facts = {"item": change.sku.product.title, "left": change.after, "old": change.before}
    return (
        _("Only %(left)s of %(item)s left. We have changed your quantity from %(old)s to %(left)s.")
        % facts
    )
