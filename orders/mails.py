"""Event → mail: the one list of what is told to whom, and how a mail leaves.

The relay only notes that an event is to be told; words are found and mails sent by the workers, so
nothing of an order waits for a mail. Customers who get no mail, imported ones, cause none at all,
not for the merchant either.
"""

from collections.abc import Iterable
from email.utils import format_datetime
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMultiAlternatives

from accounts.actors import system
from core.crash import crash_point
from core.ids import new_id
from core.outbox import Event, Fact, emit, external, on_batch
from orders.models import Mail, Order, OrderGroup
from orders.services.mail import mail_sent, mail_write

POST = system("mail")

# Event → templates, as in `templates/emails/`. `orders/letters.py` says to whom each goes, and leaves
# out what another mail tells already or is no longer true.
TELLS: dict[str, tuple[str, ...]] = {
    "order_group.placed": ("order_placed_unpaid",),
    "order_group.paid": ("order_confirmed",),
    "order_group.reinstated": ("late_payment_revived",),
    "order_group.expired": ("payment_expired",),
    "order_group.cancelled": ("cancel_done",),
    "order.paid": ("new_order",),
    "order.reinstated": ("new_order",),
    "order.cancelled": ("cancel_done", "sale_lost"),
    "order.reduced": ("items_cancelled",),
    "order.delivered": ("delivered",),
    "cancel_request.requested": ("cancel_requested", "cancel_asked"),
    "cancel_request.declined": ("cancel_declined",),
    "shipment.handed_over": ("shipped",),
    "refund.approved": ("late_payment_refunded",),
    "refund.succeeded": ("refund_sent",),
}


@on_batch(*TELLS)
def request_mails(events: list[Event]) -> None:
    """Each mail that an event asks for becomes an external stream of its own.

    So a mail that can't be sent holds up no other.
    """
    groups = _group_ids(events)
    told = set(
        OrderGroup.objects.filter(
            pk__in=set(groups.values()), customer__accepts_mail=True
        ).values_list("pk", flat=True)
    )
    emit(
        [
            _request(event, template, groups[event.id])
            for event in events
            if groups[event.id] in told
            for template in TELLS[event.type]
        ]
    )


def _group_ids(events: Iterable[Event]) -> dict[UUID, int]:
    """The group that each event is about. A parcel knows its order only."""
    orders = [int(e.payload["reference"]) for e in events if e.aggregate_type == "shipment"]
    group_of_order = dict(Order.objects.filter(pk__in=orders).values_list("pk", "group_id"))
    found = {}
    for event in events:
        match event.aggregate_type:
            case "order_group":
                found[event.id] = event.object_id
            case "order" | "cancel_request":
                found[event.id] = int(event.payload["group_id"])
            case "shipment":
                found[event.id] = group_of_order[int(event.payload["reference"])]
            case _:
                found[event.id] = int(event.payload["payment_reference"])
    return found


def _request(event: Event, template: str, group_id: int) -> Fact:
    return Fact(
        stream=("mail", new_id(event.shard_key)),
        shard_key=event.shard_key,
        type="mail.requested",
        object_id=event.object_id,
        payload={
            "event_id": str(event.id),
            "template": template,
            "group_id": str(group_id),
            "facts": event.payload,
        },
        external=True,
    )


@external("mail", patient=True)
def send_mails(event: Event) -> None:
    """Writes what an event has to tell, sends it, and records that it left.

    Who dies between sending and recording sends once more; the Message-ID is the same, by which
    mailboxes know the second for the first.
    """
    mails = mail_write(
        event_id=UUID(event.payload["event_id"]),
        template=event.payload["template"],
        group_id=int(event.payload["group_id"]),
        object_id=event.object_id,
        facts=event.payload.get("facts", {}),  # older requests carry none
        actor=POST,
    )
    for mail in mails:
        message(mail).send()
        crash_point("after_mail_before_commit")
        mail_sent(mail_id=mail.id, actor=POST)


def message(mail: Mail) -> EmailMultiAlternatives:
    """The mail as it goes out: text and HTML, the same however often it is made."""
    made = EmailMultiAlternatives(
        subject=mail.subject,
        body=mail.text,
        to=[mail.recipient],
        headers={
            "Message-ID": f"<mail.{mail.id}@{urlsplit(settings.PUBLIC_URL).hostname}>",
            "Date": format_datetime(mail.created_at),
            "Auto-Submitted": "auto-generated",
        },
    )
    made.attach_alternative(mail.html, "text/html")
    return made
