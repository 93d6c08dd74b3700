"""Looking around: home, categories, search, merchants, and the page of a product."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from catalog.models import Product, Sku
from catalog.search import Wanted
from catalog.selectors import product_page, published_products
from core.errors import DomainError, Invalid, NotFound
from delivery.selectors import offers
from inventory.selectors import available
from orders.services.cart import cart_line_add
from shop import cached
from shop.facts import tell
from shop.listing import LONGEST_TEXT, listing
from shop.pages import see_other
from shop.parse import whole_number
from shop.session import buyer_of, cart_for

NEWEST_ON_HOME = 12
MOST_IN_SELECT = 10


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """The first page. Its lists are read when the cached fragment is written anew."""
    return render(
        request,
        "shop/home.html",
        {
            "newest": lambda: published_products(limit=NEWEST_ON_HOME).products,
            "merchants": cached.merchants,
        },
    )


@require_safe
def category(request: HttpRequest, slug: str) -> HttpResponse:
    """The goods of a category and of those below it."""
    tree = cached.categories()
    here = next((entry for entry in tree if entry.slug == slug), None)
    if here is None:
        raise NotFound("category.unknown", _("There is no such category."))
    context = {
        "category": here,
        "above": [c for c in tree if here.path.startswith(c.path) and c != here],
        "below": [c for c in tree if c.path.startswith(here.path) and c.depth == here.depth + 1],
        "listing": listing(request.GET, Wanted(category_path=here.path)),
    }
    return render(request, "shop/category.html", context)


@require_safe
def search(request: HttpRequest) -> HttpResponse:
    """Goods by words; all goods without any."""
    text = request.GET.get("q", "").replace("\0", "").strip()[:LONGEST_TEXT]
    context = {"search_text": text, "listing": listing(request.GET, Wanted(text=text))}
    return render(request, "shop/search.html", context)


@require_safe
def merchant(request: HttpRequest, slug: str) -> HttpResponse:
    """Who a merchant is, and what it sells."""
    here = next((entry for entry in cached.merchants() if entry.slug == slug), None)
    if here is None:
        raise NotFound("merchant.unknown", _("There is no such merchant."))
    context = {"merchant": here, "listing": listing(request.GET, Wanted(merchant_id=here.id))}
    return render(request, "shop/merchant.html", context)


@require_safe
def product(request: HttpRequest, slug: str) -> HttpResponse:
    """What one product is, costs, and whether it can be had."""
    shown = product_page(slug=slug)
    if first := shown.skus.first():
        tell(request, "view_item", **_fact(shown, first, 1))
    return _product_page(request, shown, {})


@require_POST
def add(request: HttpRequest, slug: str) -> HttpResponse:
    """Puts units of one of the product's SKUs into the basket, and goes there."""
    shown = product_page(slug=slug)
    sku_id, quantity = whole_number(request, "sku"), whole_number(request, "quantity") or 0
    sku = next((sku for sku in shown.skus.all() if sku.pk == sku_id), None)
    if sku is None:
        return _product_page(request, shown, {"sku": _("Select which one you want")})
    try:
        cart = cart_for(request)
        cart_line_add(
            cart_id=cart.pk,
            sku_id=sku.pk,
            quantity=quantity,
            actor=buyer_of(request),
        )
    except DomainError as refusal:
        return _product_page(request, shown, {_field_of(refusal): str(refusal.message)})
    tell(request, "add_to_cart", **_fact(shown, sku, quantity))
    return see_other("shop:basket")


def _field_of(refusal: DomainError) -> str:
    wrong_number = isinstance(refusal, Invalid) and refusal.code == "line.quantity"
    return "quantity" if wrong_number else "sku"


def _product_page(request: HttpRequest, shown: Product, errors: dict[str, str]) -> HttpResponse:
    skus = list(shown.skus.all())
    units = available([sku.pk for sku in skus])
    given = whole_number(request, "sku") if request.method == "POST" else None
    chosen = next((sku.pk for sku in skus if given in (None, sku.pk) and units[sku.pk] > 0), None)
    most = max(units.values(), default=0)
    context: dict[str, Any] = {
        "product": shown,
        "variants": [(sku, units[sku.pk], sku.pk == chosen) for sku in skus],
        "pictures": list(shown.images.all()),
        "most": most,
        "quantities": range(1, min(most, MOST_IN_SELECT) + 1),
        "quantity": whole_number(request, "quantity") or 1,
        "delivery": offers([shown.merchant_id]).get(shown.merchant_id, []),
        "errors": errors,
    }
    return render(request, "shop/product.html", context, status=422 if errors else 200)


def _fact(shown: Product, sku: Sku, quantity: int) -> dict[str, Any]:
    return {
        "product_id": str(shown.pk),
        "sku_id": str(sku.pk),
        "merchant_id": str(shown.merchant_id),
        "value_minor": sku.price_minor * quantity,
        "currency": sku.currency,
        "quantity": quantity,
    }
