"""The completion of an order moves its money out of escrow."""

import pytest

from payments.selectors import balance_minor
from tests.factories.money import accrue, make_captured, make_payment, request_refund, shares_of
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
