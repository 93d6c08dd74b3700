"""More time to pay: the shopper asks for it, or the way to pay that was chosen takes longer."""

from datetime import datetime, timedelta

from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor, system
from core import clock
from core.command import command
from core.errors import Conflict
from core.fsm import fire
from core.locks import require_locked
from orders import states
from orders.locks import lock_group
from orders.models import OrderGroup
from orders.selectors import overdue

EXTENSION = timedelta(minutes=3)


@command
def order_group_extend(*, group_id: int, actor: Actor, seen: datetime | None = None) -> OrderGroup:
    """Gives a shopper who is about to run out of time three more minutes, ten times at most.

    `seen` is the deadline that the shopper was shown: quiet where it has moved since, so that a
    button that is pressed twice spends one extension.
    Locks the group. Emits `order_group.extended`. Raises Conflict `payment.expired`, and
    `state.conflict` where more than five minutes are left, no extension is, or nothing is to pay.
    """
    group = lock_group(group_id)
    moment = clock.now()
    refuse_expired(group, moment)
    if seen and seen != group.pay_before:
        return group
    fields = {
        "pay_before": group.pay_before + EXTENSION,
        "extensions_left": group.extensions_left - 1,
    }
    fire(group, verb="extend", actor=actor, at=moment, fields=fields)
    return group


def prolong(group: OrderGroup, *, term: timedelta | None, moment: datetime) -> None:
    """Lets a locked group wait as long as the chosen way to pay takes; never shorter than it does.

    Part of a service. Emits `order_group.prolonged` where that is longer.
    """
    require_locked(group)
    if term and moment + term > group.pay_before:
        fields = {"pay_before": moment + term}
        fire(group, verb="prolong", actor=system("payment term"), at=moment, fields=fields)


def refuse_expired(group: OrderGroup, moment: datetime) -> None:
    """Raises Conflict `payment.expired` from the deadline on, and where the group has expired."""
    waits = group.status == states.PENDING_PAYMENT
    over = group.status == states.EXPIRING or group.status == states.EXPIRED
    if over or (waits and overdue(group, moment)):
        raise Conflict("payment.expired", _("The time to pay is over."), number=group.number)
