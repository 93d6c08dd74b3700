"""Do, undo: the balances are what they were."""

from collections.abc import Callable

import pytest

from payments.models import LedgerEntry, Payment, Refund
from payments.services.refund import refund_retry, refund_send
from tests.factories import TESTER
from tests.factories.money import (
    accrue,
    fresh_row,
    make_captured,
    make_sent_refund,
    say_of_refund,
    shares_of,
)
from tests.payments.books import broken

pytestmark = pytest.mark.django_db


def balances(payment: Payment) -> tuple[dict[object, int], list[int], int]:
    """Every balance by account, order and merchant, and the counters of the payment."""
    sums: dict[object, int] = {}
    entries = LedgerEntry.objects.values_list("account", "order_id", "merchant", "amount_minor")
    for *key, amount_minor in entries:
        sums[tuple(key)] = sums.get(tuple(key), 0) + amount_minor
    counters = [share.refunded_minor for share in shares_of(payment)]
    return {key: s for key, s in sums.items() if s}, counters, fresh_row(payment).refunded_minor


def fail(refund: Refund) -> None:
    say_of_refund(refund, "refund_failed")


def fail_twice(refund: Refund) -> None:
    fail(refund)
    refund_retry(refund_id=refund.pk, actor=TESTER)
    fail(refund_send(refund_id=refund.pk, actor=TESTER))


@pytest.mark.parametrize("completed", [False, True], ids=["before completion", "after completion"])
@pytest.mark.parametrize("undo", [fail, fail_twice])
@pytest.mark.parametrize("amount_minor", [1, 333, 700])
def test_a_refund_that_fails_leaves_no_trace_in_the_balances(
    completed: bool, undo: Callable[[Refund], None], amount_minor: int
) -> None:
    payment = make_captured(700, 300)
    if completed:
        accrue(payment, 99)
    before = balances(payment)

    refund = make_sent_refund(payment, amount_minor)
    assert balances(payment) != before
    undo(refund)

    assert balances(payment) == before
    assert broken() == []


def test_a_capture_and_its_whole_refund_leave_nothing() -> None:
    payment = make_captured(700, 300)
    say_of_refund(make_sent_refund(payment, 1000, shares=None), "refund_succeeded")

    assert balances(payment) == ({}, [700, 300], 1000)
    assert broken() == []


def test_completion_and_refunds_in_any_order_leave_nothing() -> None:
    for steps in (["accrue", "refund", "refund"], ["refund", "accrue", "refund"]):
        payment = make_captured(1000)
        for step in steps:
            if step == "accrue":
                accrue(payment, 333)
            else:
                say_of_refund(make_sent_refund(payment, 500), "refund_succeeded")
        assert balances(payment)[0] == {}
