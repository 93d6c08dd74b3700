"""Behind an order's signed link: pay it, see how far it is, begin anew."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.utils.dateparse import parse_datetime
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from accounts.actors import Actor, Role
from accounts.models import Customer
from accounts.selectors import verified_customer
from core.errors import Conflict, Invalid
from orders import states
from orders.links import group_of_link, link_path, link_url
from orders.models import OrderGroup
from orders.selectors.cash import cash_refusal
from orders.selectors.order_page import order_page
from orders.selectors.pay_page import PayPage, pay_page
from orders.selectors.transfers import undirected_transfers
from orders.sentences import Problem
from orders.services.extend import order_group_extend
from orders.services.pay import payment_start, payment_start_with_credit
from orders.services.refill import cart_refill
from orders.tasks import ask_if_expired
from payments.channels import bank_transfer, cash_on_delivery, sandbox
from payments.channels.base import is_known
from shop.errors import PageError, page_error, page_errors
from shop.facts import tell
from shop.pages import of_link, page, see_other, user_of
from shop.session import CART, cart_of

BANK, TRANSFER, BY_HAND, CASH, CARD = "bank", "transfer", "by_hand", "cash", "card"
CHANNELS = {
    TRANSFER: sandbox.TRANSFER,
    BY_HAND: bank_transfer.NAME,
    CASH: cash_on_delivery.NAME,
    CARD: "stripe",
}
CREDIT = "use_store_credit"
# What the sandbox makes of each; only a demo offers them.
TEST_CARDS = {
    "tok_ok": gettext_lazy("Test card: paid at once"),
    "tok_3ds": gettext_lazy("Test card: paid after 3-D Secure"),
    "tok_slow": gettext_lazy("Test card: paid after some seconds"),
    "tok_refused": gettext_lazy("Test card: refused"),
    "tok_insufficient": gettext_lazy("Test card: not enough money"),
    "tok_timeout": gettext_lazy("Test card: the bank stays silent"),
}
SECONDS_BEFORE_FIRST_LOOK, SECONDS_BETWEEN_LOOKS = 2, 5


@of_link
def pay(request: HttpRequest, number: str, key: str) -> HttpResponse:
    """The pay page; where the channel sends its shopper back to, it decides nothing."""
    group = group_of_link(number=number, key=key)
    if request.method == "POST":
        return _start(request, group)
    looked = _look(request, group)
    is_unpaid = group.status in (*states.GROUP.waiting, states.EXPIRED)
    if not is_unpaid or looked.has_come_late:
        return see_other(link_path(group))
    return _pay_page(request, looked)


@require_safe
@of_link
def show(request: HttpRequest, number: str, key: str) -> HttpResponse:
    """The order's page."""
    group = group_of_link(number=number, key=key)
    looked = order_page(group)
    asked = undirected_transfers(group) if looked.awaits_refund else []
    context = {"order": looked, "link": link_path(group), "undirected": asked}
    return page(request, "shop/order/order.html", context)


@require_POST
@of_link
def extend(request: HttpRequest, number: str, key: str) -> HttpResponse:
    """Three more minutes, and back to the pay page: it tells what came of it."""
    group = group_of_link(number=number, key=key)
    try:
        order_group_extend(group_id=group.pk, actor=buyer_of(group), seen=_seen(request))
    except Conflict as refusal:
        ask_if_expired(refusal.code, group.pk)
    else:
        messages.success(request, _("You have 3 more minutes to pay."))
    return see_other(f"{link_path(group)}pay/")


@require_POST
@of_link
def refill(request: HttpRequest, number: str, key: str) -> HttpResponse:
    """Puts the goods of an order that ended back into the basket."""
    group = group_of_link(number=number, key=key)
    cart = cart_of(request)
    try:
        filled = cart_refill(
            group_id=group.pk, cart_id=cart.pk if cart else None, actor=buyer_of(group)
        )
    except Conflict:
        return see_other(link_path(group))
    if cart is None:
        request.session[CART] = filled.cart.token
    for problem in filled.problems:
        messages.warning(request, problem.message)
    return see_other("shop:basket")


