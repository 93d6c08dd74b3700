"""What pages, consoles and API offer: what the machines and the services then really allow."""

from datetime import timedelta

import pytest

from accounts.actors import Role
from core import clock
from core.errors import Conflict
from orders.actions import group_actions, order_actions
from orders.models import Order, OrderGroup
from orders.services.cancel import order_cancel
from orders.services.fulfil import order_acknowledge, order_start_packing
from tests.factories.story import BUYER, MERCHANT, make_group, make_paid_group

pytestmark = pytest.mark.django_db


def verbs_of(group: OrderGroup, role: Role) -> list[str]:
    orders = list(group.orders.all())
    return [action.verb for action in group_actions(group, orders, role)]


def verbs(order: Order, role: Role) -> list[str]:
    return [action.verb for action in order_actions(order, role)]


def test_an_unpaid_group_can_be_paid_and_cancelled_until_its_deadline() -> None:
    group = make_group()
    actions = group_actions(group, list(group.orders.all()), Role.BUYER)
    assert [(action.verb, action.deadline) for action in actions] == [
        ("pay", group.pay_before),
        ("cancel", group.pay_before),
    ]
    assert verbs_of(group, Role.MERCHANT) == []
    clock.advance(timedelta(minutes=31))
    assert verbs_of(group, Role.BUYER) == []


def test_the_merchant_is_offered_one_step_after_the_other() -> None:
    order = make_paid_group().orders.get()
    assert verbs(order, Role.MERCHANT) == ["refund", "acknowledge", "cancel", "reduce"]
    order = order_acknowledge(order_id=order.pk, actor=MERCHANT)
    assert verbs(order, Role.MERCHANT) == ["refund", "start_packing", "cancel", "reduce"]
    order = order_start_packing(order_id=order.pk, actor=MERCHANT)
    assert verbs(order, Role.MERCHANT) == ["refund", "ship", "cancel", "reduce"]


def test_the_buyer_may_cancel_until_packing_begins() -> None:
    group = make_paid_group()
    order = order_acknowledge(order_id=group.orders.get().pk, actor=MERCHANT)
    assert verbs_of(group, Role.BUYER) == ["cancel"]
    assert verbs(order, Role.BUYER) == ["cancel", "reduce"]
    order = order_start_packing(order_id=order.pk, actor=MERCHANT)
    assert verbs_of(group, Role.BUYER) == []
    assert verbs(order, Role.BUYER) == ["request_cancel"]
    with pytest.raises(Conflict) as refusal:
        order_cancel(order_id=order.pk, actor=BUYER, reason="changed my mind")
    assert refusal.value.code == "cancel.too_late"
    assert order_cancel(order_id=order.pk, actor=MERCHANT, reason="sold out").is_whole
