"""The words of the mails: what a template is told of an order, and what is not told at all.

A mail says how things stand when it is written, by the group's words and prices. Reads only.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db.models import Sum
from django.template.loader import render_to_string
from django.utils import translation

from accounts.models import MerchantMember
from core.ids import gene_of
from core.money import Money
from delivery.models import Shipment, ShipmentLine
from delivery.states import SHIPMENT
from orders import states
from orders.addresses import address_lines
from orders.links import link_url
from orders.models import CancelRequest, Order, OrderGroup, OrderLine
from orders.pricing import kept_sums
from orders.selectors.transfers import instructions_for
from orders.sums import PrintedSums, printed
from payments.models import Attempt, Refund
from payments.selectors import attempts_of

MOST_LINES = 40  # in one mail; the order's page has them all
LONGEST_SUBJECT = 200

# Templates for the merchant's people; all others go to the buyer.
TO_SELLERS = ("new_order", "order_waiting", "cancel_asked", "sale_lost")

Role = MerchantMember.Role
HEAR_OF_ORDERS = (Role.OWNER, Role.MANAGER, Role.FULFILMENT)
Context = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail before it is written down; `order_id` where it is about one order of the group."""

    recipient: str
    language: str
    subject: str
    text: str
    html: str
    order_id: int | None


@dataclass(frozen=True, slots=True)
class Matter:
    """What a mail is about; `object_id` is the row of the event, `facts` is what the event carries."""

    group: OrderGroup
    object_id: int
    facts: Mapping[str, Any]

    def order(self, order_id: int | None = None) -> Order:
        """The order of the event, or the named one, with its merchant."""
        rows = Order.objects.select_related("merchant")
        order: Order = rows.get(pk=order_id or self.object_id, shard_key=self.group.shard_key)
        return order


def letters_for(
    *, template: str, group_id: int, object_id: int, facts: Mapping[str, Any]
) -> list[Letter]:
    """A letter per recipient; none where another mail tells it, or it is no longer true."""
    group = OrderGroup.objects.get(pk=group_id, shard_key=gene_of(group_id))
    context = TEMPLATES[template](Matter(group, object_id, facts))
    if context is None:
        return []
    order: Order | None = context.get("order")
    if template in TO_SELLERS and order:
        language, recipients = settings.LANGUAGE_CODE, _sellers(order)
    else:
        language, recipients = group.language, [group.email]
    given = {
        "group": group,
        "link": link_url(group),
        "shop": settings.PUBLIC_URL,
        "total": amount(group.payable_minor, group.currency),
        **context,
    }
    with translation.override(language):
        subject, text, html = (
            render_to_string(f"emails/{template}/{part}", given)
            for part in ("subject.txt", "body.txt", "body.html")
        )
    # One line, whatever stood in a name: a header must not end before we end it.
    line = " ".join(subject.split())[:LONGEST_SUBJECT]
    order_id = order.pk if order else None
    return [Letter(to, language, line, text.strip() + "\n", html, order_id) for to in recipients]


def _sellers(order: Order) -> list[str]:
    """Those of the merchant who ship or answer for it."""
    members = MerchantMember.objects.filter(
        merchant=order.merchant_id, role__in=HEAR_OF_ORDERS, user__is_active=True
    )
    return list(members.order_by("pk").values_list("user__email", flat=True))


def _placed(matter: Matter) -> Context | None:
    """Who has paid or called off meanwhile need not be told to pay."""
    if matter.group.status != states.PENDING_PAYMENT:
        return None
    return {"parts": parts_of(matter.group), "deadline": matter.group.pay_before}


def _to_transfer(matter: Matter) -> Context | None:
    """Who sends the money by hand; where it is here, or another way was chosen, it is no news."""
    attempt = Attempt.objects.get(pk=matter.object_id, shard_key=matter.group.shard_key)
    transfer = instructions_for(attempt)
    if transfer is None:
        return None
    return {"transfer": transfer, "deadline": matter.group.pay_before}


def _incomplete(matter: Matter) -> Context | None:
    """Told with each part that came, as long as something is missing."""
    context = _to_transfer(matter)
    return context if context and context["transfer"].received else None


def _confirmed(matter: Matter) -> Context | None:
    """What is called off meanwhile is told by its own mails, also where that is all of it."""
    parts = parts_of(matter.group)
    if not parts:
        return None
    return {
        "parts": parts,
        "address": address_lines(matter.group.shipping_address),
    }


