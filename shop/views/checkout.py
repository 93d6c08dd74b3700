"""The checkout in three pages: who and where, how it is delivered, check and place the order."""

from django.http import HttpRequest, HttpResponse

from core.errors import Conflict, DomainError, Invalid, NotFound
from orders.links import link_path
from orders.models import CheckoutRecord, OrderGroup
from orders.selectors.checkout import (
    CheckoutView,
    answers_of,
    checkout_of_cart,
    checkout_of_token,
    checkout_view,
    email_of,
)
from orders.services.checkout import checkout_complete, checkout_update
from shop.errors import PageError, page_errors
from shop.facts import tell
from shop.forms import ContactForm, chosen_ways
from shop.pages import page, see_other, unstored, user_of
from shop.parse import whole_number
from shop.session import CART, buyer_of, cart_of

REVIEW = "review"
BASKET = "shop:basket"


@unstored
def contact(request: HttpRequest) -> HttpResponse:
    """Step 1: who orders and where it goes. A guest's by default."""
    cart, user = cart_of(request), user_of(request)
    if cart is None or not cart.currency:  # the currency is that of its first line
        return see_other(BASKET)
    email = email_of(user) if user else ""
    if request.method != "POST":
        tell(request, "begin_checkout", currency=cart.currency)
        record = checkout_of_cart(cart, user)
        return _contact_page(request, ContactForm(initial=answers_of(record), email=email))
    form = ContactForm(request.POST, email=email)
    try:
        checkout_update(cart_id=cart.pk, answers=form.answers(), actor=buyer_of(request))
    except Conflict:  # placed meanwhile, in another window
        return see_other(BASKET)
    except Invalid as refusal:
        errors = page_errors(refusal)
        form.tell(errors)
        return _contact_page(request, form, errors)
    return see_other(_next(request, "shop:checkout_delivery"))


@unstored
def delivery(request: HttpRequest) -> HttpResponse:
    """Step 2: how each merchant delivers; nothing to ask where each has one way."""
    record = _record(request)
    if record is None:
        return see_other(BASKET)
    view = checkout_view(record, look_at_stock=False)
    if not view.has_contact:
        return see_other("shop:checkout")
    if not view.asks_delivery:
        return see_other("shop:checkout_review")
    if request.method != "POST":
        return _delivery_page(request, view)
    try:
        checkout_update(
            cart_id=record.cart_id,
            delivery_methods=chosen_ways(request.POST),
            actor=buyer_of(request),
        )
    except Conflict:
        return see_other(BASKET)
    except Invalid as refusal:
        return _delivery_page(request, view, page_errors(refusal))
    return see_other("shop:checkout_review")


@unstored
def review(request: HttpRequest) -> HttpResponse:
    """Step 3: everything once more, then the order. Sent twice it is the same order."""
    if request.method == "POST":
        return _place(request)
    record = _record(request)
    if record is None:
        return see_other(BASKET)
    view = checkout_view(record)
    if not view.has_contact:
        return see_other("shop:checkout")
    if not view.has_delivery:
        return see_other("shop:checkout_delivery")
    return _review_page(request, view)


def _place(request: HttpRequest) -> HttpResponse:
    token = request.POST.get("checkout_token", "")
    try:
        group = checkout_complete(
            token=token,
            expected_total_minor=whole_number(request, "total_minor") or 0,
            expected_currency=request.POST.get("currency", ""),
            session_key=str(getattr(request, "session_key_for_figures", "")),
            actor=buyer_of(request),
        )
    except NotFound:
        return see_other(BASKET)
    except DomainError as refusal:
        return _not_placed(request, token, refusal)
    _forget_cart(request, group)
    return see_other(f"{link_path(group)}pay/")


def _not_placed(request: HttpRequest, token: str, refusal: DomainError) -> HttpResponse:
    if refusal.code in ("cart.empty", "cart.placed"):
        return see_other(BASKET)
    view = checkout_view(checkout_of_token(token))
    if not view.has_contact:
        return see_other("shop:checkout")
    return _review_page(request, view, page_errors(refusal))


def _forget_cart(request: HttpRequest, group: OrderGroup) -> None:
    """A new basket begins, unless one has begun already."""
    token = request.session.get(CART)
    if token and checkout_of_token(group.checkout_token).cart.token == token:
        del request.session[CART]


def _record(request: HttpRequest) -> CheckoutRecord | None:
    """The record of the visitor's basket; None where there is nothing to check out."""
    cart = cart_of(request)
    return checkout_of_cart(cart, None) if cart and cart.currency else None


def _next(request: HttpRequest, otherwise: str) -> str:
    """Who came from the last page to change something goes back there."""
    return "shop:checkout_review" if request.POST.get("back") == REVIEW else otherwise


def _contact_page(
    request: HttpRequest, form: ContactForm, errors: list[PageError] | None = None
) -> HttpResponse:
    back = request.POST.get("back") or request.GET.get("back", "")
    context = {"form": form, "step": 1, "back": back if back == REVIEW else ""}
    return page(request, "shop/checkout/contact.html", context, errors or ())


def _delivery_page(
    request: HttpRequest, view: CheckoutView, errors: list[PageError] | None = None
) -> HttpResponse:
    by_field = {error.field: error.message for error in errors or ()}
    asked = [
        (part, by_field.get(f"delivery_{part.merchant.pk}")) for part in view.parts if part.asks
    ]
    context = {"view": view, "asked": asked, "step": 2}
    return page(request, "shop/checkout/delivery.html", context, errors or ())


def _review_page(
    request: HttpRequest, view: CheckoutView, errors: list[PageError] | None = None
) -> HttpResponse:
    context = {"view": view, "sums": view.sums, "step": 3}
    return page(request, "shop/checkout/review.html", context, errors or ())
