"""Cash on delivery: promised by ordering, taken at the door, or refused there and back in stock."""

from datetime import timedelta
from typing import cast

import pytest
from pytest_django import Settings

from accounts.models import Merchant
from core import clock
from core.errors import Invalid
from core.models import OutboxEvent
from core.outbox import Event
from delivery.models import Shipment
from inventory.models import StockItem
from orders.models import Order, OrderGroup
from orders.services.cancel import order_cancel
from orders.services.complete import order_complete
from orders.services.fulfil import order_ship
from orders.services.refund import order_refund
from orders.services.take_back import order_take_back
from payments.channels import cash_on_delivery
from payments.channels.base import NOT_FOUND, ChannelRefused, channel_named
from payments.handlers import call_channel
from payments.models import Attempt, Capture, PaymentShare, Refund
from payments.selectors import balance_minor
from tests.factories import TESTER, fresh
from tests.factories.parcels import scan
from tests.factories.story import (
    BUYER,
    MERCHANT,
    capture,
    deliver_events,
    fresh_row,
    make_group,
    only_order,
    pack,
    payment_of,
    start_payment,
)
from tests.orders.test_capture import broken

pytestmark = pytest.mark.django_db


def ask_channels() -> None:
    """What workers do with the streams to channels, until all is still."""
    asked: set[object] = set()
    while True:
        deliver_events()
        events = OutboxEvent.objects.filter(stream__aggregate_type="channel").order_by("seq")
        if not (new := [event for event in events if event.id not in asked]):
            return
        for event in new:
            asked.add(event.id)
            call_channel(cast("Event", event))


def start_cash(group: OrderGroup) -> Attempt:
    return start_payment(group, channel=cash_on_delivery.NAME)


def make_cash_group(orders: int = 1, units: int = 1) -> OrderGroup:
    """A group to be paid at the door; its merchants agree."""
    group = make_group(orders, units)
    agree(group)
    start_cash(group)
    ask_channels()
    return fresh_row(group)


def agree(group: OrderGroup) -> None:
    Merchant.objects.filter(pk__in=group.orders.values("merchant_id")).update(accepts_cash=True)


def ship_parcels(order: Order, *units: int) -> list[Shipment]:
    """The merchant ships that many units per parcel."""
    pack(order)
    [line] = order.lines.all()
    for number in units:
        order_ship(
            order_id=order.id,
            actor=MERCHANT,
            carrier="manual",
            tracking_number=fresh("T{}"),
            quantities={line.id: number},
        )
    return list(Shipment.objects.filter(reference=order.id).order_by("id"))


def share_of(order: Order) -> PaymentShare:
    return PaymentShare.objects.get(order_id=order.id)


def on_hand(order: Order) -> tuple[int, int]:
    item = StockItem.objects.get(sku_id=order.lines.get().sku_id)
    return item.on_hand, item.reserved


def test_an_order_paid_at_the_door_is_confirmed_at_once() -> None:
    group = make_cash_group(orders=2)
    assert (group.status, group.payment_summary) == ("paid", "authorised")
    assert payment_of(group).attempts.get().capture_at == "delivery"
    assert balance_minor("channel_clearing", "EUR") == 0
    assert broken() == {}


def test_its_money_is_taken_when_the_last_parcel_is_delivered_and_not_before() -> None:
    order = only_order(make_cash_group(units=2))
    first, second = ship_parcels(order, 1, 1)
    scan(first, "delivered")
    ask_channels()
    assert not Capture.objects.exists()
    scan(second, "delivered")
    ask_channels()

    assert fresh_row(Capture.objects.get()).status == "succeeded"
    assert share_of(order).captured_minor == order.total_minor
    assert balance_minor("channel_clearing", "EUR") == order.total_minor
    assert fresh_row(order.group).payment_summary == "paid"
    clock.advance(timedelta(days=15))
    order_complete(order_id=order.id, actor=TESTER)
    assert broken() == {}


def test_a_parcel_refused_at_the_door_ends_its_order_unpaid_and_is_sold_again() -> None:
    group = make_cash_group(units=2)
    order, had = only_order(group), on_hand(only_order(group))
    [parcel] = ship_parcels(order, 2)
    scan(parcel, "refused")
    ask_channels()
    assert fresh_row(order).status == "shipped"
    scan(parcel, "returned")
    ask_channels()

    ended = fresh_row(order)
    assert (ended.status, ended.first_left_at) == ("cancelled", None)
    assert share_of(order).voided_minor == order.total_minor
    assert fresh_row(payment_of(group)).status == "closed"
    assert fresh_row(payment_of(group).attempts.get()).status == "closed"
    assert on_hand(order) == (had[0], 0)
    assert not Refund.objects.exists()
    assert balance_minor("channel_clearing", "EUR") == 0
    told = OutboxEvent.objects.get(type="order.cancelled", object_id=order.id)
    assert (told.payload["cause"], told.payload["let_go_minor"]) == (
        "refused at the door",
        order.total_minor,
    )
    assert broken() == {}


