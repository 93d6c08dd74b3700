"""What a party may do now: one answer for pages, consoles and API. The services decide again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from accounts.actors import Role
from core import clock
from orders import states
from orders.models import Order, OrderGroup

SELLERS = frozenset({Role.MERCHANT, Role.STAFF})
# The last state in which the buyer may still call an order off alone: packing has not begun.
BUYER_MAY_CANCEL = frozenset({states.PAID, states.ACKNOWLEDGED})


@dataclass(frozen=True, slots=True)
class Action:
    """A verb that is legal now, and until when at the latest (None: the state alone decides)."""

    verb: str
    deadline: datetime | None = None


def group_actions(
    group: OrderGroup, orders: Sequence[Order], role: Role, *, at: datetime | None = None
) -> list[Action]:
    """What that role may do with the whole group: `pay` and `cancel`, the buyer and the staff.

    A list asks for the time once and gives it as `at`.
    """
    if role not in (Role.BUYER, Role.STAFF):
        return []
    if group.status == states.PENDING_PAYMENT and (at or clock.now()) < group.pay_before:
        return [Action("pay", group.pay_before), Action("cancel", group.pay_before)]
    live = [order for order in orders if order.status != states.CANCELLED]
    if group.status == states.PAID and live and all(_cancellable(order, role) for order in live):
        return [Action("cancel")]
    return []


def order_actions(order: Order, role: Role) -> list[Action]:
    """What that role may do with one order of a paid group, in the order of its life.

    Reads nothing: a partly shipped order that lists `cancel` is refused by the service.
    """
    verbs = []
    if role in SELLERS:
        forward = ("acknowledge", "start_packing", "ship")
        verbs = [verb for verb in forward if states.ORDER.may(verb, order.status)]
    if role in (Role.BUYER, Role.STAFF) and states.ORDER.may("deliver", order.status):
        verbs.append("deliver")
    if order.status != states.PENDING_PAYMENT and _cancellable(order, role):
        verbs.append("cancel")
    return [Action(verb) for verb in verbs]


def _cancellable(order: Order, role: Role) -> bool:
    if role == Role.BUYER:
        return order.status in BUYER_MAY_CANCEL
    return role in SELLERS and states.ORDER.may("cancel", order.status)
