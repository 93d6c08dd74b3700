"""The states that people and programs are shown: an unpaid group out of time is `expired` for them.

The row says so only when the clock has come by, moments later; reading changes nothing. A group that
is `expiring` stays so: its channel may still say that it is paid.
"""

from datetime import datetime

from django.db.models import Q

from orders import states
from orders.models import Order, OrderGroup


def is_overdue(group: OrderGroup, at: datetime) -> bool:
    """True for an unpaid group from its deadline on, until the clock has come by."""
    return group.status == states.PENDING_PAYMENT and states.OVERDUE.holds(group, at, ())


def group_state(group: OrderGroup, at: datetime) -> str:
    """The state that the group is shown in at that business time."""
    return states.EXPIRED if is_overdue(group, at) else group.status


def order_state(order: Order, at: datetime) -> str:
    """The state that the order is shown in: called off where its group is shown as expired."""
    waits = order.status == states.PENDING_PAYMENT
    return states.CANCELLED if waits and is_overdue(order.group, at) else order.status


def groups_shown(state: str, at: datetime) -> Q:
    """Groups that are shown in that state."""
    late = Q(status=states.PENDING_PAYMENT, pay_before__lte=at)
    return _shown(state, late, gone=states.EXPIRED)


def orders_shown(state: str, at: datetime) -> Q:
    """Orders that are shown in that state."""
    group_late = Q(group__status=states.PENDING_PAYMENT, group__pay_before__lte=at)
    late = Q(status=states.PENDING_PAYMENT) & group_late
    return _shown(state, late, gone=states.CANCELLED)


def _shown(state: str, late: Q, *, gone: str) -> Q:
    if state == gone:
        return Q(status=state) | late
    return Q(status=state) & ~late if state == states.PENDING_PAYMENT else Q(status=state)
