"""Payments at the wanted step, through the services; the channel's word is given by hand."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, TypeVar

from django.db.models import Model

from accounts.actors import Actor, Role
from accounts.models import Merchant
from core import clock
from core.command import command
from core.ids import new_id
from payments.locks import lock_payments
from payments.models import (
    Attempt,
    ChannelFact,
    Chargeback,
    LedgerTransaction,
    Payment,
    PaymentShare,
    Refund,
)
from payments.selectors import Accrual
from payments.services.chargeback import chargeback_fact_record
from payments.services.collect import Share, attempt_start, fact_record, payment_open
from payments.services.refund import refund_fact_record, refund_request, refund_send
from payments.services.split import order_accrue
from tests.factories import TESTER, make_merchant

R = TypeVar("R")
M = TypeVar("M", bound=Model)
CHANNEL = Actor(Role.CHANNEL, "sandbox")
GENE = 1234


@command
def in_command(part: Callable[[], R]) -> R:
    """Runs a part of a service in a transaction of its own."""
    return part()


def make_payment(
    *amounts: int, merchants: Sequence[Merchant] = (), currency: str = "EUR"
) -> Payment:
    """An open payment with a share of each of these amounts (100.00 if none is given)."""
    amounts = amounts or (10000,)
    sellers = merchants or [make_merchant(currency)] * len(amounts)
    shares = [
        Share(new_id(GENE), seller.pk, amount_minor)
        for seller, amount_minor in zip(sellers, amounts, strict=True)
    ]
    return in_command(
        lambda: payment_open(
            reference=new_id(GENE),
            shard_key=GENE,
            currency=currency,
            amount_minor=sum(amounts),
            shares=shares,
            actor=TESTER,
        )
    )


def make_attempt(payment: Payment, *, token: str = "tok_ok", **fields: Any) -> Attempt:
    """An attempt that its shopper has just started."""
    given: dict[str, Any] = {
        "channel": "sandbox",
        "token": token,
        "expires_at": clock.now() + timedelta(minutes=30),
        "return_url": "http://shop.example/return",
        "actor": TESTER,
        **fields,
    }
    return in_command(lambda: attempt_start(payment=locked_payment(payment), **given))


def make_captured(*amounts: int, **fields: Any) -> Payment:
    """A payment whose money is here."""
    payment = make_payment(*amounts, **fields)
    say(make_attempt(payment), "captured")
    return fresh_row(payment)


def say(attempt: Attempt, kind: str, **members: Any) -> Attempt:
    """The channel's word about an attempt."""
    given: dict[str, Any] = {
        "amount_minor": attempt.amount_minor,
        "currency": attempt.currency,
        "channel_ref": f"pay_{attempt.pk}",
        "origin": ChannelFact.Origin.WEBHOOK,
        "actor": CHANNEL,
        **members,
    }
    return fact_record(attempt_id=attempt.pk, kind=kind, **given)


def request_refund(payment: Payment, amount_minor: int, **fields: Any) -> Refund:
    """A refund of the payment's first order, unless `shares` say otherwise."""
    share = shares_of(payment)[0]
    given: dict[str, Any] = {
        "reference": share.order_id,
        "request_key": f"cancel:{new_id(GENE)}",
        "amount_minor": amount_minor,
        "shares": [(share.order_id, share.merchant_id, amount_minor)],
        "actor": TESTER,
        "reason": "cancelled",
        **fields,
    }
    return in_command(lambda: refund_request(payment=locked_payment(payment), **given))


def make_sent_refund(payment: Payment, amount_minor: int, **fields: Any) -> Refund:
    """A refund that the channel is being asked for."""
    refund = request_refund(payment, amount_minor, **fields)
    return refund_send(refund_id=refund.pk, actor=TESTER)


def say_of_refund(refund: Refund, kind: str, **members: Any) -> Refund:
    """The channel's word about a refund."""
    given: dict[str, Any] = {
        "amount_minor": refund.amount_minor,
        "currency": refund.currency,
        "channel_ref": f"ref_{refund.channel_key}",
        "origin": ChannelFact.Origin.WEBHOOK,
        "actor": CHANNEL,
        **members,
    }
    return refund_fact_record(refund_id=refund.pk, kind=kind, **given)


def dispute(attempt: Attempt, kind: str, ref: str = "dp_1", **members: Any) -> Chargeback:
    """The channel's word about a dispute of the attempt's money, all of it unless told otherwise."""
    given: dict[str, Any] = {
        "amount_minor": attempt.amount_minor,
        "currency": attempt.currency,
        "origin": ChannelFact.Origin.WEBHOOK,
        "actor": CHANNEL,
        **members,
    }
    return chargeback_fact_record(
        attempt_id=attempt.pk, kind=f"chargeback_{kind}", channel_ref=ref, **given
    )


def accrue(
    payment: Payment,
    commission_minor: int,
    *,
    share: int = 0,
    delivery_minor: int = 0,
    commission_tax_minor: int = 0,
    subsidy_minor: int = 0,
) -> LedgerTransaction | None:
    """The order of that share completes; so much of it was for delivery."""
    part = shares_of(payment)[share]
    return in_command(
        lambda: order_accrue(
            order_id=part.order_id,
            merchant_id=part.merchant_id,
            payments=lock_payments(reference=payment.reference),
            accrual=Accrual(
                goods_minor=part.amount_minor - delivery_minor,
                delivery_minor=delivery_minor,
                commission_minor=commission_minor,
                commission_tax_minor=commission_tax_minor,
                subsidy_minor=subsidy_minor,
            ),
            actor=TESTER,
        )
    )


def locked_payment(payment: Payment) -> Payment:
    """The payment as it is now, locked."""
    [locked] = lock_payments(reference=payment.reference)
    return locked


def shares_of(payment: Payment) -> list[PaymentShare]:
    """The payment's shares in the order in which they were given."""
    return list(payment.shares.order_by("pk"))


def fresh_row(row: M) -> M:
    """The row as the database has it now."""
    return type(row)._default_manager.get(pk=row.pk)
