"""Behind an order's signed link: call it off, some of it, or ask the merchant to stop packing it."""

from collections.abc import Sequence

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from core.errors import DomainError, Invalid, NotFound
from orders import states
from orders.links import group_of_link, link_path
from orders.models import OrderGroup
from orders.selectors.order_page import OrderPage, Part, order_page
from orders.selectors.requests import open_request_id
from orders.sentences import Problem, amount
from orders.services.call_off import Cancellation
from orders.services.cancel import order_cancel, order_group_cancel
from orders.services.request import cancel_request_open, cancel_request_withdraw
from orders.tasks import ask_if_expired
from shop.errors import PageError, page_error, page_errors
from shop.pages import of_link, page, see_other
from shop.views.order import buyer_of

REASONS = {
    "changed_mind": gettext_lazy("I changed my mind"),
    "mistake": gettext_lazy("I ordered it by mistake"),
    "too_slow": gettext_lazy("It takes too long"),
    "cheaper": gettext_lazy("I found it cheaper elsewhere"),
    "other": gettext_lazy("Another reason"),
}
UNITS = "units_"


@of_link
def cancel(request: HttpRequest, number: str, key: str, position: int = 0) -> HttpResponse:
    """Shows what calling off would do, and does it: the whole group, or one merchant's order.

    Of one order some units may stay; then what goes back is shown before anything is done. Once it
    is being packed the merchant is asked.
    """
    group = group_of_link(number=number, key=key)
    looked = order_page(group)
    part = _part(looked, position)
    if request.method != "POST":
        return _cancel_page(request, looked, part)
    given = request.POST.get("reason", "")
    reason = given if given in REASONS else ""
    try:
        if part is None:
            done = order_group_cancel(group_id=group.pk, actor=buyer_of(group), reason=reason)
        elif part.may_ask:
            return _asked(request, group, part, reason)
        else:
            units = chosen_units(request.POST, part)
            if not (_is_all(units, part) or _is_checked(request.POST, part)):
                return _check_page(request, looked, part, units)
            done = order_cancel(
                order_id=part.order.pk, quantities=units, actor=buyer_of(group), reason=reason
            )
    except DomainError as refusal:
        ask_if_expired(refusal.code, group.pk)
        errors = _too_late(looked, part) or page_errors(refusal)
        return _cancel_page(request, looked, part, errors)
    messages.success(request, _cancelled(done, part))
    return see_other(link_path(group))


@require_POST
@of_link
def withdraw(request: HttpRequest, number: str, key: str, position: int) -> HttpResponse:
    """The buyer wants the goods after all."""
    group = group_of_link(number=number, key=key)
    part = _part(order_page(group), position)
    assert part is not None, "the address names a position"
    try:
        request_id = open_request_id(part.order)
        cancel_request_withdraw(request_id=request_id, actor=buyer_of(group))
    except DomainError as refusal:
        messages.warning(request, str(refusal.message))
    else:
        messages.success(request, _("The order goes on. We have told the merchant."))
    return see_other(link_path(group))


def chosen_units(posted: QueryDict, part: Part) -> dict[int, int]:
    """Units by line, as chosen on the page; a line that the page did not ask about goes whole.

    Raises Invalid `cancel.quantity` for what is no number, and for more than have not left.
    """
    units = {}
    for line in part.open_lines:
        text = posted.get(f"{UNITS}{line.pk}", str(line.open_quantity)).strip() or "0"
        if not (text.isdecimal() and len(text) < 9 and int(text) <= line.open_quantity):
            facts = {"item": line.title, "most": str(line.open_quantity)}
            raise Invalid("cancel.quantity", Problem("cancel.quantity", facts=facts).message)
        units[line.pk] = int(text)
    return {line_id: chosen for line_id, chosen in units.items() if chosen}


def _is_all(units: dict[int, int], part: Part) -> bool:
    return units == {line.pk: line.open_quantity for line in part.open_lines}


def _is_checked(posted: QueryDict, part: Part) -> bool:
    """True where the check page was sent, and the order is still the one that it told of."""
    return "confirm" in posted and posted.get("version") == str(part.order.version)


def _asked(request: HttpRequest, group: OrderGroup, part: Part, reason: str) -> HttpResponse:
    units = chosen_units(request.POST, part)
    opened = cancel_request_open(
        order_id=part.order.pk,
        quantities=None if _is_all(units, part) else units,
        reason=reason,
        actor=buyer_of(group),
    )
    facts = {
        "merchant": part.order.merchant.name,
        "deadline": f"{opened.deadline:%-d %b, %H:%M} UTC",
    }
    told = _("We have asked %(merchant)s to stop. They have until %(deadline)s to answer.")
    messages.success(request, told % facts)
    return see_other(link_path(group))


def _part(looked: OrderPage, position: int) -> Part | None:
    """The merchant's order of that position; None for the whole. Raises NotFound."""
    if not position:
        return None
    for part in looked.parts:
        if part.position == position:
            return part
    raise NotFound("order.unknown", gettext_lazy("There is no such order."))


def _too_late(looked: OrderPage, part: Part | None) -> list[PageError]:
    """Who has packed already, in the catalogue's words; nothing where something can be done."""
    if (part.may_cancel or part.may_ask) if part else "cancel" in looked.verbs:
        return []
    return [
        page_error(Problem("cancel.too_late", facts={"merchant": each.order.merchant.name}))
        for each in ([part] if part else looked.parts)
        if not (each.may_cancel or each.order.status == states.CANCELLED)
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


def _check_page(
    request: HttpRequest, looked: OrderPage, part: Part, units: dict[int, int]
) -> HttpResponse:
    """What would happen to these units, found out by the service itself. Raises DomainError."""
    told = order_cancel(
        order_id=part.order.pk,
        quantities=units,
        actor=buyer_of(looked.group),
        reason="",
        dry_run=True,
    )
    currency = told.currency
    context = {
        "order": looked,
        "part": part,
        "items": [
            (told.units[line.pk], line.title, f"{UNITS}{line.pk}", units[line.pk])
            for line in part.open_lines
            if line.pk in told.units
        ],
        "kept": [
            (f"{UNITS}{line.pk}", units.get(line.pk, 0))
            for line in part.open_lines
            if line.pk not in told.units
        ],
        "back": amount(told.refund_minor, currency) if told.refund_minor else "",
        "let_go": amount(told.let_go_minor, currency) if told.let_go_minor else "",
        "version": part.order.version,
        "reason": request.POST.get("reason", ""),
        "link": link_path(looked.group),
    }
    return page(request, "shop/order/cancel_check.html", context)


def _cancelled(done: Cancellation, part: Part | None) -> str:
    """Told of what the service has done: money may have come since the order was looked at."""
    if not done.units:
        return _("This is cancelled already.")
    if part and done.refund_minor:
        facts = {"merchant": part.order.merchant.name}
        told = _("Cancelled with %(merchant)s. What you paid for it goes back to you.")
        return told % facts
    if done.refund_minor:
        return _("Your order is cancelled. What you paid goes back to you.")
    if done.let_go_minor:
        return _("Cancelled. What was kept ready to pay for it is let go: you are not charged.")
    if part:
        return _("Cancelled. You need not pay for it any more.")
    return _("Your order is cancelled. You have not been charged.")
