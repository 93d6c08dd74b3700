"""What a merchant has earned: the completion of an order moves its money out of escrow."""

from collections.abc import Sequence
from datetime import datetime

from accounts.actors import Actor
from core.money import allocate
from payments.models import LedgerTransaction, Payment, PaymentShare
from payments.services.ledger import Leg, post


def order_accrue(
    *,
    order_id: int,
    merchant_id: int,
    payments: Sequence[Payment],
    total_minor: int,
    commission_minor: int,
    actor: Actor,
    at: datetime | None = None,
) -> LedgerTransaction | None:
    """Books a completed order once: what is left of its captured share, to merchant and house.

    Part of a service that has locked `payments`, all of the group. Total and commission are those
    frozen at placing; the commission is prorated to what is left of the total, be it that units
    were called off before the payment or that money went back. None where nothing is left.
    """
    captured = {payment.id: payment for payment in payments if payment.status == "captured"}
    shares = list(PaymentShare.objects.filter(payment__in=captured, order_id=order_id))
    left_minor = sum(share.amount_minor - share.refunded_minor for share in shares)
    if not left_minor:
        return None
    payable_minor, commission_minor = allocate(
        left_minor, [total_minor - commission_minor, commission_minor]
    )
    payment = next(iter(captured.values()))

    def leg(code: str, amount_minor: int) -> Leg:
        return Leg(
            code=code,
            amount_minor=amount_minor,
            currency=payment.currency,
            order_id=order_id,
            merchant_id=merchant_id,
        )

    return post(
        shard_key=payment.shard_key,
        kind="completion",
        ref=f"order:{order_id}",
        legs=[
            leg("escrow", left_minor),
            leg("merchant_payable", -payable_minor),
            leg("commission_income", -commission_minor),
        ],
        actor=actor,
        at=at,
    )
