"""The demo's merchants are paid, but for what is new: that is left to its visitors."""

from datetime import timedelta

from accounts.actors import Actor, Role
from accounts.models import Merchant
from core import clock
from orders.management.demo.stalls import SEED
from payments.channels.base import Answer
from payments.models import Payout
from payments.services.payee import merchant_account_change
from payments.services.payout import payout_answer_record, payout_approve, payout_send

CHANNEL = Actor(Role.CHANNEL, "sandbox_payout")
CLERKS = (Actor(Role.STAFF, "Sam"), Actor(Role.STAFF, "Sue"))
WAIT = timedelta(days=7)
IBANS = ("DE89370400440532013000", "IE29AIBK93115212345678", "ES9121000418450200051332")


def give_accounts() -> None:
    """Made-up ones, as banks print them in their examples."""
    for number, merchant in enumerate(Merchant.objects.order_by("pk")):
        merchant_account_change(
            merchant_id=merchant.pk,
            holder=merchant.name,
            iban=IBANS[number % len(IBANS)],
            actor=SEED,
        )


def pay_merchants() -> int:
    """The platform's people pay what has waited for a week; answers how many."""
    waited = clock.now() - WAIT
    payouts = Payout.objects.filter(status="scheduled", status_changed_at__lt=waited)
    for payout in payouts:
        _pay(payout)
    return len(payouts)


def _pay(payout: Payout) -> None:
    """By two people, for it may be a large one; the channel says at once that it has arrived."""
    for clerk in CLERKS:
        payout_approve(payout_id=payout.pk, actor=clerk)
    payout = payout_send(payout_id=payout.pk, actor=SEED)
    said = Answer(
        status="paid",
        amount_minor=payout.amount_minor,
        currency=payout.currency,
        ref=f"past_{payout.pk}",
    )
    payout_answer_record(payout_id=payout.pk, try_number=payout.tries, answer=said, actor=CHANNEL)
