"""Merchants that have earned something, and their statements and payouts at the wanted step."""

from datetime import timedelta

from accounts.actors import Actor, Role
from accounts.models import Merchant
from core import clock
from payments.channels.base import Answer
from payments.models import MerchantAccount, Payment, Payout, Statement
from payments.services.payee import merchant_account_change
from payments.services.payout import payout_answer_record, payout_approve, payout_send
from payments.services.statement import settle_due
from payments.statements import due_statement_ids
from tests.factories import TESTER
from tests.factories.money import accrue, fresh_row, make_captured

IBAN = "DE89370400440532013000"
OTHER_IBAN = "GB29NWBK60161331926819"
CLOSED_IBAN, SILENT_IBAN = "DE80500105170000000404", "DE69500105170000000408"
ANNA, BORIS = Actor(Role.STAFF, "user:1"), Actor(Role.STAFF, "user:2")
PAYER = Actor(Role.CHANNEL, "sandbox_payout")
SMALL_MINOR, LARGE_MINOR = 90_000, 180_000  # what is left of the two sales below
WEEK = timedelta(days=7)


def sell(merchant: Merchant, amount_minor: int = 100_000, *, delivery_minor: int = 0) -> Payment:
    """An order of that much completes; the house keeps a tenth of its goods."""
    payment = make_captured(amount_minor, merchants=[merchant], currency=merchant.currency)
    accrue(payment, (amount_minor - delivery_minor) // 10, delivery_minor=delivery_minor)
    return payment


def end_period() -> None:
    """The merchants' periods end, and the clock comes; twice, for the first may only open."""
    settle_due()
    clock.advance(WEEK)
    settle_due()
    assert due_statement_ids() == []


def give_account(merchant: Merchant, iban: str = IBAN) -> MerchantAccount:
    """The merchant has said where to it is paid."""
    return merchant_account_change(
        merchant_id=merchant.pk, holder="Ada Łukasz & Σία", iban=iban, actor=TESTER
    )


def last_statement(merchant: Merchant) -> Statement:
    """The newest one that is closed."""
    return Statement.objects.filter(merchant=merchant, status="closed").latest("number")


def make_payout(merchant: Merchant, amount_minor: int = 100_000) -> Payout:
    """A sale of that much, the end of its period, and the payout that is scheduled for it."""
    sell(merchant, amount_minor)
    end_period()
    return Payout.objects.get(statement=last_statement(merchant))


def approved(payout: Payout) -> Payout:
    """By one person, or by two where that is needed."""
    for clerk in (ANNA, BORIS):
        payout = payout_approve(payout_id=payout.pk, actor=clerk)
    return payout


def sent(payout: Payout) -> Payout:
    """The channel is being asked."""
    return payout_send(payout_id=approved(payout).pk, actor=TESTER)


def answered(payout: Payout, status: str, **members: object) -> Payout:
    """The channel's word about the present try."""
    given = {
        "try_number": payout.tries,
        "amount_minor": payout.amount_minor,
        "currency": payout.currency,
        **members,
    }
    answer = Answer(
        status=status,
        amount_minor=int(str(given["amount_minor"])),
        currency=str(given["currency"]),
        ref=f"out_{payout.channel_key}",
        failure_code="account_closed" if status == "failed" else "",
    )
    payout_answer_record(
        payout_id=payout.pk, try_number=int(str(given["try_number"])), answer=answer, actor=PAYER
    )
    return fresh_row(payout)


def paid(payout: Payout) -> Payout:
    """The money is with the merchant."""
    return answered(sent(payout), "paid")
