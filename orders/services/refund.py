"""Giving back a part of an order's money by hand, without calling anything off."""

from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor
from core.command import command
from core.errors import Invalid
from orders.locks import lock_order
from orders.services.summary import summaries_refresh
from payments.locks import lock_payments
from payments.models import Refund
from payments.selectors import channel_payment
from payments.services.refund import refund_request


@command
def order_refund(
    *, order_id: int, amount_minor: int, reason: str, request_key: str, actor: Actor
) -> Refund:
    """Sends that much of what was paid for an order back, once per `request_key`.

    Locks the group, the order, the payment. Emits `refund.requested`, `refund.approved`.
    Raises Invalid `refund.reason_missing`, `refund.amount`, `refund.exceeds_captured` where no more
    of the order's share can go back; Conflict `refund.key_reused`.
    """
    if not reason.strip():
        raise Invalid("refund.reason_missing", _("Say why."))
    group, order = lock_order(order_id)
    payment = channel_payment(lock_payments(reference=group.id))
    refund = refund_request(
        payment=payment,
        reference=order.id,
        request_key=f"order:{order.id}:{request_key}",
        amount_minor=amount_minor,
        shares=[(order.id, order.merchant_id, amount_minor)],
        actor=actor,
        reason=reason,
    )
    summaries_refresh(group, list(group.orders.all()), actor=actor)
    return refund
