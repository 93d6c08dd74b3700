"""One rule for money that goes back from a group with several payments.

Each order's refund takes from the channel's share first, then from store credit: a card gets its
money back as long as there is any of it, and credit that was spent last stays what it was, credit.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Sum
from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor
from core.errors import Conflict, Invalid
from payments.models import Payment, Refund, RefundShare
from payments.selectors import disputed_orders, refundable_minor
from payments.services.refund import refund_ask, refund_request


@dataclass(frozen=True, slots=True)
class Part:
    """What of a refund comes out of one payment, and the suffix that its request key gets."""

    payment: Payment
    amount_minor: int
    suffix: str


def tenders_split(
    *, payments: Sequence[Payment], order_id: int, most_minor: int | None, counts_pending: bool
) -> list[Part]:
    """How an order's refund is taken from its group's payments; None: all that is left.

    Of less than `most_minor` it answers what there is. `counts_pending`: what waits for approval is
    as good as gone. Raises Conflict `refund.chargeback_open`: the buyer's bank has that money.
    """
    _refuse_disputed(order_id)
    parts, ordered = [], sorted(payments, key=lambda payment: (payment.is_credit, payment.pk))
    rest_minor = most_minor
    for number, payment in enumerate(ordered):
        left_minor = refundable_minor(payment, order_id)
        if counts_pending:
            left_minor -= pending_minor(payment, order_id)
        amount_minor = left_minor if rest_minor is None else min(left_minor, rest_minor)
        if amount_minor > 0:
            parts.append(Part(payment, amount_minor, f".{number}" if number else ""))
            if rest_minor is not None:
                rest_minor -= amount_minor
    return parts


def _refuse_disputed(order_id: int) -> None:
    if disputed_orders([order_id]):
        raise Conflict(
            "refund.chargeback_open",
            _("The buyer's bank has taken this money back. Wait until that is decided."),
            order_id=str(order_id),
        )


def pending_minor(payment: Payment, order_id: int) -> int:
    """What of an order's share somebody has to approve before it goes back."""
    parts = RefundShare.objects.filter(
        refund__payment=payment,
        refund__status="pending",
        order_id=order_id,
        shard_key=payment.shard_key,
    )
    waiting: int = parts.aggregate(minor=Sum("amount_minor", default=0))["minor"]
    return waiting


def tenders_refund(
    *,
    parts: Sequence[Part],
    order_id: int,
    merchant_id: int,
    request_key: str,
    actor: Actor,
    reason: str,
    waits: bool = False,
) -> list[Refund]:
    """Requests a refund per part, and approves it unless it `waits`. Part of a service."""
    request = refund_ask if waits else refund_request
    return [
        request(
            payment=part.payment,
            reference=order_id,
            request_key=f"{request_key}{part.suffix}",
            amount_minor=part.amount_minor,
            shares=[(order_id, merchant_id, part.amount_minor)],
            actor=actor,
            reason=reason,
        )
        for part in parts
    ]


def refuse_short(parts: Sequence[Part], amount_minor: int) -> None:
    """Raises Invalid `refund.exceeds_captured` where the parts do not sum to the amount."""
    left_minor = sum(part.amount_minor for part in parts)
    if left_minor != amount_minor:
        raise Invalid(
            "refund.exceeds_captured",
            _("More than was paid can't go back."),
            amount_minor=amount_minor,
            left_minor=left_minor,
        )
