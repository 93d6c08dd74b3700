"""Money back: never more than was captured, once per key, from where it rests."""

from itertools import pairwise

import pytest

from core.errors import Conflict, DomainError, Invalid, ProgrammingMistake
from core.models import OutboxEvent, StateChange
from payments.models import LedgerTransaction, Payment, Refund
from payments.selectors import balance_minor, money_of, refundable_minor
from payments.services.refund import refund_request, refund_send
from tests.factories import TESTER, make_merchant
from tests.factories.money import (
    accrue,
    fresh_row,
    in_command,
    make_captured,
    make_payment,
    request_refund,
    say_of_refund,
    shares_of,
)
from tests.payments.books import broken
from tests.threads import succeeded, together

pytestmark = pytest.mark.django_db


def in_flight() -> int:
    return -balance_minor("refunds_in_flight", "EUR")


def refused(payment: Payment, amount_minor: int, **fields: object) -> DomainError:
    before = fresh_row(payment)
    with pytest.raises(DomainError) as refusal:
        request_refund(payment, amount_minor, **fields)
    assert fresh_row(payment).refunded_minor == before.refunded_minor
    return refusal.value


def test_a_refund_is_approved_at_once_and_leaves_escrow() -> None:
    payment = make_captured(700, 300)
    refund = request_refund(payment, 400)

    steps = StateChange.objects.filter(noun="refund", object_id=refund.pk).order_by("seq")
    assert [step.verb for step in steps] == ["request", "approve"]
    assert [share.refunded_minor for share in shares_of(payment)] == [400, 0]
    assert fresh_row(payment).refunded_minor == 400
    first, second = shares_of(payment)
    assert balance_minor("escrow", "EUR", order_id=first.order_id) == -300
    assert balance_minor("escrow", "EUR", order_id=second.order_id) == -300
    assert in_flight() == 400
    assert refundable_minor(payment, first.order_id) == 300
    assert money_of(payment.reference).refunded_minor == 400
    event = OutboxEvent.objects.get(type="refund.approved")
    assert event.payload["payment_id"] == str(payment.pk)
    assert broken() == []


def test_the_same_request_again_is_the_same_refund() -> None:
    payment = make_captured()
    first = request_refund(payment, 400, request_key="cancel:1:1")
    again = request_refund(payment, 400, request_key="cancel:1:1")

    assert again == first
    assert fresh_row(payment).refunded_minor == 400
    assert in_flight() == 400


def test_a_key_with_another_amount_is_refused() -> None:
    payment = make_captured()
    request_refund(payment, 400, request_key="cancel:1:1")

    error = refused(payment, 401, request_key="cancel:1:1")

    assert isinstance(error, Conflict)
    assert error.code == "refund.key_reused"


@pytest.mark.parametrize("amount_minor", [0, -1])
def test_nothing_and_less_than_nothing_can_not_go_back(amount_minor: int) -> None:
    assert refused(make_captured(), amount_minor).code == "refund.amount"


def test_parts_that_do_not_sum_to_the_amount_are_refused() -> None:
    payment = make_captured()
    share = shares_of(payment)[0]
    shares = [(share.order_id, share.merchant_id, 399)]
    assert refused(payment, 400, shares=shares).code == "refund.amount"


def test_an_order_gets_no_more_than_its_share() -> None:
    payment = make_captured(700, 300)
    request_refund(payment, 600)
    error = refused(payment, 101)
    assert isinstance(error, Invalid)
    assert error.code == "refund.exceeds_captured"
    assert broken() == []


def test_an_order_of_another_payment_gets_nothing() -> None:
    payment, other = make_captured(), make_captured()
    share = shares_of(other)[0]
    shares = [(share.order_id, share.merchant_id, 100)]
    assert refused(payment, 100, shares=shares).code == "refund.exceeds_captured"


def test_what_was_not_captured_can_not_go_back() -> None:
    payment = make_payment()
    assert refundable_minor(payment, shares_of(payment)[0].order_id) == 0
    assert refused(payment, 1).code == "refund.exceeds_captured"


