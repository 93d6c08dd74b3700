"""How orders are told in the consoles: amounts, badges, and a buyer that need not be known."""

from datetime import datetime
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince
from django.utils.translation import gettext_lazy as _

from core.money import Money
from orders import states
from orders.models import Order, OrderGroup

Fulfilled = OrderGroup.FulfilmentSummary
Paid = OrderGroup.PaymentSummary

STATE_WORDS = {
    states.PENDING_PAYMENT: _("awaiting payment"),
    states.EXPIRING: _("expiring"),
    states.PAID: _("paid"),
    states.EXPIRED: _("expired"),
    states.CANCELLED: _("cancelled"),
    states.ACKNOWLEDGED: _("acknowledged"),
    states.PACKING: _("packing"),
    states.SHIPPED: _("shipped"),
    states.DELIVERED: _("delivered"),
    states.COMPLETED: _("completed"),
}
# What an order waits for, where it is the merchant's turn.
TO_DO_WORDS = {
    states.PAID: _("To acknowledge"),
    states.ACKNOWLEDGED: _("To pack"),
    states.PACKING: _("To ship"),
}
PAYMENT_WORDS = {
    Paid.UNPAID: (_("unpaid"), "warning"),
    Paid.AUTHORISED: (_("authorised"), "info"),
    Paid.PARTLY_PAID: (_("partly paid"), "warning"),
    Paid.PAID: (_("paid"), "success"),
    Paid.PARTLY_REFUNDED: (_("partly refunded"), "info"),
    Paid.REFUNDED: (_("refunded"), "info"),
}
FULFILMENT_WORDS = {
    Fulfilled.NONE: (_("not shipped"), "quiet"),
    Fulfilled.PARTLY_SHIPPED: (_("partly shipped"), "info"),
    Fulfilled.SHIPPED: (_("shipped"), "info"),
    Fulfilled.DELIVERED: (_("delivered"), "success"),
    Fulfilled.RETURNED: (_("returned"), "warning"),
}


def amount(minor: int, currency: str) -> str:
    """9.50 EUR."""
    return f"{Money(minor, currency).decimal_text()} {currency}"


def badge(words: tuple[Any, str]) -> SafeString:
    """A word in the colour of its kind."""
    text, kind = words
    return format_html('<span class="badge badge-{}">{}</span>', kind, text)


def payment_of_order(*, captured_minor: int, refunded_minor: int, promised_minor: int = 0) -> Paid:
    """How paid one order is, by its own share: the group's summary tells of other merchants."""
    if refunded_minor:
        return Paid.REFUNDED if refunded_minor >= captured_minor else Paid.PARTLY_REFUNDED
    if captured_minor:
        return Paid.PAID
    return Paid.AUTHORISED if promised_minor else Paid.UNPAID


def fulfilment_of_order(order: Order, shipped: int) -> Fulfilled:
    """How shipped one order is, with the units that have left."""
    if order.status in states.ORDER.in_chapter("delivered"):
        return Fulfilled.DELIVERED
    if order.status in states.ORDER.in_chapter("shipped"):
        return Fulfilled.SHIPPED
    return Fulfilled.PARTLY_SHIPPED if shipped else Fulfilled.NONE


def age(moment: datetime, now: datetime) -> str:
    """2 hours, 3 days: how long ago it was."""
    return timesince(moment, now, depth=1)


def masked(email: str) -> str:
    """Enough of an address to recognise it when it is told."""
    name, _at, domain = email.partition("@")
    return f"{name[:1]}…@{domain}"
