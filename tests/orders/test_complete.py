"""Completing: the window is over, the merchant has earned, the commission is ours."""

from datetime import timedelta

import pytest

from core import clock
from core.errors import Conflict
from orders.models import Order
from orders.services.complete import complete_due, order_complete
from orders.services.fulfil import order_deliver
from payments.selectors import balance_minor
from tests.factories import TESTER
from tests.factories.story import BUYER, fresh_row, make_paid_group, only_order, ship

pytestmark = pytest.mark.django_db


def delivered_order() -> Order:
    order = only_order(make_paid_group())
    ship(order)
    return order_deliver(order_id=order.id, actor=BUYER)


def test_an_order_completes_when_its_window_is_over() -> None:
    order = delivered_order()
    clock.advance(timedelta(days=13, hours=23))
    with pytest.raises(Conflict) as refusal:
        order_complete(order_id=order.id, actor=TESTER)
    assert refusal.value.code == "order.window_open"
    clock.advance(timedelta(hours=2))
    assert complete_due() == 1
    assert fresh_row(order).status == "completed"
    assert complete_due() == 0


def test_completion_gives_the_merchant_the_rest_after_commission() -> None:
    order = delivered_order()
    clock.advance(timedelta(days=15))
    order_complete(order_id=order.id, actor=TESTER)
    order_complete(order_id=order.id, actor=TESTER)
    balances = {
        code: balance_minor(code=code, currency="EUR", order_id=order.id)
        for code in ("escrow", "merchant_payable", "commission_income")
    }
    assert order.commission_minor == 100  # 10 % of 10.00
    assert balances == {
        "escrow": 0,
        "merchant_payable": -(order.total_minor - 100),
        "commission_income": -100,
    }


def test_an_order_on_its_way_does_not_complete() -> None:
    order = only_order(make_paid_group())
    ship(order)
    with pytest.raises(Conflict):
        order_complete(order_id=order.id, actor=TESTER)