def buyer_of(group: OrderGroup) -> Actor:
    """Who has the link acts as the group's buyer."""
    return Actor(Role.BUYER, f"link/{group.number}")


def _seen(request: HttpRequest) -> datetime | None:
    """The deadline that the page showed; None where it names none."""
    try:
        return parse_datetime(request.POST.get("seen", ""))
    except ValueError:
        return None


def _look(request: HttpRequest, group: OrderGroup) -> PayPage:
    """The pay page as this visitor may see it: store credit is its owner's alone."""
    return pay_page(group, owner=_owner(request, group))


def _owner(request: HttpRequest, group: OrderGroup) -> Customer | None:
    """The group's customer, where the login has proved to be it; whoever has the link is not."""
    user = user_of(request)
    customer = verified_customer(user=user) if user else None
    return customer if customer and customer.pk == group.customer_id else None


def _start(request: HttpRequest, group: OrderGroup) -> HttpResponse:
    method, looked = request.POST.get("method", ""), _look(request, group)
    uses_credit = CREDIT in request.POST and bool(looked.usable_credit_minor)
    if method not in _methods(group) and not (uses_credit and looked.credit_pays_all):
        problem = Problem("payment.none_selected", "method")
        return _pay_page(request, looked, [page_error(problem)])
    try:
        _begin(request, group, method, looked.usable_credit_minor if uses_credit else 0)
    except Invalid as refusal:  # it was offered, and can't be had any more
        return _pay_page(request, _look(request, group), page_errors(refusal))
    except Conflict as refusal:
        ask_if_expired(refusal.code, group.pk)
        if refusal.code in ("payment.expired", "credit.short"):
            return _pay_page(request, _look(request, group), page_errors(refusal))
        return see_other(request.path)  # pressed twice, or paid meanwhile: the page tells
    tell(request, "add_payment_info", value_minor=group.payable_minor, currency=group.currency)
    return see_other(request.path)


def _begin(request: HttpRequest, group: OrderGroup, method: str, credit_minor: int) -> None:
    """One service: with store credit, or without."""
    asked: dict[str, Any] = {
        "group_id": group.pk,
        "channel": CHANNELS.get(method, sandbox.NAME),
        "token": method if method in TEST_CARDS else "",
        "return_url": f"{link_url(group)}pay/?returned=1",
        "actor": buyer_of(group),
    }
    if not credit_minor:
        payment_start(**asked)
        return
    owner = _owner(request, group)
    payment_start_with_credit(
        **asked, store_credit_minor=credit_minor, owner_id=owner.pk if owner else None
    )


def _methods(group: OrderGroup) -> dict[str, str | Promise]:
    """The ways to pay that group, with their names."""
    cards = TEST_CARDS if settings.DEMO else {}
    hosted = {CARD: gettext_lazy("Card, on Stripe’s page")} if is_known(CHANNELS[CARD]) else {}
    cash = {} if cash_refusal(group) else {CASH: gettext_lazy("Cash, when it is delivered")}
    ways: dict[str, str | Promise] = {
        **hosted,
        BANK: gettext_lazy("Card, on your bank’s own page"),
        TRANSFER: gettext_lazy("Bank transfer, within 3 days"),
    }
    if bank_transfer.is_offered(group.currency):
        days = settings.BANK_TRANSFER_TERM_DAYS
        ways[BY_HAND] = _("Bank transfer that you send yourself, within %(days)s days") % {
            "days": days
        }
    return {**ways, **cash, **cards}


def _pay_page(
    request: HttpRequest, looked: PayPage, errors: list[PageError] | None = None
) -> HttpResponse:
    returned = "returned" in request.GET
    context = {
        "pay": looked,
        "methods": _methods(looked.group),
        "chosen": request.POST.get("method", ""),
        "uses_credit": CREDIT in request.POST or request.method != "POST",
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
    if looked.is_released or looked.transfer:  # a matter of days, and there is something to copy
        return 0
    if attempt and attempt.status == "created":
        return SECONDS_BEFORE_FIRST_LOOK
    if waits or attempt or looked.is_over:
        return SECONDS_BETWEEN_LOOKS
    return looked.seconds_left + 1