def _expired(matter: Matter) -> Context:
    """`is_certain` says that no channel owes us an answer, so that nobody was charged."""
    return {
        "parts": parts_of(matter.group),
        "deadline": matter.group.pay_before,
        "is_certain": not any(attempt.is_live for attempt in attempts_of(matter.group.id)),
    }


def _cancelled(matter: Matter) -> Context | None:
    """Of the group before payment, of each order after it; their orders go with an unpaid group."""
    if matter.object_id == matter.group.id:
        return {"parts": parts_of(matter.group, as_placed=True)}
    order, waits = matter.order(), matter.group.status == states.PENDING_PAYMENT
    is_alone = matter.group.status == states.PAID or (waits and "called_off_minor" in matter.facts)
    if not is_alone or order.status != states.CANCELLED:
        return None
    refund_minor = _goes_back_minor(matter, order)
    return {
        "order": order,
        "parts": parts_of(matter.group, [order], as_placed=True),
        "refunded": amount(refund_minor, order.currency) if refund_minor else "",
        "let_go": _let_go(matter, order),
        "is_lapsed": matter.facts.get("cause") == states.LAPSED,
        "is_back": matter.facts.get("cause") == states.REFUSED,
    }


def _lost(matter: Matter) -> Context | None:
    """The merchant hears of what nobody wished: the money failed, or the goods came back."""
    order = matter.order()
    if not matter.facts.get("cause") or order.status != states.CANCELLED:
        return None
    return {"order": order, "is_back": matter.facts["cause"] == states.REFUSED}


def _let_go(matter: Matter, order: Order) -> str:
    """What was only promised and is never charged; '' where that is nothing."""
    minor: int = matter.facts.get("let_go_minor", 0)
    return amount(minor, order.currency) if minor else ""


def _goes_back_minor(matter: Matter, order: Order) -> int:
    """By this cancellation, not by refunds before it. Older events do not say, so all is summed."""
    if "refund_minor" in matter.facts:
        told: int = matter.facts["refund_minor"]
        return told
    refunds = Refund.objects.filter(reference=order.id, shard_key=order.shard_key)
    summed = refunds.exclude(status="declined").aggregate(sum=Sum("amount_minor", default=0))
    total: int = summed["sum"]
    return total


def _reduced(matter: Matter) -> Context | None:
    """Some units of an order are called off, by the event's own count; the rest goes on."""
    order = matter.order()
    units = {int(line_id): n for line_id, n in matter.facts["units"].items()}
    lines = OrderLine.objects.filter(pk__in=units, shard_key=order.shard_key).order_by("pk")
    items = [Item(units[line.pk], line.title, "") for line in lines]
    refund_minor = matter.facts["refund_minor"]
    return {
        "order": order,
        "items": items[:MOST_LINES],
        "more": max(0, len(items) - MOST_LINES),
        "refunded": amount(refund_minor, order.currency) if refund_minor else "",
        "let_go": _let_go(matter, order),
    }


def _asked(matter: Matter) -> Context | None:
    """The buyer wants to call off what is being packed; once that is answered it is no news."""
    request = CancelRequest.objects.get(pk=matter.object_id, shard_key=matter.group.shard_key)
    if request.status != states.REQUESTED:
        return None
    return {"order": matter.order(request.order_id), "request": request}


def _declined(matter: Matter) -> Context:
    request = CancelRequest.objects.get(pk=matter.object_id, shard_key=matter.group.shard_key)
    return {"order": matter.order(request.order_id), "request": request}


def _late(matter: Matter) -> Context | None:
    """Of all refunds only the one of a payment that found its order ended."""
    if not matter.facts["request_key"].startswith("late:"):
        return None
    return {"refunded": amount(matter.facts["amount_minor"], matter.facts["currency"])}


def _delivered(matter: Matter) -> Context:
    order = matter.order()
    return {
        "order": order,
        "parts": parts_of(matter.group, [order]),
        "return_until": order.return_until,
    }


def _new_order(matter: Matter) -> Context | None:
    order = matter.order()
    if order.status == states.CANCELLED:
        return None
    [part] = parts_of(matter.group, [order])
    return {
        "order": order,
        "parts": [part],
        "units": sum(line.kept_quantity for line in order.lines.all()),
        "address": address_lines(matter.group.shipping_address),
        "part_total": part.sums.total,
    }


def _waiting(matter: Matter) -> Context | None:
    """Who has gone on meanwhile need not be reminded."""
    order = matter.order()
    if order.status not in states.TO_DO:
        return None
    return {"order": order, "is_new": order.status == states.PAID}


