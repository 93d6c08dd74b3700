"""How an order is going, in a word or two, and the badge that goes with it."""

from dataclasses import dataclass
from datetime import datetime

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from orders import states
from orders.models import OrderGroup
from orders.selectors.shown import group_state

Word = tuple[str | Promise, str]

BY_STATUS: dict[str, Word] = {
    states.PENDING_PAYMENT: (_("Waiting for payment"), "wait"),
    states.EXPIRING: (_("Waiting for the bank"), "wait"),
    states.EXPIRED: (_("Not paid in time"), "bad"),
    states.CANCELLED: (_("Cancelled"), "bad"),
}
BY_FULFILMENT: dict[str, Word] = {
    "none": (_("Being prepared"), "wait"),
    "partly_shipped": (_("Partly shipped"), "wait"),
    "shipped": (_("Shipped"), "good"),
    "delivered": (_("Delivered"), "good"),
    "returned": (_("Returned"), "bad"),
}
REFUNDED: Word = (_("Refunded"), "bad")


@dataclass(frozen=True, slots=True)
class GroupEntry:
    """A line of a list of orders."""

    group: OrderGroup
    word: str
    badge: str


def entry(group: OrderGroup, at: datetime) -> GroupEntry:
    """What a list says of that group at that time."""
    word, badge = BY_STATUS.get(group_state(group, at)) or BY_FULFILMENT[group.fulfilment_summary]
    if group.payment_summary == OrderGroup.PaymentSummary.REFUNDED:
        word, badge = REFUNDED
    return GroupEntry(group, str(word), badge)
