"""Acknowledging, packing, shipping in parcels, delivering."""

from datetime import timedelta

import pytest

from core import clock
from core.errors import Conflict, Invalid
from delivery.models import Shipment
from delivery.services import parcel_event_record
from inventory.models import Reservation, StockItem
from orders.models import Order
from orders.services.fulfil import (
    deliver_due,
    order_acknowledge,
    order_deliver,
    order_ship,
    order_start_packing,
)
from tests.factories import fresh
from tests.factories.story import (
    BUYER,
    MERCHANT,
    deliver_events,
    fresh_row,
    make_group,
    make_paid_group,
    only_order,
    pack,
    ship,
)

pytestmark = pytest.mark.django_db


def scan(shipment: Shipment, code: str) -> None:
    parcel_event_record(
        shipment_id=shipment.id, code=code, at=clock.now(), event_id=fresh("e{}"), actor=MERCHANT
    )


def ship_some(order: Order, quantities: dict[int, int] | None) -> Order:
    return order_ship(order_id=order.id, quantities=quantities, carrier="manual", actor=MERCHANT)


def test_the_merchants_steps_follow_each_other() -> None:
    order = only_order(make_paid_group())
    with pytest.raises(Conflict):
        order_start_packing(order_id=order.id, actor=MERCHANT)
    with pytest.raises(Conflict):
        ship_some(order, None)
    order_acknowledge(order_id=order.id, actor=MERCHANT)
    order_acknowledge(order_id=order.id, actor=MERCHANT)
    order_start_packing(order_id=order.id, actor=MERCHANT)
    assert fresh_row(order).status == "packing"


def test_an_unpaid_order_is_not_acknowledged() -> None:
    with pytest.raises(Conflict):
        order_acknowledge(order_id=only_order(make_group()).id, actor=MERCHANT)


def test_shipping_takes_the_goods_off_the_shelf() -> None:
    group = make_paid_group(units=3)
    ship(only_order(group))
    assert fresh_row(only_order(group)).status == "shipped"
    assert fresh_row(group).fulfilment_summary == "shipped"
    assert list(StockItem.objects.values_list("on_hand", "reserved")) == [(7, 0)]
    assert Reservation.objects.get().status == "shipped"


def test_shipping_twice_sends_one_parcel() -> None:
    order = only_order(make_paid_group())
    ship(order)
    ship_some(order, None)
    assert Shipment.objects.count() == 1


def test_an_order_ships_with_its_last_unit() -> None:
    order = only_order(make_paid_group(units=3))
    pack(order)
    line = order.lines.get()
    ship_some(order, {line.id: 2})
    assert fresh_row(order).status == "packing"
    assert list(StockItem.objects.values_list("on_hand", "reserved")) == [(8, 1)]
    ship_some(order, {line.id: 1})
    assert fresh_row(order).status == "shipped"
    assert list(StockItem.objects.values_list("on_hand", "reserved")) == [(7, 0)]


@pytest.mark.parametrize("quantity", [0, -1, 4, 10**9])
def test_a_parcel_holds_only_what_is_open(quantity: int) -> None:
    order = only_order(make_paid_group(units=3))
    pack(order)
    with pytest.raises(Invalid) as refusal:
        ship_some(order, {order.lines.get().id: quantity})
    assert refusal.value.code == "shipment.lines"
    assert not Shipment.objects.exists()


def test_a_parcel_of_another_orders_line_is_refused() -> None:
    order, other = only_order(make_paid_group()), only_order(make_paid_group())
    pack(order)
    with pytest.raises(Invalid):
        ship_some(order, {other.lines.get().id: 1})
    with pytest.raises(Invalid):
        ship_some(order, {})


def test_the_last_parcels_scan_delivers_the_order() -> None:
    order = only_order(make_paid_group(units=2))
    pack(order)
    line = order.lines.get()
    ship_some(order, {line.id: 1})
    first = Shipment.objects.get()
    scan(first, "delivered")
    deliver_events()
    assert fresh_row(order).status == "packing"
    ship_some(order, {line.id: 1})
    deliver_events()
    assert fresh_row(order).status == "shipped"
    scan(Shipment.objects.exclude(pk=first.pk).get(), "delivered")
    deliver_events()
    assert fresh_row(order).status == "delivered"


def test_delivery_opens_the_return_window() -> None:
    order = only_order(make_paid_group())
    ship(order)
    delivered = order_deliver(order_id=order.id, actor=BUYER)
    assert delivered.return_until is not None
    assert delivered.return_until - delivered.status_changed_at == timedelta(days=14)
    again = order_deliver(order_id=order.id, actor=BUYER)
    assert again.return_until == delivered.return_until


def test_the_clock_delivers_what_no_scan_did() -> None:
    order = only_order(make_paid_group())
    ship(order)
    clock.advance(timedelta(days=20))
    assert deliver_due() == 0
    clock.advance(timedelta(days=2))
    assert deliver_due() == 1
    assert fresh_row(order).status == "delivered"