def test_an_order_waits_for_all_its_parcels_to_come_back() -> None:
    order = only_order(make_cash_group(units=2))
    first, second = ship_parcels(order, 1, 1)
    scan(first, "returned")
    ask_channels()
    assert fresh_row(order).status == "shipped"
    scan(second, "returned")
    ask_channels()
    assert fresh_row(order).status == "cancelled"
    assert broken() == {}


def test_only_the_order_that_came_back_ends() -> None:
    group = make_cash_group(orders=2)
    kept, refused = group.orders.order_by("id")
    [arrived], [back] = ship_parcels(kept, 1), ship_parcels(refused, 1)
    scan(arrived, "delivered")
    scan(back, "returned")
    ask_channels()
    assert [fresh_row(order).status for order in (kept, refused)] == ["delivered", "cancelled"]
    assert balance_minor("channel_clearing", "EUR") == kept.total_minor
    assert fresh_row(payment_of(group)).status == "captured"
    assert fresh_row(group).payment_summary == "paid"
    assert broken() == {}


def test_taking_back_twice_takes_back_once() -> None:
    order = only_order(make_cash_group())
    [parcel] = ship_parcels(order, 1)
    scan(parcel, "returned")
    had = None
    for _ in range(2):
        order_take_back(order_id=order.id, actor=TESTER)
        had = had or on_hand(order)
    assert on_hand(order) == had


def test_what_is_paid_and_comes_back_is_a_matter_of_returns(settings: Settings) -> None:
    settings.PAYMENT_CAPTURE_AT = {}
    group = make_group()
    attempt = start_payment(group)
    capture(attempt)
    deliver_events()
    order = only_order(group)
    [parcel] = ship_parcels(order, 1)
    scan(parcel, "returned")
    deliver_events()
    assert fresh_row(order).status == "shipped"


def test_calling_off_before_it_is_sent_asks_nobody_for_cash() -> None:
    group = make_cash_group()
    told = order_cancel(order_id=only_order(group).id, actor=BUYER, reason="mind")
    ask_channels()
    assert (told.refund_minor, told.let_go_minor) == (0, group.total_minor)
    assert fresh_row(payment_of(group).attempts.get()).status == "closed"
    assert broken() == {}


def test_cash_has_no_account_to_go_back_to() -> None:
    order = only_order(make_cash_group())
    [parcel] = ship_parcels(order, 1)
    scan(parcel, "delivered")
    ask_channels()
    [refund] = order_refund(
        order_id=order.id, amount_minor=100, reason="scratch", request_key="k", actor=MERCHANT
    ).refunds
    ask_channels()
    refund = fresh_row(refund)
    assert (refund.status, refund.failure_code) == ("failed", "no_account")
    assert share_of(order).refunded_minor == 0
    assert broken() == {}


@pytest.mark.parametrize("amount", ["too much", "other currency"])
def test_too_much_for_the_door_is_refused_and_changes_nothing(
    settings: Settings, amount: str
) -> None:
    group = make_group()
    agree(group)
    most = {"EUR": group.total_minor - 1} if amount == "too much" else {"USD": 10**9}
    settings.CASH_ON_DELIVERY_MOST = most
    with pytest.raises(Invalid) as refusal:
        start_cash(group)
    assert refusal.value.code == "payment.cash_too_much"
    assert not Attempt.objects.exists()


def test_a_merchant_who_does_not_want_cash_keeps_it_from_the_whole_group() -> None:
    group = make_group(orders=2)
    agree(group)
    second = group.orders.select_related("merchant").order_by("id")[1].merchant
    Merchant.objects.filter(pk=second.pk).update(accepts_cash=False)
    with pytest.raises(Invalid) as refusal:
        start_cash(group)
    assert refusal.value.code == "payment.cash_not_accepted"
    assert second.name in str(refusal.value)
    order_cancel(order_id=group.orders.get(merchant=second).id, actor=MERCHANT, reason="sold out")
    start_cash(group)
    assert Attempt.objects.count() == 1


def test_the_channel_has_no_book_to_ask() -> None:
    channel = channel_named(cash_on_delivery.NAME)
    for ask in (channel.query, channel.query_refund):
        with pytest.raises(ChannelRefused) as refusal:
            ask("1")
        assert refusal.value.code == NOT_FOUND
    assert list(channel.movements(clock.now())) == []
    assert channel.notice(b"{}") is None
    with pytest.raises(ChannelRefused):
        channel.verify(b"{}", {})
