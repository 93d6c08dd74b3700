"""What was sent, and who stands in for the workers of the post."""

from django.core import mail as post_office
from django.db.models import F

from accounts.models import MerchantMember
from accounts.services import member_add
from core import relay
from core.models import OutboxStream
from orders.models import Mail, Order
from payments.models import Refund
from payments.services.refund import refund_fact_record, refund_send
from tests.factories import TESTER, make_user
from tests.factories.story import CHANNEL


def sent() -> list[str]:
    """Subjects of all that was sent, in order."""
    return [str(message.subject) for message in post_office.outbox]


def templates() -> list[str]:
    return list(Mail.objects.order_by("id").values_list("template", flat=True))


def refund_succeeds(refund: Refund) -> None:
    refund_send(refund_id=refund.pk, actor=TESTER)
    refund_fact_record(
        refund_id=refund.pk,
        kind="refund_succeeded",
        amount_minor=refund.amount_minor,
        currency=refund.currency,
        channel_ref=f"ref_{refund.pk}",
        origin="webhook",
        actor=CHANNEL,
    )


def hire(order: Order, role: MerchantMember.Role) -> str:
    """Somebody new works for the order's merchant; their address."""
    user = make_user()
    member_add(merchant_id=order.merchant_id, user_id=user.pk, role=role, actor=TESTER)
    return user.email


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
