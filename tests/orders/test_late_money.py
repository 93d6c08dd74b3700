"""Money that comes after the deadline: it brings the group back, whole, or it goes back whole."""

from datetime import timedelta

import pytest

from accounts.models import Merchant
from accounts.services import merchant_suspend
from core import clock
from core.models import OutboxEvent
from inventory.models import Reservation, StockItem
from orders.models import OrderGroup
from orders.services.cancel import order_cancel, order_group_cancel
from orders.services.expire import order_group_expire
from orders.services.pay import order_group_pay
from payments.models import Attempt, Refund
from tests.audit.plant import broken
from tests.factories import TESTER
from tests.factories.money import say, say_of_refund
from tests.factories.story import (
    BUYER,
    capture,
    deliver_events,
    fresh_row,
    make_delivering_merchant,
    make_stocked_sku,
    payment_of,
    place,
    start_payment,
)

pytestmark = pytest.mark.django_db


def make_late_group(units: int = 2, left: int = 0) -> tuple[OrderGroup, Attempt]:
    """A group of two merchants that ran out of time while it was being paid."""
    skus = [make_stocked_sku(units=units + left) for _ in range(2)]
    group = place([(sku, units) for sku in skus])
    return group, expire_while_paying(group)


def expire_while_paying(group: OrderGroup) -> Attempt:
    """The channel says that it has closed the attempt, and takes the money all the same."""
    attempt = say(start_payment(group), "closed")
    clock.advance(timedelta(minutes=31))
    assert order_group_expire(group_id=group.id, actor=TESTER)
    return attempt


def come_late(attempt: Attempt) -> None:
    capture(attempt)
    deliver_events()


def statuses(group: OrderGroup) -> tuple[str, set[str]]:
    return fresh_row(group).status, {order.status for order in group.orders.all()}


def assert_given_back(group: OrderGroup) -> None:
    refund = Refund.objects.get(request_key=f"late:{payment_of(group).id}")
    assert (refund.amount_minor, refund.status) == (group.payable_minor, "approved")
    assert statuses(group) == ("expired", {"cancelled"})
    assert fresh_row(group).payment_summary == "refunded"
    assert broken() == set()


def test_late_money_brings_the_group_back_with_its_stock() -> None:
    group, attempt = make_late_group()
    come_late(attempt)
    assert statuses(group) == ("paid", {"paid"})
    assert fresh_row(group).payment_summary == "paid"
    assert set(StockItem.objects.values_list("on_hand", "reserved")) == {(2, 2)}
    live = Reservation.objects.exclude(status="released")
    assert set(live.values_list("status", "quantity")) == {("committed", 2)}
    types = set(OutboxEvent.objects.values_list("type", flat=True))
    assert {"order_group.reinstated", "order.reinstated"} <= types
    assert not Refund.objects.exists()
    assert broken() == set()


def test_late_money_that_is_told_twice_brings_it_back_once() -> None:
    group, attempt = make_late_group()
    come_late(attempt)
    order_group_pay(group_id=group.id, payment_id=payment_of(group).id, actor=TESTER)
    assert Reservation.objects.exclude(status="released").count() == 2
    assert broken() == set()


def test_where_a_single_unit_is_gone_all_the_money_goes_back() -> None:
    group, attempt = make_late_group()
    line = group.orders.latest("id").lines.get()
    place([(line.sku, 1)])  # somebody else was quicker
    come_late(attempt)
    assert_given_back(group)
    assert sorted(StockItem.objects.values_list("on_hand", "reserved")) == [(2, 0), (2, 1)]


def test_who_may_not_sell_any_more_gets_no_late_order() -> None:
    group, attempt = make_late_group()
    merchant = group.orders.latest("id").merchant
    merchant_suspend(merchant_id=merchant.pk, actor=TESTER)
    assert Merchant.objects.get(pk=merchant.pk).state == "suspended"
    come_late(attempt)
    assert_given_back(group)


@pytest.mark.parametrize(("hours", "is_back"), [(23, True), (25, False)])
def test_after_a_day_nobody_waits_for_the_goods_any_more(hours: int, is_back: bool) -> None:
    group, attempt = make_late_group()
    clock.advance(timedelta(hours=hours))
    come_late(attempt)
    assert statuses(group)[0] == ("paid" if is_back else "expired")
    assert Refund.objects.exists() is not is_back


def test_a_group_that_its_user_cancelled_never_comes_back() -> None:
    group = place([(make_stocked_sku(), 1)])
    attempt = start_payment(group)
    order_group_cancel(group_id=group.id, actor=BUYER, reason="changed my mind")
    come_late(attempt)
    assert statuses(group) == ("cancelled", {"cancelled"})
    assert Refund.objects.get().amount_minor == group.total_minor
    assert broken() == set()


def test_money_that_went_back_does_not_bring_the_group_back_later() -> None:
    group, attempt = make_late_group()
    line = group.orders.latest("id").lines.get()
    other = place([(line.sku, 1)])
    come_late(attempt)
    say_of_refund(Refund.objects.get(), "refund_failed")
    order_group_cancel(group_id=other.id, actor=BUYER, reason="the goods are free again")
    order_group_pay(group_id=group.id, payment_id=payment_of(group).id, actor=TESTER)
    assert statuses(group) == ("expired", {"cancelled"})
    assert Refund.objects.count() == 1


def test_what_was_called_off_before_does_not_come_back() -> None:
    kept, gone = make_stocked_sku(units=3), make_stocked_sku(units=3)
    group = place([(kept, 3), (gone, 2)])
    [whole] = [order for order in group.orders.all() if order.merchant_id == gone.merchant_id]
    [part] = [order for order in group.orders.all() if order.merchant_id == kept.merchant_id]
    order_cancel(order_id=whole.id, actor=BUYER, reason="not this")
    one = {part.lines.get().id: 1}
    order_cancel(order_id=part.id, actor=BUYER, reason="too many", quantities=one)
    come_late(expire_while_paying(group))
    assert (fresh_row(part).status, fresh_row(whole).status) == ("paid", "cancelled")
    [row] = Reservation.objects.exclude(status="released")
    assert (row.reference, row.quantity) == (part.lines.get().id, 2)
    assert broken() == set()


def test_two_articles_on_one_shelf_come_back_together_or_not_at_all() -> None:
    merchant = make_delivering_merchant()
    skus = [make_stocked_sku(merchant, units=1), make_stocked_sku(merchant, units=1)]
    group = place([(sku, 1) for sku in skus])
    attempt = expire_while_paying(group)
    place([(skus[1], 1)])
    come_late(attempt)
    assert_given_back(group)
    assert Reservation.objects.exclude(status="released").count() == 1
