"""Asking for less: a part of what is to be paid was called off before it was paid."""

from django.db.models import F
from django.utils.translation import gettext_lazy as _

from core.errors import Conflict, ProgrammingMistake
from core.locks import require_locked
from payments.channels.base import channel_named
from payments.models import Payment, PaymentShare
from payments.selectors import live_attempt


def payment_reduce(*, payment: Payment, order_id: int, amount_minor: int) -> None:
    """Takes an amount off an open payment and off its order's share. Part of a service.

    `payment` is locked; something of it stays to be paid. Money that takes days is not waited for:
    its attempt stays as it is, and what comes by it too much goes back, see `attempt_tell()`.
    Raises Conflict `payment.in_progress` while somebody is paying it at once, or has paid it, or so
    much of it with store credit that less than the amount is left for the channel.
    """
    require_locked(payment)
    attempt = live_attempt(payment)
    is_awaited = attempt is not None and not channel_named(attempt.channel).term
    if payment.status != "open" or is_awaited or _is_credits(payment, order_id, amount_minor):
        raise Conflict(
            "payment.in_progress",
            _("This is being paid. Wait until the payment has ended, then try again."),
            state=payment.status,
        )
    less = F("amount_minor") - amount_minor
    counted = Payment.objects.filter(
        pk=payment.pk, shard_key=payment.shard_key, amount_minor__gt=amount_minor
    ).update(amount_minor=less)
    counted += PaymentShare.objects.filter(
        payment=payment,
        order_id=order_id,
        shard_key=payment.shard_key,
        amount_minor__gte=amount_minor,
    ).update(amount_minor=less)
    if counted != 2:
        raise ProgrammingMistake(f"{payment!r} can't be reduced by {amount_minor}")
    payment.amount_minor -= amount_minor


def _is_credits(payment: Payment, order_id: int, amount_minor: int) -> bool:
    """True where store credit is paying a part of what is to be taken off."""
    spent = Payment.objects.filter(
        reference=payment.reference,
        shard_key=payment.shard_key,
        tender=Payment.Tender.STORE_CREDIT,
        status="captured",
    )
    if not spent.exists():
        return False
    share = payment.shares.get(order_id=order_id)
    return amount_minor > share.amount_minor or amount_minor >= payment.amount_minor
