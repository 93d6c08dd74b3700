"""Behind an order's signed link: pay it, see how far it is, call it off, begin anew."""

from collections.abc import Sequence

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from accounts.actors import Actor, Role
from core.errors import Conflict, DomainError, NotFound
from orders import states
from orders.links import group_of_link, link_path, link_url
from orders.models import OrderGroup
from orders.selectors.order_page import OrderPage, Part, order_page
from orders.selectors.pay_page import PayPage, pay_page
from orders.sentences import Problem
from orders.services.call_off import Cancellation
from orders.services.cancel import order_cancel, order_group_cancel
from orders.services.pay import payment_start
from orders.services.refill import cart_refill
from shop.errors import PageError, page_error, page_errors
from shop.facts import tell
from shop.pages import of_link, page, see_other
from shop.session import CART, cart_of

CHANNEL = "sandbox"
BANK = "bank"
# What the sandbox makes of each; only a demo offers them.
TEST_CARDS = {
    "tok_ok": gettext_lazy("Test card: paid at once"),
    "tok_3ds": gettext_lazy("Test card: paid after 3-D Secure"),
    "tok_slow": gettext_lazy("Test card: paid after some seconds"),
    "tok_refused": gettext_lazy("Test card: refused"),
    "tok_insufficient": gettext_lazy("Test card: not enough money"),
    "tok_timeout": gettext_lazy("Test card: the bank stays silent"),
}
REASONS = {
    "changed_mind": gettext_lazy("I changed my mind"),
    "mistake": gettext_lazy("I ordered it by mistake"),
    "too_slow": gettext_lazy("It takes too long"),
    "cheaper": gettext_lazy("I found it cheaper elsewhere"),
    "other": gettext_lazy("Another reason"),
}
SECONDS_BEFORE_FIRST_LOOK, SECONDS_BETWEEN_LOOKS = 2, 5


@of_link
def pay(request: HttpRequest, number: str, key: str) -> HttpResponse:
    """The pay page; where the channel sends its shopper back to, it decides nothing."""
    group = group_of_link(number=number, key=key)
    if request.method == "POST":
        return _start(request, group)
    looked = pay_page(group)
    if group.status in (states.PAID, states.CANCELLED) or looked.has_come_late:
        return see_other(link_path(group))
    return _pay_page(request, looked)


@require_safe
@of_link
def show(request: HttpRequest, number: str, key: str) -> HttpResponse:
    """The order's page."""
    group = group_of_link(number=number, key=key)
    context = {"order": order_page(group), "link": link_path(group)}
    return page(request, "shop/order/order.html", context)


@of_link
def cancel(request: HttpRequest, number: str, key: str, position: int = 0) -> HttpResponse:
    """Shows what calling off would do, and does it: the whole group, or one merchant's order."""
    group = group_of_link(number=number, key=key)
    looked = order_page(group)
    part = _part(looked, position)
    if request.method != "POST":
        return _cancel_page(request, looked, part)
    given = request.POST.get("reason", "")
    reason = given if given in REASONS else ""
    try:
        if part:
            done = order_cancel(order_id=part.order.pk, actor=_buyer(group), reason=reason)
        else:
            done = order_group_cancel(group_id=group.pk, actor=_buyer(group), reason=reason)
    except DomainError as refusal:
        errors = _too_late(looked, part) or page_errors(refusal)
        return _cancel_page(request, looked, part, errors)
    messages.success(request, _cancelled(done, part))
    return see_other(link_path(group))


@require_POST
@of_link
def refill(request: HttpRequest, number: str, key: str) -> HttpResponse:
    """Puts the goods of an order that ended back into the basket."""
    group = group_of_link(number=number, key=key)
    cart = cart_of(request)
    try:
        filled = cart_refill(
            group_id=group.pk, cart_id=cart.pk if cart else None, actor=_buyer(group)
        )
    except Conflict:
        return see_other(link_path(group))
    if cart is None:
        request.session[CART] = filled.cart.token
    for problem in filled.problems:
        messages.warning(request, problem.message)
    return see_other("shop:basket")


def _buyer(group: OrderGroup) -> Actor:
    """Who has the link acts as the group's buyer."""
    return Actor(Role.BUYER, f"link/{group.number}")


