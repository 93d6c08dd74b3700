"""The story under many hands at once: placing, paying, cancelling and expiring the same things."""

import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from queue import Queue
from threading import Thread

import pytest
from django.db import connection, transaction

from core import audit, clock
from inventory.models import Reservation, StockItem
from inventory.services import reservation
from orders.models import Order, OrderGroup
from orders.services.cancel import order_cancel, order_group_cancel
from orders.services.expire import expire_due, order_group_expire
from orders.services.pay import order_group_pay
from orders.services.place import order_group_place
from payments.models import Refund
from tests.concurrency.threads import (
    at_once,
    buyers_allowed,
    query,
    without_stock_constraint,
)
from tests.factories import TESTER
from tests.factories.money import say
from tests.factories.story import (
    BUYER,
    MERCHANT,
    Basket,
    capture,
    deliver_events,
    expire_for_good,
    fill_cart,
    make_checkout,
    make_group,
    make_paid_group,
    make_stocked_sku,
    payment_of,
    place,
    start_payment,
)

pytestmark = pytest.mark.django_db(transaction=True)

UNITS = 50


def placing(basket: Basket) -> Callable[[], object]:
    checkout = make_checkout(basket)
    return lambda: order_group_place(cart_id=basket.cart_id, checkout=checkout, actor=BUYER)


def buy_fifty_units_with_all_buyers() -> tuple[int, Counter[str]]:
    sku = make_stocked_sku(units=UNITS)
    buyers = buyers_allowed()
    return buyers, at_once([placing(fill_cart([(sku, 1)])) for _ in range(buyers)])


def test_two_hundred_buyers_place_exactly_fifty_orders() -> None:
    buyers, outcomes = buy_fifty_units_with_all_buyers()
    assert outcomes == {"done": UNITS, "stock.insufficient": buyers - UNITS}
    assert OrderGroup.objects.count() == UNITS
    assert list(StockItem.objects.values_list("on_hand", "reserved")) == [(UNITS, UNITS)]
    assert audit.run() == []


def test_without_the_guard_the_same_buyers_place_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reservation, "ENOUGH", "true")
    with without_stock_constraint():
        _, outcomes = buy_fifty_units_with_all_buyers()
        assert outcomes["done"] > UNITS
        assert {violation.view.code for violation in audit.run()} == {"I03"}


def test_a_checkout_sent_by_eight_hands_makes_one_group() -> None:
    basket = fill_cart([(make_stocked_sku(), 1)])
    submit = placing(basket)
    assert at_once([submit] * 8) == {"done": 8}
    assert OrderGroup.objects.count() == 1
    assert Reservation.objects.count() == 1


def test_baskets_in_any_order_of_skus_and_merchants_never_deadlock() -> None:
    skus = [make_stocked_sku(units=100) for _ in range(6)]
    orders = [[(sku, 1) for sku in skus[turn:] + skus[:turn]] for turn in range(6)] * 4
    outcomes = at_once([placing(fill_cart(wants)) for wants in orders])
    assert outcomes == {"done": 24}
    assert set(StockItem.objects.values_list("reserved", flat=True)) == {24}


def test_cancelling_and_expiring_at_once_release_once() -> None:
    groups = [make_group(units=2) for _ in range(6)]
    clock.advance(timedelta(minutes=31))
    at_once([partial(end, group, turn) for group in groups for turn in range(4)])
    assert set(OrderGroup.objects.values_list("status", flat=True)) == {"expired"}
    assert set(StockItem.objects.values_list("on_hand", "reserved")) == {(10, 0)}
    deliver_events()
    assert audit.run() == []


def end(group: OrderGroup, turn: int) -> None:
    if turn % 2:
        order_group_expire(group_id=group.id, actor=TESTER)
    else:
        order_group_cancel(group_id=group.id, actor=BUYER, reason="race")


