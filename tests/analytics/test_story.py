"""What the outbox tells of orders and parcels becomes events for the figures, each once."""

from datetime import timedelta
from typing import Any

import pytest

from accounts.models import Customer, MerchantMember, User
from accounts.services import customer_for_email
from analytics.consumers import purchase_id, record_story
from analytics.models import Event
from core import clock
from core.models import OutboxEvent
from core.outbox import Event as Told
from orders.models import OrderGroup
from orders.services.cancel import order_cancel, order_group_cancel
from orders.services.expire import order_group_expire
from orders.services.fulfil import order_deliver
from orders.services.place import order_group_place
from tests.factories import TESTER, make_customer, make_merchant, make_user
from tests.factories.story import (
    BUYER,
    MERCHANT,
    deliver_events,
    fill_cart,
    make_checkout,
    make_stocked_sku,
    only_order,
    pay,
    ship,
)

pytestmark = pytest.mark.django_db(transaction=True)
VISIT = "v" * 32


def placed(orders: int = 1, customer: Customer | None = None, visit: str = VISIT) -> OrderGroup:
    basket = fill_cart([(make_stocked_sku(), 1) for _ in range(orders)], customer)
    checkout = make_checkout(basket, session_key=visit)
    return order_group_place(cart_id=basket.cart_id, checkout=checkout, actor=BUYER)


def events(*names: str) -> list[Event]:
    """What is known of these names once the outbox is empty, in order of the merchants' orders."""
    deliver_events()
    return list(Event.objects.filter(name__in=names).order_by("occurred_at", "order_id"))


def customer_of(user: User) -> Customer:
    customer = customer_for_email(email=user.email)
    Customer.objects.filter(pk=customer.pk).update(user=user)
    return customer


def test_a_placed_group_is_one_event_of_its_visit_at_the_time_of_placing() -> None:
    group = placed(orders=2)
    [event] = events("order_placed")
    assert (event.session_key, event.order_group_id) == (VISIT, group.id)
    assert (event.occurred_at, event.value_minor) == (group.placed_at, group.total_minor)
    assert (event.order_id, event.user_id) == (None, None)


def test_a_purchase_is_one_event_per_merchant_under_one_group() -> None:
    group = pay(placed(orders=2))
    first, second = events("purchase")
    orders = list(group.orders.order_by("id"))
    assert [event.order_id for event in (first, second)] == [order.id for order in orders]
    assert [event.merchant_id for event in (first, second)] == [o.merchant_id for o in orders]
    assert sum(event.value_minor or 0 for event in (first, second)) == group.total_minor
    assert {event.order_group_id for event in (first, second)} == {group.id}
    assert [first.event_id, second.event_id] == [purchase_id(group.id, 1), purchase_id(group.id, 2)]
    assert {event.session_key for event in (first, second)} == {VISIT}


def test_what_was_called_off_before_it_was_paid_was_not_bought() -> None:
    group = placed(orders=2)
    gone, bought = group.orders.order_by("id")
    order_cancel(order_id=gone.id, actor=BUYER, reason="mind")
    pay(group)
    [event] = events("purchase")
    assert (event.order_id, event.value_minor) == (bought.id, bought.total_minor)


def test_what_is_told_twice_is_kept_once() -> None:
    pay(placed(orders=2))
    before = events("order_placed", "purchase")
    told = OutboxEvent.objects.filter(type__startswith="order_group.").select_related("stream")
    record_story([as_told(event) for event in told])
    assert events("order_placed", "purchase") == before


def as_told(event: OutboxEvent) -> Told:
    fields: dict[str, Any] = {
        name: getattr(event, name)
        for name in ("id", "shard_key", "seq", "type", "object_id", "payload", "created_at")
    }
    stream = event.stream
    return Told(
        stream_id=stream.id,
        aggregate_type=stream.aggregate_type,
        aggregate_id=stream.aggregate_id,
        **fields,
    )


def test_parcel_and_delivery_are_events_of_the_merchants_order() -> None:
    order = only_order(pay(placed()))
    ship(order)
    order_deliver(order_id=order.id, actor=BUYER)
    shipped, delivered = events("shipment_shipped", "order_delivered")
    assert (shipped.name, delivered.name) == ("shipment_shipped", "order_delivered")
    assert {event.order_id for event in (shipped, delivered)} == {order.id}
    assert {event.session_key for event in (shipped, delivered)} == {VISIT}


def test_a_group_that_ran_out_of_time_has_expired_and_is_not_cancelled() -> None:
    group = placed(orders=2)
    clock.advance(timedelta(minutes=31))
    order_group_expire(group_id=group.id, actor=TESTER)
    assert [event.name for event in events("order_expired", "order_cancelled")] == ["order_expired"]


def test_each_cancelled_part_is_an_event_whether_it_was_paid_or_not() -> None:
    unpaid, paid = placed(orders=2), pay(placed())
    order_group_cancel(group_id=unpaid.id, actor=BUYER, reason="changed_mind")
    order_cancel(order_id=only_order(paid).id, actor=MERCHANT, reason="sold_out")
    cancelled = events("order_cancelled", "order_expired")
    assert [event.name for event in cancelled] == ["order_cancelled"] * 3
    assert {event.order_group_id for event in cancelled} == {unpaid.id, paid.id}


def test_a_buyer_with_an_account_is_known_by_it_where_the_visit_is_known() -> None:
    user = make_user()
    customer = customer_of(user)
    placed(customer=customer)
    placed(customer=customer, visit="")
    assert [(event.session_key, event.user_id) for event in events("order_placed")] == [
        (VISIT, user.pk),
        ("", None),
    ]


def test_what_insiders_buy_belongs_to_no_visit() -> None:
    member = make_user()
    MerchantMember.objects.create(user=member, merchant=make_merchant(), role="owner")
    for insider in (member, make_user(is_staff=True)):
        placed(customer=customer_of(insider))
    placed(customer=make_customer())
    assert [event.session_key for event in events("order_placed")] == ["", "", VISIT]


def test_no_event_keeps_an_address_or_a_reason_in_words() -> None:
    group = placed()
    order_group_cancel(group_id=group.id, actor=BUYER, reason="ask ada@example.com")
    for event in events("order_placed", "order_cancelled"):
        assert event.props == {}
