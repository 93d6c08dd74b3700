"""Giving a part of an order's money back, and no more of it than there is."""

from functools import partial

import pytest

from core import audit
from core.errors import Conflict, Invalid
from orders.models import Order, OrderGroup
from orders.services.cancel import order_cancel
from orders.services.refund import order_refund
from payments.models import Refund
from payments.selectors import refundable_minor
from tests.concurrency.threads import at_once
from tests.factories.story import (
    MERCHANT,
    make_group,
    make_paid_group,
    only_order,
    payment_of,
)


def refund(order: Order, amount_minor: int, *, key: str = "first", reason: str = "late") -> Refund:
    [made] = order_refund(
        order_id=order.pk, amount_minor=amount_minor, reason=reason, request_key=key, actor=MERCHANT
    ).refunds
    return made


@pytest.mark.django_db
def test_a_part_goes_back_and_the_summary_says_so() -> None:
    group = make_paid_group(orders=2)
    order = group.orders.all()[0]
    made = refund(order, 400)
    assert (made.status, made.reference, made.reason) == ("approved", order.pk, "late")
    assert refundable_minor(payment_of(group), order.pk) == order.total_minor - 400
    assert OrderGroup.objects.get().payment_summary == "partly_refunded"


@pytest.mark.django_db
def test_the_same_request_twice_is_one_refund() -> None:
    order = only_order(make_paid_group())
    assert refund(order, order.total_minor) == refund(order, order.total_minor)
    assert Refund.objects.count() == 1
    with pytest.raises(Conflict) as refusal:
        refund(order, 1)
    assert refusal.value.code == "refund.key_reused"


@pytest.mark.django_db
@pytest.mark.parametrize("too_much", [1501, 10**9])
def test_more_than_the_orders_share_can_not_go_back(too_much: int) -> None:
    group = make_paid_group(orders=2)
    order = group.orders.all()[0]
    with pytest.raises(Invalid) as refusal:
        refund(order, too_much)
    assert refusal.value.code == "refund.exceeds_captured"
    assert not Refund.objects.exists()


@pytest.mark.django_db
def test_two_refunds_together_are_not_more_than_was_paid() -> None:
    order = only_order(make_paid_group())
    refund(order, 1000)
    with pytest.raises(Invalid) as refusal:
        refund(order, 501, key="second")
    assert refusal.value.code == "refund.exceeds_captured"


@pytest.mark.django_db
@pytest.mark.parametrize("amount_minor", [0, -5])
def test_nothing_is_no_refund(amount_minor: int) -> None:
    with pytest.raises(Invalid) as refusal:
        refund(only_order(make_paid_group()), amount_minor)
    assert refusal.value.code == "refund.amount"


@pytest.mark.django_db
def test_a_refund_has_a_reason() -> None:
    with pytest.raises(Invalid) as refusal:
        refund(only_order(make_paid_group()), 1, reason=" ")
    assert refusal.value.code == "refund.reason_missing"


@pytest.mark.django_db
def test_what_was_not_paid_or_went_back_already_can_not_go_back() -> None:
    unpaid, cancelled = only_order(make_group()), only_order(make_paid_group())
    order_cancel(order_id=cancelled.pk, actor=MERCHANT, reason="sold out")
    for order in (unpaid, cancelled):
        with pytest.raises(Invalid) as refusal:
            refund(order, 100)
        assert refusal.value.code == "refund.exceeds_captured"


@pytest.mark.django_db
def test_cancelling_gives_back_what_a_refund_has_left() -> None:
    order = only_order(make_paid_group())
    refund(order, 400)
    order_cancel(order_id=order.pk, actor=MERCHANT, reason="sold out")
    amounts = Refund.objects.order_by("pk").values_list("amount_minor", flat=True)
    assert list(amounts) == [400, order.total_minor - 400]


@pytest.mark.django_db(transaction=True)
def test_many_hands_at_once_give_back_no_more_than_was_paid() -> None:
    order = only_order(make_paid_group())  # of 15.00
    outcomes = at_once([partial(refund, order, 700, key=f"key-{n}") for n in range(6)])
    assert outcomes == {"done": 2, "refund.exceeds_captured": 4}
    assert audit.run() == []
