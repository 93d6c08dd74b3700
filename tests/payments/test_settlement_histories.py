"""Random histories of merchants: whatever happens, statements tell the ledger and pay it once."""

import random
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db.models import Sum

from accounts.models import Merchant
from core import clock
from payments.models import LedgerEntry, Payment, Payout, Statement, StatementEntry
from payments.services.payee import payout_hold, payout_release
from payments.services.payout import payout_approve, payout_retry, payout_send
from payments.services.statement import OWN_CODES, settle_due
from payments.statements import hold_of, sheet_of
from tests.factories import TESTER, make_merchant
from tests.factories.money import fresh_row, make_sent_refund, say_of_refund
from tests.factories.settlement import ANNA, BORIS, answered, end_period, give_account, sell
from tests.payments.books import broken

pytestmark = pytest.mark.django_db


class History:
    """One merchant's trade, drawn from a seed."""

    def __init__(self, seed: str, currency: str) -> None:
        self.dice = random.Random(seed)
        schedule = self.dice.choice(Merchant.PayoutSchedule.values)
        zone = self.dice.choice(["UTC", "Asia/Tokyo", "America/Lima"])
        self.merchant = make_merchant(currency, payout_schedule=schedule, time_zone=zone)
        give_account(self.merchant)
        self.sold: list[Payment] = []

    def sell(self) -> None:
        amount_minor = self.dice.randint(1, 200_000)
        delivery_minor = self.dice.choice([0, self.dice.randint(0, amount_minor)])
        self.sold.append(sell(self.merchant, amount_minor, delivery_minor=delivery_minor))

    def refund(self) -> None:
        if self.sold:
            payment = fresh_row(self.dice.choice(self.sold))
            left_minor = payment.captured_minor - payment.refunded_minor
            if left_minor:
                refund = make_sent_refund(payment, self.dice.randint(1, left_minor))
                outcome = self.dice.choice(
                    ["refund_succeeded", "refund_succeeded", "refund_failed"]
                )
                say_of_refund(refund, outcome)

    def wait(self) -> None:
        clock.advance(timedelta(days=self.dice.randint(1, 20)))
        settle_due()

    def pay(self) -> None:
        if hold_of(self.merchant.pk):
            return
        for payout in Payout.objects.filter(merchant=self.merchant).order_by("pk"):
            if payout.status == "failed":
                payout_retry(payout_id=payout.pk, actor=ANNA)
            if payout.status != "paid":
                self._send(payout)

    def _send(self, payout: Payout) -> None:
        for clerk in (ANNA, BORIS):
            payout_approve(payout_id=payout.pk, actor=clerk)
        payout = payout_send(payout_id=payout.pk, actor=TESTER)
        answered(payout, self.dice.choice(["paid", "paid", "failed"]))

    def hold(self) -> None:
        if hold_of(self.merchant.pk):
            payout_release(merchant_id=self.merchant.pk, actor=ANNA)
        else:
            payout_hold(merchant_id=self.merchant.pk, reason="why", until=None, actor=ANNA)

    def live(self, steps: int) -> None:
        acts: list[Callable[[], None]] = [
            *([self.sell] * 4),
            *([self.refund] * 3),
            *([self.wait] * 3),
            self.pay,
            self.hold,
        ]
        for _ in range(steps):
            self.dice.choice(acts)()

    def come_to_rest(self) -> None:
        payout_release(merchant_id=self.merchant.pk, actor=ANNA)
        for _ in range(2):
            clock.advance(timedelta(days=31))
            end_period()


def owed_minor(merchant: Merchant) -> int:
    own = LedgerEntry.objects.filter(merchant=merchant, account__code__in=OWN_CODES)
    return -int(own.aggregate(minor=Sum("amount_minor", default=0))["minor"])


def assert_all_is_told(merchant: Merchant) -> None:
    statements = list(Statement.objects.filter(merchant=merchant, status="closed"))
    statements.sort(key=lambda statement: statement.number)
    own = LedgerEntry.objects.filter(merchant=merchant, account__code__in=OWN_CODES)
    listed = StatementEntry.objects.filter(entry__merchant=merchant)
    assert sorted(listed.values_list("entry", flat=True)) == sorted(
        own.values_list("pk", flat=True)
    )
    opening_minor = 0
    for statement in statements:
        sheet = sheet_of(statement)
        assert sheet.agrees
        assert sheet.opening_minor == opening_minor
        opening_minor = sheet.closing_minor
    assert opening_minor == owed_minor(merchant)
    earned_minor = owed_minor(merchant) + sum(
        payout.amount_minor
        for payout in Payout.objects.filter(merchant=merchant)
        if payout.status == "paid"
    )
    given_minor = Payout.objects.filter(merchant=merchant).aggregate(
        minor=Sum("amount_minor", default=0)
    )["minor"]
    assert given_minor >= earned_minor
    if earned_minor > 0 and owed_minor(merchant) >= 0:
        waiting = Payout.objects.filter(merchant=merchant).exclude(status="paid")
        due_minor = waiting.aggregate(minor=Sum("amount_minor", default=0))["minor"]
        assert due_minor >= owed_minor(merchant)


@pytest.mark.parametrize("seed", range(3))
def test_whatever_happens_statements_tell_the_ledger(seed: int) -> None:
    histories = [History(f"{seed}.{number}", "EUR") for number in range(2)]
    for history in histories:
        history.live(25)
    for history in histories:
        history.come_to_rest()
        assert_all_is_told(history.merchant)
    assert broken() == []


@pytest.mark.long
@pytest.mark.parametrize("currency", ["EUR", "JPY", "KWD"])
@pytest.mark.parametrize("seed", range(20))
def test_many_histories_in_currencies_of_all_kinds(seed: int, currency: str) -> None:
    history = History(f"long {seed} {currency}", currency)
    history.live(120)
    history.come_to_rest()
    assert_all_is_told(history.merchant)
    assert broken() == []