def _shipped(matter: Matter) -> Context:
    """A parcel: `scope` says whether it holds all of the order, a part, or the last of it."""
    parcel = Shipment.objects.get(pk=matter.object_id, shard_key=matter.group.shard_key)
    order = matter.order(parcel.reference)
    inside = dict(parcel.lines.order_by("reference").values_list("reference", "quantity"))
    lines = list(OrderLine.objects.filter(pk__in=inside).order_by("pk"))
    return {
        "order": order,
        "parcel": parcel,
        "items": [Item(inside[line.pk], line.title, "") for line in lines[:MOST_LINES]],
        "more": max(0, len(lines) - MOST_LINES),
        "scope": _scope(order, parcel),
    }


def _scope(order: Order, parcel: Shipment) -> str:
    earlier = Shipment.objects.filter(
        reference=order.id, shard_key=order.shard_key, pk__lt=parcel.pk
    )
    others = list(earlier.exclude(status__in=SHIPMENT.in_chapter("not_left")))
    left = ShipmentLine.objects.filter(shipment__in=[*others, parcel])
    units = left.aggregate(sum=Sum("quantity"))["sum"]
    if units < sum(line.kept_quantity for line in order.lines.all()):
        return "part"
    return "last" if others else "all"


def _refunded(matter: Matter) -> Context:
    """Of one order, or of the whole group when its money came late or twice."""
    refund = Refund.objects.get(pk=matter.object_id, shard_key=matter.group.shard_key)
    whole = refund.reference == matter.group.id
    return {
        "order": None if whole else matter.order(refund.reference),
        "refunded": amount(refund.amount_minor, refund.currency),
        "is_credit": refund.is_to_credit,
        "is_late": matter.group.status in states.GROUP.in_chapter("ended"),
    }


TEMPLATES: dict[str, Callable[[Matter], Context | None]] = {
    "order_placed_unpaid": _placed,
    "transfer_instructions": _to_transfer,
    "transfer_incomplete": _incomplete,
    "order_confirmed": _confirmed,
    "payment_expired": _expired,
    "late_payment_revived": _confirmed,
    "late_payment_refunded": _late,
    "cancel_done": _cancelled,
    "items_cancelled": _reduced,
    "cancel_requested": _asked,
    "cancel_asked": _asked,
    "cancel_declined": _declined,
    "shipped": _shipped,
    "delivered": _delivered,
    "refund_sent": _refunded,
    "new_order": _new_order,
    "order_waiting": _waiting,
    "sale_lost": _lost,
}


@dataclass(frozen=True, slots=True)
class Item:
    """A line as a mail shows it."""

    quantity: int
    title: str
    total: str


@dataclass(frozen=True, slots=True)
class Part:
    """One merchant's part of a group as a mail shows it; `more` counts lines that are left out."""

    number: str
    merchant: str
    items: list[Item]
    more: int
    delivery_name: str
    sums: PrintedSums


def parts_of(
    group: OrderGroup, orders: Sequence[Order] | None = None, *, as_placed: bool = False
) -> list[Part]:
    """Each merchant's part, or those of the orders given, with what it costs.

    Without what was called off, and without parts of which nothing else is left; or as it was
    placed, where a mail tells that all of it has ended.
    """
    if orders is None:
        orders = list(group.orders.select_related("merchant").order_by("id"))
    lines: dict[int, list[OrderLine]] = defaultdict(list)
    for line in OrderLine.objects.filter(order__in=orders).order_by("order_id", "id"):
        if as_placed or line.kept_quantity:
            lines[line.order_id].append(line)
    told = [order for order in orders if lines[order.pk]]
    room = max(1, MOST_LINES // max(1, len(told)))
    return [_part(order, lines[order.pk], room, as_placed=as_placed) for order in told]


def _part(order: Order, lines: list[OrderLine], room: int, *, as_placed: bool) -> Part:
    units = [line.quantity if as_placed else line.kept_quantity for line in lines]
    items = [
        Item(quantity, line.title, amount(line.unit_price_minor * quantity, order.currency))
        for line, quantity in zip(lines, units, strict=True)
    ]
    return Part(
        number=order.number,
        merchant=order.merchant.name,
        items=items[:room],
        more=max(0, len(items) - room),
        delivery_name=order.delivery_name,
        sums=printed(order if as_placed else kept_sums(order, lines), order.currency),
    )


def amount(amount_minor: int, currency: str) -> str:
    """49.00 EUR."""
    return f"{Money(amount_minor, currency).decimal_text()} {currency}"
