"""The completion of an order moves its money out of escrow."""

import pytest

from payments.models import Payment
from payments.selectors import balance_minor
from payments.services.refund import refund_retry
from tests.factories import TESTER
from tests.factories.money import (
    accrue,
    fresh_row,
    make_captured,
    make_payment,
    make_sent_refund,
    request_refund,
    say_of_refund,
    shares_of,
)
from tests.payments.books import broken

pytestmark = pytest.mark.django_db


def test_a_completed_order_is_the_merchants_but_for_the_commission() -> None:
    payment = make_captured(700, 300)
    accrue(payment, 70)

    first, second = shares_of(payment)
    assert balance_minor("escrow", "EUR", order_id=first.order_id) == 0
    assert balance_minor("escrow", "EUR", order_id=second.order_id) == -300
    assert balance_minor("merchant_payable", "EUR", merchant_id=first.merchant_id) == -630
    assert balance_minor("commission_income", "EUR", order_id=first.order_id) == -70
    assert broken() == []


def test_an_order_completes_once() -> None:
    payment = make_captured(1000)
    assert accrue(payment, 100) == accrue(payment, 100)
    assert balance_minor("merchant_payable", "EUR") == -900


def test_what_went_back_before_takes_its_part_of_the_commission_along() -> None:
    payment = make_captured(1000)
    request_refund(payment, 250)
    accrue(payment, 100)

    assert balance_minor("merchant_payable", "EUR") == -675
    assert balance_minor("commission_income", "EUR") == -75
    assert balance_minor("escrow", "EUR") == 0
    assert broken() == []


def kept_of(payment: Payment) -> int:
    """The commission that is the house's after completion, while all of escrow has moved on."""
    assert balance_minor("escrow", "EUR") == 0
    kept_minor = -balance_minor("commission_income", "EUR")
    payment = fresh_row(payment)
    left_minor = payment.captured_minor - payment.refunded_minor
    assert -balance_minor("merchant_payable", "EUR") == left_minor - kept_minor
    assert broken() == []
    return kept_minor


@pytest.mark.parametrize("refunded_first", [True, False])
@pytest.mark.parametrize(
    ("back", "kept"),
    [
        ([], 201),
        ([1000], 101),  # 100.5, half up
        ([999, 1], 101),
        ([1500], 50),  # 50.25
        ([2000], 0),  # the goods are gone, delivery is not
        ([1500, 900], 0),
        ([300, 1699], 0),  # 0.1
    ],
)
def test_commission_is_of_the_goods_that_are_left_whenever_the_others_went_back(
    back: list[int], kept: int, refunded_first: bool
) -> None:
    payment = make_captured(2500)
    if not refunded_first:
        accrue(payment, 201, delivery_minor=500)
    for amount_minor in back:
        request_refund(payment, amount_minor)
    if refunded_first:
        accrue(payment, 201, delivery_minor=500)
    assert kept_of(payment) == kept


def test_a_refund_that_failed_before_the_completion_takes_its_commission_along_after_it() -> None:
    payment = make_captured(2500)
    refund = make_sent_refund(payment, 1000)
    say_of_refund(refund, "refund_failed")
    accrue(payment, 200, delivery_minor=500)
    assert kept_of(payment) == 200
    refund_retry(refund_id=refund.pk, actor=TESTER)
    assert kept_of(payment) == 100


@pytest.mark.parametrize(("commission_minor", "payable"), [(0, -1000), (1000, 0)])
def test_a_commission_of_nothing_or_everything_leaves_out_the_empty_leg(
    commission_minor: int, payable: int
) -> None:
    posting = accrue(make_captured(1000), commission_minor)
    assert posting
    assert posting.entries.count() == 2
    assert balance_minor("merchant_payable", "EUR") == payable


def test_an_order_that_went_back_whole_earns_nothing() -> None:
    payment = make_captured(1000)
    request_refund(payment, 1000)
    assert accrue(payment, 100) is None


def test_an_order_without_money_earns_nothing() -> None:
    assert accrue(make_payment(1000), 100) is None
