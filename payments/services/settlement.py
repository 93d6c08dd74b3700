"""What a merchant has earned: the completion of an order moves its money out of escrow."""

from collections.abc import Sequence
from datetime import datetime

from accounts.actors import Actor
from core.money import prorate_half_up
from payments.models import LedgerTransaction, Payment, PaymentShare
from payments.services.ledger import Leg, post


def order_accrue(
    *,
    order_id: int,
    merchant_id: int,
    payments: Sequence[Payment],
    items_minor: int,
    delivery_minor: int,
    commission_minor: int,
    actor: Actor,
    at: datetime | None = None,
) -> LedgerTransaction | None:
    """Books a completed order once: what is left of its captured share, to merchant and house.

    Part of a service that has locked `payments`, all of the group. Items, delivery and commission
    are those frozen at placing. Commission is on goods alone:

        goods left = what is left of the share - delivery, at least 0
        commission = half-up(frozen commission × goods left / items)

    and the rest is the merchant's. That is exact: units that were called off, before payment or
    after, take no delivery along while their order lives, and what went back by hand counts as
    goods as long as there are goods. Goods and delivery leave escrow as two legs, the goods first:
    by them a later refund knows what the commission was taken of. None where nothing is left.
    """
    shares = list(PaymentShare.objects.filter(payment__in=payments, order_id=order_id))
    left_minor = sum(share.left_minor for share in shares)
    if not left_minor:
        return None
    goods_minor = max(0, left_minor - delivery_minor)
    commission_minor = prorate_half_up(commission_minor, goods_minor, items_minor)
    payment = payments[0]

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
            leg("escrow", goods_minor),
            leg("escrow", left_minor - goods_minor),
            leg("merchant_payable", commission_minor - left_minor),
            leg("commission_income", -commission_minor),
        ],
        actor=actor,
        at=at,
    )
