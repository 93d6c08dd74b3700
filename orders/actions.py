"""What a party may do now: one answer for pages, consoles and API, read from the machines.

The services decide again, under the lock.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from accounts.actors import Role
from core import clock
from core.states import Edge
from orders import states
from orders.models import Order, OrderGroup
from orders.selectors.shown import is_overdue


@dataclass(frozen=True, slots=True)
class Action:
    """A verb that is legal now, and until when at the latest (None: the state alone decides)."""

    verb: str
    deadline: datetime | None = None


def group_actions(
    group: OrderGroup, orders: Sequence[Order], role: Role, *, at: datetime | None = None
) -> list[Action]:
    """What that role may do with the whole group of these orders.

    A list asks for the time once and gives it as `at`.
    """
    if group.status != states.PENDING_PAYMENT:  # only its deadline asks for the time
        return _actions(states.GROUP.offers(group, role, group.status_changed_at, orders), None)
    moment = at or clock.now()
    return _actions(states.GROUP.offers(group, role, moment, orders), group.pay_before)


def order_actions(order: Order, role: Role, *, at: datetime | None = None) -> list[Action]:
    """What that role may do with one order; nothing with an unpaid one whose time is over.

    Only an unpaid order asks for the time; a list gives it as `at`.
    """
    if order.status == states.PENDING_PAYMENT and is_overdue(order.group, at or clock.now()):
        return []
    return _actions(states.ORDER.offers(order, role, order.status_changed_at), None)


def _actions(edges: Iterable[Edge], deadline: datetime | None) -> list[Action]:
    return [Action(verb, deadline) for verb in dict.fromkeys(edge.verb for edge in edges)]
