"""Whose the money that is left is: the pure functions. The postings stand in test_order_accrue."""

import pytest

from payments.models import LedgerAccount
from payments.selectors import Accrual, balance_minor
from payments.services.refund import refund_retry
from payments.services.split import SPLIT_OVER, Split, sources_of, split_of
from tests.factories import TESTER
from tests.factories.money import (
    accrue,
    make_captured,
    make_sent_refund,
    request_refund,
    say_of_refund,
)
from tests.payments.books import broken

SOLD = Accrual(
    goods_minor=900,
    delivery_minor=500,
    commission_minor=100,
    commission_tax_minor=19,
    subsidy_minor=100,
)
# The goods were a present, the delivery was not.
PRESENT = Accrual(0, 500, commission_minor=300, subsidy_minor=3000)


@pytest.mark.parametrize(
    ("accrual", "left", "split"),
    [
        (SOLD, 1400, Split(1381, 100, 19, -100)),
        (SOLD, 950, Split(940, 50, 10, -50)),  # 9.5 of tax, half up
        (SOLD, 500, Split(500, 0, 0, 0)),
        (SOLD, 100, Split(100, 0, 0, 0)),
        (SOLD, 0, Split(0, 0, 0, 0)),
        (PRESENT, 500, Split(3200, 300, 0, -3000)),
        (PRESENT, 250, Split(1600, 150, 0, -1500)),
        (PRESENT, 0, Split(0, 0, 0, 0)),
        (Accrual(0, 0, 300, 0, 3000), 0, Split(2700, 300, 0, -3000)),
    ],
)
def test_commission_its_tax_and_the_subsidy_are_of_the_goods_that_are_left(
    accrual: Accrual, left: int, split: Split
) -> None:
    assert split_of(accrual, left) == split
    assert split.left_minor == left


def test_what_is_still_in_escrow_goes_back_first() -> None:
    held = split_of(SOLD, 1400)
    taken = sources_of(450, escrow_minor=450, held=held, accrual=SOLD)
    assert taken == {"escrow": 450} | dict.fromkeys(SPLIT_OVER, 0)
    taken = sources_of(650, escrow_minor=200, held=held, accrual=SOLD)
    assert taken == {
        "escrow": 200,
        "merchant_payable": 441,
        "commission_income": 50,
        "tax_payable": 9,
        "voucher_cost": -50,
    }


@pytest.mark.django_db
def test_the_platforms_part_is_an_expense_of_its_own() -> None:
    accrue(make_captured(1400), 100, delivery_minor=500, commission_tax_minor=19, subsidy_minor=100)
    found = {code: balance_minor(code, "EUR") for code in SPLIT_OVER}
    assert found == {
        "merchant_payable": -1381,
        "commission_income": -100,
        "tax_payable": -19,
        "voucher_cost": 100,
    }
    assert LedgerAccount.objects.get(pk="voucher_cost:EUR").kind == "expense"
    assert broken() == []


@pytest.mark.django_db
def test_refunds_after_one_that_failed_take_what_is_there_and_end_at_nothing() -> None:
    payment = make_captured(1400)
    accrue(payment, 100, delivery_minor=500, commission_tax_minor=19, subsidy_minor=100)
    failed = make_sent_refund(payment, 333)
    request_refund(payment, 333)
    say_of_refund(failed, "refund_failed")
    request_refund(payment, 1400 - 2 * 333)
    refund_retry(refund_id=failed.pk, actor=TESTER)
    assert [balance_minor(code, "EUR") for code in ("escrow", *SPLIT_OVER)] == [0] * 5
    assert broken() == []
