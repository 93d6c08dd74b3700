"""Stands in for the workers of the post: delivers what is due, until nothing is."""

from django.db.models import F

from core import relay
from core.models import OutboxStream


def deliver_mails() -> None:
    """Events to their consumers, and the mail streams, as a worker would."""
    while relay.deliver(lambda stream_id: None):
        pass
    for stream_id in waiting_mails():
        relay.deliver_external(stream_id)


def waiting_mails() -> list[int]:
    """Mail streams with something to deliver, oldest first."""
    waiting = OutboxStream.objects.filter(aggregate_type="mail", last_seq__gt=F("delivered_seq"))
    return list(waiting.order_by("id").values_list("pk", flat=True))
