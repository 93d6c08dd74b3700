"""Notes: what merchants and staff write down about an order for each other."""

from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor
from accounts.permissions import own, require_platform
from core import clock
from core.command import command
from core.errors import Invalid, NotFound
from core.ids import gene_of
from orders.models import Note, Order, OrderGroup

LONGEST_NOTE = 2000


@command
def note_add(*, group_id: int, order_id: int | None, text: str, actor: Actor) -> Note:
    """Keeps a note about one order of the group, or with no order about all of it; for good.

    One about an order is its merchant's and the platform's to write and read, one about the group
    the platform's. Locks nothing: a note changes nothing that it is about. Emits nothing.
    Raises Invalid `note.empty`, `note.too_long`; NotFound; Denied `actor.not_platform`.
    """
    text = text.strip()
    if not text:
        raise Invalid("note.empty", _("Write something."))
    if len(text) > LONGEST_NOTE:
        raise Invalid("note.too_long", _("Write at most 2,000 characters."), most=LONGEST_NOTE)
    _require_own(group_id, order_id, actor)
    note = Note.build(
        gene_of(group_id),
        group_id=group_id,
        order_id=order_id,
        text=text,
        actor=str(actor),
        at=clock.now(),
    )
    [written] = Note.objects.bulk_create([note])
    return written


def _require_own(group_id: int, order_id: int | None, actor: Actor) -> None:
    shard_key = gene_of(group_id)
    if order_id is None:
        require_platform(actor)
        exists = OrderGroup.objects.filter(pk=group_id, shard_key=shard_key).exists()
    else:
        orders = Order.objects.filter(pk=order_id, group=group_id, shard_key=shard_key)
        exists = own(orders, actor=actor).exists()
    if not exists:
        raise NotFound("order.unknown", _("There is no such order."), id=str(order_id or group_id))