def test_a_whole_payment_goes_back_by_all_its_shares() -> None:
    payment = make_captured(700, 300)
    refund = request_refund(
        payment, 1000, shares=None, reference=payment.reference, request_key=f"late:{payment.pk}"
    )

    assert sorted(part.amount_minor for part in refund.shares.all()) == [300, 700]
    assert balance_minor("escrow", "EUR") == 0
    assert broken() == []


def test_what_is_left_of_a_payment_goes_back_by_its_shares() -> None:
    payment = make_captured(700, 300)
    request_refund(payment, 300)
    request_refund(payment, 700, shares=None)

    assert [share.refunded_minor for share in shares_of(payment)] == [700, 300]
    assert refused(payment, 1, shares=None).code == "refund.amount"


def test_a_payment_that_is_not_locked_is_a_mistake() -> None:
    payment = make_captured()
    with pytest.raises(ProgrammingMistake):
        in_command(
            lambda: refund_request(
                payment=payment,
                reference=1,
                request_key="cancel:1:1",
                amount_minor=1,
                shares=None,
                actor=TESTER,
                reason="cancelled",
            )
        )


def test_after_completion_merchant_and_house_give_back_in_proportion() -> None:
    payment = make_captured(10000)
    accrue(payment, 1000)
    request_refund(payment, 4000)

    order_id = shares_of(payment)[0].order_id
    assert balance_minor("merchant_payable", "EUR", order_id=order_id) == -5400
    assert balance_minor("commission_income", "EUR", order_id=order_id) == -600
    assert in_flight() == 4000
    assert broken() == []


def test_the_last_refund_takes_the_remainder() -> None:
    payment = make_captured(1000)
    accrue(payment, 99)
    for amount_minor in (333, 333, 334):
        request_refund(payment, amount_minor)

    assert balance_minor("merchant_payable", "EUR") == 0
    assert balance_minor("commission_income", "EUR") == 0
    assert balance_minor("escrow", "EUR") == 0
    assert broken() == []


def test_a_refund_that_failed_over_the_completion_is_retried_from_escrow_first() -> None:
    payment = make_captured(1000)
    refund = refund_send(refund_id=request_refund(payment, 400).pk, actor=TESTER)
    accrue(payment, 100)
    say_of_refund(refund, "refund_failed")
    request_refund(payment, 1000, shares=None)

    assert balance_minor("escrow", "EUR") == 0
    assert balance_minor("merchant_payable", "EUR") == 0
    assert balance_minor("commission_income", "EUR") == 0
    assert broken() == []


@pytest.mark.django_db(transaction=True)
def test_of_two_refunds_of_sixty_percent_at_once_one_is_refused() -> None:
    payment = make_captured(1000)

    results = together(*[lambda: request_refund(payment, 600)] * 2)

    assert sorted(type(result).__name__ for result in results) == ["Invalid", "Refund"]
    assert fresh_row(payment).refunded_minor == 600
    assert broken() == []


@pytest.mark.django_db(transaction=True)
def test_fifty_refunds_at_once_give_back_no_more_than_was_captured() -> None:
    payment = make_captured(1000)

    results = together(*[lambda: request_refund(payment, 30)] * 50)

    assert sum(isinstance(result, Refund) for result in results) == 33
    assert {r.code for r in results if isinstance(r, DomainError)} == {"refund.exceeds_captured"}
    assert fresh_row(payment).refunded_minor == 990
    assert broken() == []


@pytest.mark.django_db(transaction=True)
def test_one_request_sent_by_many_at_once_is_one_refund() -> None:
    payment = make_captured(1000)

    results = together(*[lambda: request_refund(payment, 300, request_key="cancel:1:1")] * 6)

    assert len({refund.pk for refund in succeeded(results)}) == 1
    assert fresh_row(payment).refunded_minor == 300
    assert LedgerTransaction.objects.filter(kind="refund_approved").count() == 1


def test_every_approval_is_booked_under_its_own_try() -> None:
    payment = make_captured(1000, merchants=[make_merchant()])
    refunds = [request_refund(payment, 100) for _ in range(3)]
    refs = [f"refund:{refund.pk}:1" for refund in refunds]
    booked = LedgerTransaction.objects.filter(kind="refund_approved").order_by("pk")
    assert [posting.ref for posting in booked] == refs
    assert all(first.pk < second.pk for first, second in pairwise(refunds))
