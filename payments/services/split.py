"""Whose an order's money is: to merchant and house at completion, and back from them after it.

The arithmetic is in pure functions: whatever went back before or after the completion, and in
whichever parts, what merchant and house hold is `split_of()` what is left.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from accounts.actors import Actor
from core.money import prorate_half_up
from payments.models import ChargebackShare, LedgerTransaction, Payment, Refund, RefundShare
from payments.selectors import (
    Accrual,
    accruals_by_order,
    credits_by_order,
    left_of_order_minor,
    split_by_order,
)
from payments.services.ledger import Leg, post

SPLIT_OVER = ("merchant_payable", "commission_income", "tax_payable", "voucher_cost")


@dataclass(frozen=True, slots=True)
class Split:
    """What is left of an order's money, by account: what each of them owes, or has paid."""

    merchant_payable: int
    commission_income: int
    tax_payable: int
    voucher_cost: int

    @property
    def left_minor(self) -> int:
        """The buyer's money in it."""
        return self.merchant_payable + self.commission_income + self.tax_payable + self.voucher_cost

    def less(self, other: "Split") -> dict[str, int]:
        """What to debit to each account to come from this to the other."""
        return {code: getattr(self, code) - getattr(other, code) for code in SPLIT_OVER}


def split_of(accrual: Accrual, left_minor: int) -> Split:
    """What of an order's money is whose, of which so much is left.

    What went back by hand counts as goods as long as there are goods, so goods left = left -
    delivery, at least 0. Commission, the tax on it and the platform's subsidy are each

        half-up(frozen amount × goods left / goods)

    and the merchant has the rest: left + subsidy - commission - tax on it.
    """
    goods_left_minor = max(0, left_minor - accrual.delivery_minor)
    part, whole = goods_left_minor, accrual.goods_minor
    if not whole:  # the goods were a present: all that was paid stands for them
        part, whole = (left_minor, accrual.delivery_minor) if accrual.delivery_minor else (1, 1)
    commission_minor, tax_minor, subsidy_minor = (
        prorate_half_up(minor, part, whole)
        for minor in (accrual.commission_minor, accrual.commission_tax_minor, accrual.subsidy_minor)
    )
    return Split(
        merchant_payable=left_minor + subsidy_minor - commission_minor - tax_minor,
        commission_income=commission_minor,
        tax_payable=tax_minor,
        voucher_cost=-subsidy_minor,
    )


def sources_of(
    amount_minor: int, *, escrow_minor: int, held: Split, accrual: Accrual
) -> dict[str, int]:
    """What a refund or a chargeback of a completed order takes from each account: from escrow what is still there.

    The rest leaves merchant and house with what `split_of` gives them of what is left then, so
    whoever takes the last takes every remainder.
    """
    from_escrow_minor = min(amount_minor, max(0, escrow_minor))
    left_minor = held.left_minor - (amount_minor - from_escrow_minor)
    return {"escrow": from_escrow_minor, **held.less(split_of(accrual, left_minor))}


def order_accrue(
    *,
    order_id: int,
    merchant_id: int,
    payments: Sequence[Payment],
    accrual: Accrual,
    actor: Actor,
    at: datetime | None = None,
) -> LedgerTransaction | None:
    """Books a completed order once: what is left of its captured share, to merchant and house.

    Part of a service that has locked `payments`, all of the group. `accrual` is what was frozen at
    placing, as the buyer pays it: with discounts and tax. Goods and delivery leave escrow as two
    legs, the goods first: by them a later refund knows what the rest was taken of. None where
    nothing is left and nothing is owed.
    """
    left_minor = left_of_order_minor(payments, order_id)
    split = split_of(accrual, left_minor)
    goods_minor = max(0, left_minor - accrual.delivery_minor)
    amounts = [("escrow", goods_minor), ("escrow", left_minor - goods_minor)]
    amounts += [(code, -getattr(split, code)) for code in SPLIT_OVER]
    if not any(amount_minor for _, amount_minor in amounts):
        return None
    payment = payments[0]
    legs = [
        Leg(
            code=code,
            amount_minor=amount_minor,
            currency=payment.currency,
            order_id=order_id,
            merchant_id=merchant_id,
        )
        for code, amount_minor in amounts
    ]
    return post(
        shard_key=payment.shard_key,
        kind="completion",
        ref=f"order:{order_id}",
        legs=legs,
        actor=actor,
        at=at,
    )


def way_back(refund: Refund) -> list[Leg]:
    """From escrow; what an order's completion has moved on comes from the merchant and the house."""
    parts = list(refund.shares.order_by("pk"))
    return [
        *sources_legs(parts, currency=refund.currency),
        *(refund_leg("refunds_in_flight", -part.amount_minor, refund, part) for part in parts),
    ]


def sources_legs(
    parts: Sequence[RefundShare] | Sequence[ChargebackShare], *, currency: str
) -> list[Leg]:
    """What each of the orders' parts is taken from: the debits of a refund and of a chargeback."""
    order_ids = [part.order_id for part in parts if part.order_id]
    shard_key = parts[0].shard_key if parts else 0
    accruals = accruals_by_order(shard_key=shard_key, order_ids=order_ids)
    credits = credits_by_order(shard_key=shard_key, order_ids=list(accruals), currency=currency)
    held = split_by_order(shard_key=shard_key, order_ids=list(accruals))
    legs = []
    for part in parts:
        sources = {"escrow": part.amount_minor}
        if part.order_id and part.order_id in accruals:
            sources = sources_of(
                part.amount_minor,
                escrow_minor=credits[part.order_id]["escrow"],
                held=_held(held[part.order_id]),
                accrual=accruals[part.order_id],
            )
        legs += [_part_leg(code, minor, currency, part) for code, minor in sources.items()]
    return legs


def _held(credit: Mapping[str, int]) -> Split:
    return Split(**{code: credit.get(code, 0) for code in SPLIT_OVER})


def refund_leg(code: str, amount_minor: int, refund: Refund, part: RefundShare) -> Leg:
    """A leg of one order's part of a refund."""
    return _part_leg(code, amount_minor, refund.currency, part)


def _part_leg(
    code: str, amount_minor: int, currency: str, part: RefundShare | ChargebackShare
) -> Leg:
    return Leg(
        code=code,
        amount_minor=amount_minor,
        currency=currency,
        order_id=part.order_id,
        merchant_id=part.merchant_id,
    )
