"""Disputes: whose money the bank takes, what waits for them, and never both refund and chargeback."""

from datetime import timedelta
from functools import partial
from itertools import permutations
from typing import Any

import pytest

from core import clock
from core.errors import Conflict
from orders.models import Order, OrderGroup
from orders.services.cancel import order_cancel, order_group_cancel
from orders.services.complete import complete_due, order_complete
from orders.services.fulfil import order_deliver
from orders.services.refund import order_refund
from payments.models import Attempt, ChannelFact, Chargeback, Payment, Refund
from payments.selectors import balance_minor
from payments.services.split import SPLIT_OVER
from tests.audit.plant import broken
from tests.concurrency.threads import at_once
from tests.factories import TESTER
from tests.factories.money import accrue, dispute, say_of_refund
from tests.factories.story import (
    BUYER,
    MERCHANT,
    capture,
    deliver_events,
    fresh_row,
    make_group,
    make_paid_group,
    make_stocked_sku,
    only_order,
    pay,
    payment_of,
    place,
    ship,
    start_payment,
)

pytestmark = pytest.mark.django_db

TOTAL = 1500


def paid() -> tuple[OrderGroup, Attempt]:
    group = make_paid_group(orders=2)
    return group, payment_of(group).attempts.get()


def clean() -> None:
    deliver_events()
    assert broken(final=True) - {"inv_21_outbox_undelivered"} == set()


def refund(order: Order, amount_minor: int = 400, key: str = "k") -> Refund:
    [made] = order_refund(
        order_id=order.pk, amount_minor=amount_minor, reason="r", request_key=key, actor=MERCHANT
    ).refunds
    return made


def test_before_completion_it_comes_out_of_escrow() -> None:
    group, attempt = paid()
    made = dispute(attempt, "opened")
    assert (made.status, made.amount_minor, made.loss_minor) == ("opened", 2 * TOTAL, 0)
    assert balance_minor("escrow", "EUR") == balance_minor("channel_clearing", "EUR") == 0
    assert payment_of(group).charged_back_minor == 2 * TOTAL
    clean()


def split() -> dict[str, int]:
    return {code: balance_minor(code, "EUR") for code in SPLIT_OVER}


def test_after_completion_merchant_and_house_pay_what_they_had_of_it() -> None:
    group, attempt = paid()
    accrue(
        payment_of(group),
        100,
        delivery_minor=500,
        commission_tax_minor=19,
        subsidy_minor=100,
    )
    before = split()
    assert before == {
        "merchant_payable": -(TOTAL + 100 - 100 - 19),
        "commission_income": -100,
        "tax_payable": -19,
        "voucher_cost": 100,
    }
    dispute(attempt, "opened", amount_minor=1001)  # 501 of it of the completed order
    assert split() == {
        "merchant_payable": -(999 + 50 - 50 - 9),
        "commission_income": -50,
        "tax_payable": -9,
        "voucher_cost": 50,
    }
    assert balance_minor("escrow", "EUR") == -(TOTAL - 500)
    clean()
    dispute(attempt, "won", amount_minor=1001)
    assert split() == before
    clean()


def test_refunds_and_disputes_after_completion_end_at_nothing() -> None:
    group = make_paid_group()
    attempt, order = payment_of(group).attempts.get(), only_order(group)
    accrue(
        payment_of(group),
        101,
        delivery_minor=500,
        commission_tax_minor=19,
        subsidy_minor=77,
    )
    refund(order, 333, key="before")
    dispute(attempt, "lost", "dp_1", amount_minor=334)
    dispute(attempt, "opened", "dp_2", amount_minor=335)
    dispute(attempt, "won", "dp_2", amount_minor=335)
    refund(order, TOTAL - 333 - 334, key="after")
    assert split() == dict.fromkeys(SPLIT_OVER, 0)
    clean()


@pytest.mark.parametrize("kinds", list(permutations(["opened", "won", "won"])))
def test_won_whatever_comes_first_the_book_is_as_before(kinds: tuple[str, ...]) -> None:
    group, attempt = paid()
    for kind in kinds:
        dispute(attempt, kind)
    assert Chargeback.objects.get().status == "won"
    assert payment_of(group).charged_back_minor == 0
    assert balance_minor("escrow", "EUR") == -2 * TOTAL
    clean()


@pytest.mark.parametrize("kinds", list(permutations(["opened", "lost", "won"])))
def test_a_bank_that_says_lost_and_won_has_given_it_back(kinds: tuple[str, ...]) -> None:
    _, attempt = paid()
    for kind in kinds:
        dispute(attempt, kind)
    assert Chargeback.objects.get().status == "won"
    clean()


@pytest.mark.parametrize("kinds", [("opened", "lost"), ("lost", "opened"), ("lost", "lost")])
def test_lost_it_stays_gone(kinds: tuple[str, ...]) -> None:
    group, attempt = paid()
    for kind in kinds:
        dispute(attempt, kind)
    assert Chargeback.objects.get().status == "lost"
    assert payment_of(group).charged_back_minor == 2 * TOTAL
    clean()


