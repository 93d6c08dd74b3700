"""Reminding a merchant of an order that waits for them, once for each thing that they have to do."""

from accounts.actors import Actor
from core.command import command
from core.models import OutboxEvent, StateChange
from core.outbox import Fact, emit
from orders import states
from orders.locks import lock_order
from orders.models import Order

TEMPLATE = "order_waiting"


@command
def merchant_remind(*, order_id: int, after: str, actor: Actor) -> bool:
    """Has the merchant's people told by mail that nothing came `after` a state: `paid`, `acknowledged`.

    Quiet, answering False, where they were told since the order last came into that state, where it
    has gone on, and for customers who get no mail. Locks the group, the order. Emits
    `mail.requested`.
    """
    group, order = lock_order(order_id)
    if order.status not in states.TO_DO or not group.customer.accepts_mail:
        return False
    event_id = _step_into(order, after)
    if _was_told(order, event_id):
        return False
    emit([_request(order, event_id)])
    return True


def is_reminded(order: Order, *, after: str) -> bool:
    """True where `merchant_remind()` would be quiet for ever: once told, a step stays told. No locks."""
    return _was_told(order, _step_into(order, after))


def _step_into(order: Order, state: str) -> str:
    """The event of the last step into it. Some verbs stay there; several lead to `paid`."""
    steps = StateChange.objects.filter(
        shard_key=order.shard_key, noun="order", object_id=order.id, to_state=state
    )
    return str(steps.exclude(from_state=state).latest("seq").event_id)


def _request(order: Order, event_id: str) -> Fact:
    return Fact(
        stream=("mail", order.id),
        shard_key=order.shard_key,
        type="mail.requested",
        object_id=order.id,
        payload={
            "event_id": event_id,
            "template": TEMPLATE,
            "group_id": str(order.group_id),
            "facts": {},
        },
        external=True,
    )


def _was_told(order: Order, event_id: str) -> bool:
    """The order's own stream of mails has reminders only; the lock on the order keeps them single."""
    return OutboxEvent.objects.filter(
        stream__shard_key=order.shard_key,
        stream__aggregate_type="mail",
        stream__aggregate_id=order.id,
        payload__event_id=event_id,
    ).exists()
