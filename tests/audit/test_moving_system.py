"""A system at work raises no false alarm: the auditor reads while others place, pay and cancel."""

import random
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

import pytest

from catalog.models import Sku
from core import audit
from core.errors import Conflict
from orders.models import Order, OrderGroup
from orders.services.cancel import order_cancel, order_group_cancel
from payments.models import Refund
from tests.audit.walks import placed, refund_all
from tests.factories.story import (
    BUYER,
    MERCHANT,
    capture,
    deliver_events,
    make_stocked_sku,
    start_payment,
)
from tests.threads import succeeded, together

pytestmark = pytest.mark.django_db(transaction=True)

SECONDS = 5
FEWEST_ROUNDS = 12


def until_the_end(work: Callable[[], object]) -> Callable[[], None]:
    """Repeats the work for as long as the test lasts, on a slow machine longer."""

    def run() -> None:
        end, rounds = time.monotonic() + SECONDS, 0
        while time.monotonic() < end or rounds < FEWEST_ROUNDS:
            work()
            rounds += 1

    return run


def shopper(seed: int) -> Callable[[], None]:
    """Buys from two merchants; pays most of it, calls some of it off, before or after."""
    chance, goods = random.Random(seed), goods_of_two()

    def shop() -> None:
        group = placed(goods)
        if chance.random() < 0.7:
            capture(start_payment(group))
        if chance.random() < 0.3:
            order_group_cancel(group_id=group.id, actor=BUYER, reason="changed my mind")
        if chance.random() < 0.5:
            call_off_one(chance)

    return shop


def goods_of_two() -> Sequence[Sku]:
    return [make_stocked_sku(units=10_000), make_stocked_sku(units=10_000)]


def call_off_one(chance: random.Random) -> None:
    """A merchant is out of stock, unless the order was called off meanwhile."""
    orders = Order.objects.filter(status="paid").values_list("id", flat=True)
    if orders:
        with suppress(Conflict):
            order_cancel(order_id=chance.choice(orders), actor=MERCHANT, reason="out of stock")


def deliver() -> None:
    deliver_events()
    refund_all()


def read() -> None:
    assert audit.run() == []


def test_an_auditor_beside_people_at_work_finds_nothing() -> None:
    tasks = [shopper(1), shopper(2), deliver, read]

    succeeded(together(*[until_the_end(task) for task in tasks]))

    assert set(OrderGroup.objects.values_list("status", flat=True)) >= {"paid", "cancelled"}
    assert Refund.objects.exists()
    deliver()
    assert audit.run() == []