@pytest.mark.parametrize(
    "wrong", [{"amount_minor": 2 * TOTAL + 1}, {"amount_minor": 0}, {"currency": "USD"}]
)
def test_more_than_was_taken_is_not_believed(wrong: dict[str, Any]) -> None:
    _, attempt = paid()
    with pytest.raises(Conflict) as refusal:
        dispute(attempt, "opened", **wrong)
    assert refusal.value.code == "fact.amount"
    assert not Chargeback.objects.exists()
    assert not ChannelFact.objects.filter(kind="chargeback_opened").exists()


def test_two_disputes_are_no_more_than_was_taken() -> None:
    _, attempt = paid()
    dispute(attempt, "opened", amount_minor=2000)
    with pytest.raises(Conflict):
        dispute(attempt, "opened", "dp_2", amount_minor=1001)
    dispute(attempt, "opened", "dp_2", amount_minor=1000)
    clean()


def test_the_same_dispute_by_another_amount_is_refused() -> None:
    _, attempt = paid()
    dispute(attempt, "opened")
    with pytest.raises(Conflict) as refusal:
        dispute(attempt, "won", amount_minor=1)
    assert refusal.value.code == "fact.amount"


def test_while_it_is_open_nothing_goes_back_by_hand() -> None:
    group, attempt = paid()
    order = group.orders.all()[0]
    dispute(attempt, "opened", amount_minor=1000)
    for act in (
        partial(refund, order),
        partial(order_cancel, order_id=order.pk, actor=MERCHANT, reason="sold out"),
    ):
        with pytest.raises(Conflict) as refusal:
            act()
        assert refusal.value.code == "refund.chargeback_open"
    dispute(attempt, "won", amount_minor=1000)
    refund(order)
    clean()


def test_what_is_lost_can_not_go_back_once_more() -> None:
    group, attempt = paid()
    order = group.orders.all()[0]
    dispute(attempt, "lost", amount_minor=2000)
    with pytest.raises(Exception, match="More than was paid"):
        refund(order, 501)
    refund(order, 500)
    clean()


def test_an_order_whose_money_is_lost_is_called_off_and_only_what_is_left_goes_back() -> None:
    group = pay(place([(make_stocked_sku(), 3)]))
    attempt, order = payment_of(group).attempts.get(), only_order(group)
    dispute(attempt, "lost", amount_minor=order.total_minor - 700)
    one = {order.lines.get().pk: 1}
    order_cancel(order_id=order.pk, quantities=one, actor=MERCHANT, reason="broken")
    assert Refund.objects.get().amount_minor == 700  # of ten
    clean()
    order_cancel(order_id=order.pk, actor=MERCHANT, reason="broken")
    assert Refund.objects.count() == 1
    assert fresh_row(order).status == "cancelled"
    clean()


def test_late_money_that_a_bank_has_taken_back_does_not_go_back_once_more() -> None:
    group = make_group()
    attempt = start_payment(group)
    order_group_cancel(group_id=group.pk, actor=BUYER, reason="mind")
    capture(attempt)
    dispute(attempt, "lost")
    clean()
    assert not Refund.objects.exists()
    assert [payment.refunded_minor for payment in Payment.objects.all()] == [0]


def test_what_had_gone_back_before_is_the_houses_loss() -> None:
    group, attempt = paid()
    first, _ = group.orders.order_by("id")
    say_of_refund(refund(first, TOTAL), "refund_succeeded")
    made = dispute(attempt, "opened")
    assert made.loss_minor == TOTAL
    assert balance_minor("chargeback_loss", "EUR") == TOTAL
    clean()
    dispute(attempt, "won")
    assert balance_minor("chargeback_loss", "EUR") == 0
    clean()


def test_its_order_does_not_complete_until_it_is_decided() -> None:
    group = make_paid_group()
    order = ship(only_order(group))
    deliver(order)
    dispute(payment_of(group).attempts.get(), "opened")
    assert complete_due() == 0
    with pytest.raises(Conflict) as refusal:
        order_complete(order_id=order.pk, actor=TESTER)
    assert refusal.value.code == "order.chargeback_open"
    dispute(payment_of(group).attempts.get(), "lost")
    assert complete_due() == 1
    assert fresh_row(order).status == "completed"
    assert balance_minor("merchant_payable", "EUR") == 0


def deliver(order: Order) -> None:
    order_deliver(order_id=order.pk, actor=BUYER)
    clock.advance(timedelta(days=15))


@pytest.mark.django_db(transaction=True)
def test_a_refund_and_a_dispute_at_once_never_take_the_same_money() -> None:
    for _ in range(5):
        group = make_paid_group()
        attempt, order = payment_of(group).attempts.get(), only_order(group)
        at_once(
            [
                partial(refund, order, TOTAL),
                partial(dispute, attempt, "opened", f"dp_{attempt.pk}"),
            ]
        )
        payment = Payment.objects.get(pk=attempt.payment_id)
        loss = Chargeback.objects.get(attempt=attempt).loss_minor
        assert payment.refunded_minor + payment.charged_back_minor == TOTAL
        assert payment.refunded_minor == loss
    clean()
