"""Whatever people send, in whatever order, and whatever becomes of the order: no cent is lost."""

import random
from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core import clock
from core.errors import Conflict
from orders.models import OrderGroup
from orders.services.cancel import order_group_cancel
from orders.services.expire import order_group_expire
from payments.models import Attempt, BankLine, LineMatch, ManualTransfer
from payments.selectors import balance_minor
from payments.services.bank import line_assign, line_give_back
from payments.services.transfer import transfer_fail, transfer_retry
from tests.audit.plant import broken
from tests.factories import TESTER
from tests.factories.bank import FINANCE, make_awaited, receive, send, settle_channel
from tests.factories.story import BUYER

AMOUNTS = (1, 499, 500, 1000, 1499, 1500, 1501, 4000)


class Bank:
    """An order of 15.00 that waits for its money, and dice."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.group, self.attempt = make_awaited()

    def step(self) -> None:
        self.dice.choice(
            [self.pay, self.pay, self.pay, self.guess, self.assign, self.back, self.send, self.end]
        )()
        settle_channel()

    def pay(self) -> None:
        receive(self.dice.choice(AMOUNTS), self.attempt.channel_ref)

    def guess(self) -> None:
        receive(self.dice.choice(AMOUNTS), "for my order")

    def assign(self) -> None:
        if match := LineMatch.objects.filter(status="unmatched", line__amount_minor__gt=0).first():
            line_assign(
                match_id=match.pk, attempt_id=self.attempt.pk, reason="guess", actor=FINANCE
            )

    def back(self) -> None:
        if match := LineMatch.objects.filter(status="unmatched", line__amount_minor__gt=0).first():
            line_give_back(match_id=match.pk, reason="unknown", actor=FINANCE)

    def send(self) -> None:
        if transfer := ManualTransfer.objects.filter(status="to_do").first():
            if self.dice.random() < 0.3 and transfer.line_id:
                transfer_fail(transfer_id=transfer.pk, reason="closed", actor=FINANCE)
                transfer_retry(transfer_id=transfer.pk, actor=FINANCE)
            send(transfer)

    def end(self) -> None:
        group = OrderGroup.objects.get(pk=self.group.pk)
        if self.dice.random() < 0.5:
            clock.advance(max(group.pay_before - clock.now(), timedelta(0)))
            order_group_expire(group_id=group.pk, actor=TESTER)
            return
        with suppress(Conflict):  # it has ended
            order_group_cancel(group_id=group.pk, actor=BUYER, reason="mind")


def at_bank_minor() -> int:
    return sum(BankLine.objects.values_list("amount_minor", flat=True))


def lived(dice: random.Random) -> None:
    """Some steps; after each the book holds what is at the bank, and no view cries."""
    bank = Bank(dice)
    for _ in range(dice.randint(1, 6)):
        bank.step()
        assert broken() - {"inv_21_outbox_undelivered"} == set()
        assert balance_minor("channel_clearing", "EUR") == at_bank_minor()
    while ManualTransfer.objects.filter(status="to_do").exists():
        bank.send()
        settle_channel()
    attempt = Attempt.objects.get(pk=bank.attempt.pk)
    kept = at_bank_minor()
    resting = LineMatch.objects.filter(status__in=("resting", "unmatched"))
    waiting = sum(resting.values_list("line__amount_minor", flat=True))
    refunded = attempt.payment.refunded_minor
    captured = attempt.payment.captured_minor
    assert kept == captured - refunded + waiting


QUIET = (HealthCheck.function_scoped_fixture, HealthCheck.too_slow)


@pytest.mark.django_db
@given(dice=st.randoms(use_true_random=False))
@settings(max_examples=3, derandomize=True, deadline=None, suppress_health_check=QUIET)
def test_no_history_loses_a_cent(dice: random.Random) -> None:
    lived(dice)


@pytest.mark.long
@pytest.mark.django_db
@given(dice=st.randoms(use_true_random=False))
@settings(max_examples=200, deadline=None, suppress_health_check=QUIET)
def test_no_history_of_many_loses_a_cent(dice: random.Random) -> None:
    lived(dice)
