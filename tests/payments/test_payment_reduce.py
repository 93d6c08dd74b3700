"""Asking for less than was asked for at first."""

import pytest

from core.errors import Conflict, ProgrammingMistake
from payments.channels import sandbox
from payments.models import Payment
from payments.selectors import balance_minor
from payments.services.reduce import payment_reduce
from tests.factories.money import (
    fresh_row,
    locked_payment,
    make_attempt,
    make_captured,
    make_payment,
    say,
    shares_of,
)
from tests.factories.stock import in_command
from tests.payments.books import broken

pytestmark = pytest.mark.django_db


def reduce(payment: Payment, minor: int, *, share: int = 0) -> None:
    order_id = shares_of(payment)[share].order_id

    def work(*, actor: object) -> None:
        payment_reduce(payment=locked_payment(payment), order_id=order_id, amount_minor=minor)

    in_command(work)


def test_a_payment_and_a_share_shrink_together_down_to_no_share() -> None:
    payment = make_payment(300, 700)
    reduce(payment, 100)
    reduce(payment, 200)
    assert fresh_row(payment).amount_minor == 700
    assert [share.amount_minor for share in shares_of(payment)] == [0, 700]


def test_what_is_left_is_captured_by_the_shares_that_are_left() -> None:
    payment = make_payment(300, 700)
    reduce(payment, 300)
    say(make_attempt(fresh_row(payment)), "captured")
    assert fresh_row(payment).captured_minor == 700


@pytest.mark.parametrize(("minor", "share"), [(301, 0), (1000, 1), (701, 1)])
def test_no_share_shrinks_below_nothing(minor: int, share: int) -> None:
    payment = make_payment(300, 700)
    with pytest.raises(ProgrammingMistake):
        reduce(payment, minor, share=share)
    assert fresh_row(payment).amount_minor == 1000


def test_nobody_is_asked_for_less_while_they_pay() -> None:
    payment = make_payment(300, 700)
    attempt = make_attempt(payment)
    with pytest.raises(Conflict, match=r"payment\.in_progress"):
        reduce(payment, 100)
    say(attempt, "failed")
    reduce(payment, 100)
    assert fresh_row(payment).amount_minor == 900


def test_a_transfer_that_is_on_its_way_comes_whole_and_what_is_too_much_goes_back() -> None:
    payment = make_payment(300, 700)
    attempt = make_attempt(payment, channel=sandbox.TRANSFER)
    reduce(payment, 300)
    say(attempt, "captured")
    payment = fresh_row(payment)
    assert (payment.captured_minor, payment.refunded_minor) == (1000, 300)
    assert [refund.request_key for refund in payment.refunds.all()] == [f"reduced:{attempt.pk}"]
    first, second = shares_of(payment)
    assert balance_minor("escrow", "EUR", order_id=first.order_id) == 0
    assert balance_minor("escrow", "EUR", order_id=second.order_id) == -700
    assert broken() == []


def test_what_is_paid_is_not_asked_for_any_more() -> None:
    with pytest.raises(Conflict, match=r"payment\.in_progress"):
        reduce(make_captured(300, 700), 100)
