"""Mails: written once per event, template and recipient; sent by `orders/mails.py`."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from accounts.actors import Actor
from core import clock
from core.command import command
from core.ids import gene_of
from orders.letters import letters_for
from orders.models import Mail


@command
def mail_write(
    *,
    event_id: UUID,
    template: str,
    group_id: int,
    object_id: int,
    actor: Actor,
    facts: Mapping[str, Any] | None = None,
) -> list[Mail]:
    """Writes the mails that tell of an event; answers those of its mails that have not left.

    `object_id` is the row that the event is about: group, order, request, shipment or refund; `facts`
    is what the event carries. Repeated, what was written keeps its words. Locks nothing, emits nothing.
    """
    shard_key = gene_of(group_id)
    mails = Mail.objects.filter(shard_key=shard_key, event_id=event_id, template=template)
    if not mails.exists():
        letters = letters_for(
            template=template, group_id=group_id, object_id=object_id, facts=facts or {}
        )
        moment = clock.now()
        Mail.objects.bulk_create(
            Mail.build(
                shard_key,
                group_id=group_id,
                order_id=letter.order_id,
                event_id=event_id,
                template=template,
                recipient=letter.recipient,
                language=letter.language,
                subject=letter.subject,
                text=letter.text,
                html=letter.html,
                created_at=moment,
            )
            for letter in letters
        )
    return list(mails.filter(sent_at=None).order_by("id"))


@command
def mail_sent(*, mail_id: int, actor: Actor) -> None:
    """Records that a mail has left; the first time counts. Emits nothing."""
    Mail.objects.filter(pk=mail_id, shard_key=gene_of(mail_id), sent_at=None).update(
        sent_at=clock.now()
    )