@pytest.mark.parametrize("_round", range(5))
def test_money_and_expiry_at_once_end_paid_or_refunded(_round: int) -> None:
    group = make_group()
    attempt = start_payment(group)
    at_once(
        [
            lambda: capture(attempt),
            lambda: capture(attempt, origin="query"),
            lambda: expire_for_good(group),
        ]
    )
    deliver_events()
    status = OrderGroup.objects.get().status
    refunds = list(Refund.objects.values_list("amount_minor", flat=True))
    assert (status, refunds) in (("paid", []), ("expired", [group.total_minor]))
    assert audit.run() == []


def test_an_order_cancelled_by_both_sides_is_refunded_once() -> None:
    group = make_paid_group(orders=2)
    order = Order.objects.filter(group=group).order_by("id")[0]
    at_once(
        [lambda: order_cancel(order_id=order.id, actor=MERCHANT, reason="out of stock")] * 4
        + [lambda: order_group_cancel(group_id=group.id, actor=BUYER, reason="mind")] * 4
    )
    refunds = dict(Refund.objects.values_list("reference", "amount_minor"))
    assert refunds == {order.id: order.total_minor for order in group.orders.all()}


def test_who_waited_for_the_lock_over_the_deadline_decides_by_the_time_after_it() -> None:
    group = make_group()
    answers: Queue[bool] = Queue()

    def expire() -> None:
        answers.put(order_group_expire(group_id=group.id, actor=TESTER))
        connection.close()

    waiting = Thread(target=expire)
    with transaction.atomic():
        OrderGroup.objects.select_for_update().get(pk=group.pk)
        waiting.start()
        while not query("SELECT 1 FROM pg_locks WHERE NOT granted"):
            time.sleep(0.01)
        at_once([lambda: clock.advance(timedelta(minutes=30))])
    waiting.join()
    assert answers.get(timeout=1)


def test_two_scans_at_once_expire_each_group_once() -> None:
    groups = [make_group(units=2) for _ in range(12)]
    start_payment(groups[0])
    clock.advance(timedelta(minutes=36))
    at_once([expire_due] * 3)
    expire_due()
    assert set(OrderGroup.objects.values_list("status", flat=True)) == {"expired"}
    assert set(StockItem.objects.values_list("on_hand", "reserved")) == {(10, 0)}
    deliver_events()
    assert audit.run() == []


def test_units_called_off_at_once_go_back_one_by_one() -> None:
    group = make_paid_group(units=5)
    order = Order.objects.get(group=group)
    one = {order.lines.get().id: 1}
    at_once(
        [lambda: order_cancel(order_id=order.id, actor=MERCHANT, reason="", quantities=one)] * 8
    )
    refunds = list(Refund.objects.values_list("request_key", "amount_minor"))
    assert len(refunds) == 5
    assert sum(minor for _key, minor in refunds) == group.total_minor
    assert set(StockItem.objects.values_list("on_hand", "reserved")) == {(10, 0)}
    deliver_events()
    assert audit.run() == []


@pytest.mark.parametrize("_round", range(5))
def test_the_last_unit_goes_to_late_money_or_to_a_new_buyer(_round: int) -> None:
    sku = make_stocked_sku(units=1)
    group = place([(sku, 1)])
    attempt = say(start_payment(group), "closed")
    clock.advance(timedelta(minutes=31))
    order_group_expire(group_id=group.id, actor=TESTER)
    capture(attempt)
    basket = fill_cart([(sku, 1)])
    checkout = make_checkout(basket)
    payment_id = payment_of(group).id
    at_once(
        [
            lambda: order_group_pay(group_id=group.id, payment_id=payment_id, actor=TESTER),
            lambda: order_group_place(cart_id=basket.cart_id, checkout=checkout, actor=BUYER),
        ]
    )
    deliver_events()
    is_back = OrderGroup.objects.get(pk=group.id).status == "paid"
    assert OrderGroup.objects.exclude(pk=group.id).exists() is not is_back
    assert Refund.objects.exists() is not is_back
    assert set(StockItem.objects.values_list("on_hand", "reserved")) == {(1, 1)}
    assert audit.run() == []
