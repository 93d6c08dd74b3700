"""Taking up again what stands half-way, whatever has stopped it."""

from accounts.actors import Actor
from core.command import command
from core.fsm import fire
from inventory.locks import lock_reservations
from inventory.services import reservation_commit
from orders import states
from orders.locks import lock_group_with_orders
from orders.models import OrderGroup, OrderLine
from orders.services.summary import summaries_refresh


@command
def order_group_resume(*, group_id: int, actor: Actor) -> OrderGroup:
    """What a paid group still lacks: its orders are paid, its stock is theirs. Else it is quiet.

    Locks the group, its orders, the reservations. Emits `order.paid`.
    Raises Conflict `reservation.released` where the stock is gone: then a person has to decide.
    """
    group, orders = lock_group_with_orders(group_id)
    if group.status != states.PAID:
        return group
    pending = [order for order in orders if order.status == states.PENDING_PAYMENT]
    to_do = [order for order in orders if order in pending or order.status in states.TO_DO]
    lines = [line.pk for line in OrderLine.objects.filter(order__in=to_do) if line.open_quantity]
    lock_reservations(lines)
    fire(pending, verb="pay", actor=actor)
    summaries_refresh(group, orders, actor=actor)
    reservation_commit(references=lines, actor=actor)
    return group