def _start(request: HttpRequest, group: OrderGroup) -> HttpResponse:
    method = request.POST.get("method", "")
    if method not in _methods():
        problem = Problem("payment.none_selected", "method")
        return _pay_page(request, pay_page(group), [page_error(problem)])
    try:
        payment_start(
            group_id=group.pk,
            channel=CHANNEL,
            token="" if method == BANK else method,
            return_url=f"{link_url(group)}pay/?returned=1",
            actor=_buyer(group),
        )
    except Conflict as refusal:
        if refusal.code == "payment.expired":
            return _pay_page(request, pay_page(group), page_errors(refusal))
        return see_other(request.path)  # pressed twice, or paid meanwhile: the page tells
    tell(request, "add_payment_info", value_minor=group.payable_minor, currency=group.currency)
    return see_other(request.path)


def _methods() -> dict[str, str | Promise]:
    """The ways to pay, with their names."""
    cards = TEST_CARDS if settings.DEMO else {}
    return {BANK: gettext_lazy("Card, on your bank’s own page"), **cards}


def _pay_page(
    request: HttpRequest, looked: PayPage, errors: list[PageError] | None = None
) -> HttpResponse:
    returned = "returned" in request.GET
    context = {
        "pay": looked,
        "methods": _methods(),
        "chosen": request.POST.get("method", ""),
        "waits": _waits(looked, returned=returned),
        "expired": Problem(
            "payment.expired", facts={"time": f"{looked.group.pay_before:%H:%M} UTC"}
        ),
        "unknown": Problem("payment.unknown"),
        "link": link_path(looked.group),
        "step": 4,
    }
    response = page(request, "shop/order/pay.html", context, errors or ())
    if seconds := _seconds_to_refresh(looked, waits=bool(context["waits"])):
        response["Refresh"] = f"{seconds}; url={request.path}{'?returned=1' if returned else ''}"
    return response


def _waits(looked: PayPage, *, returned: bool) -> bool:
    """Only the channel can go on, or the shop: no answer yet, or the shopper has come back from it,
    or the money has come and the order will be paid in a moment.
    """
    attempt = looked.open_try
    if attempt is None:
        return looked.has_succeeded
    return returned or attempt.status != "requires_action"


def _seconds_to_refresh(looked: PayPage, *, waits: bool) -> int:
    """When the page looks again by itself; 0 where nothing can change.

    While there is something to choose, not before the deadline: a choice would be lost.
    """
    attempt = looked.open_try
    if looked.is_released:
        return 0
    if attempt and attempt.status == "created":
        return SECONDS_BEFORE_FIRST_LOOK
    if waits or attempt or looked.is_over:
        return SECONDS_BETWEEN_LOOKS
    return looked.seconds_left + 1


def _part(looked: OrderPage, position: int) -> Part | None:
    """The merchant's order of that position; None for the whole. Raises NotFound."""
    if not position:
        return None
    for part in looked.parts:
        if part.position == position:
            return part
    raise NotFound("order.unknown", gettext_lazy("There is no such order."))


def _too_late(looked: OrderPage, part: Part | None) -> list[PageError]:
    """Who has packed already, in the catalogue's words; nothing where it can be called off."""
    if part.may_cancel if part else "cancel" in looked.verbs:
        return []
    return [
        page_error(Problem("cancel.too_late", facts={"merchant": each.order.merchant.name}))
        for each in ([part] if part else looked.parts)
        if each.order.status in (states.PACKING, states.SHIPPED, states.DELIVERED)
    ]


def _cancel_page(
    request: HttpRequest,
    looked: OrderPage,
    part: Part | None,
    errors: Sequence[PageError] = (),
) -> HttpResponse:
    context = {
        "order": looked,
        "part": part,
        "parts": [part] if part else looked.live_parts,
        "too_late": () if errors else _too_late(looked, part),
        "possible": part.may_cancel if part else "cancel" in looked.verbs,
        "reasons": REASONS,
        "chosen": request.POST.get("reason", ""),
        "link": link_path(looked.group),
    }
    return page(request, "shop/order/cancel.html", context, errors)


def _cancelled(done: Cancellation, part: Part | None) -> str:
    """Told of what the service has done: money may have come since the order was looked at."""
    if not done.refund_minor:
        return _("Your order is cancelled. You have not been charged.")
    if part:
        facts = {"merchant": part.order.merchant.name}
        told = _("The order from %(merchant)s is cancelled. What you paid for it goes back to you.")
        return told % facts
    return _("Your order is cancelled. What you paid goes back to you.")
