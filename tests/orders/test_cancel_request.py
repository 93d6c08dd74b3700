"""Asking to cancel what is being packed: the merchant says yes or no, or silence says yes."""

from datetime import timedelta

import pytest

from accounts.actors import Actor, Role
from core import clock
from core.errors import Conflict, Invalid, NotFound
from core.models import OutboxEvent
from orders.models import CancelRequest, Order
from orders.services.cancel import order_cancel
from orders.services.fulfil import order_ship
from orders.services.request import (
    approve_due,
    cancel_request_approve,
    cancel_request_decline,
    cancel_request_open,
    cancel_request_withdraw,
)
from orders.working_time import after_working_hours
from payments.models import Refund
from tests.audit.plant import broken
from tests.factories.story import (
    BUYER,
    MERCHANT,
    deliver_events,
    fresh_row,
    make_delivering_merchant,
    make_stocked_sku,
    only_order,
    pack,
    pay,
    place,
)

pytestmark = pytest.mark.django_db


def make_packing_order(units: int = 3) -> Order:
    merchant = make_delivering_merchant(cancel_answer_hours=6, time_zone="Asia/Tokyo")
    sku = make_stocked_sku(merchant, price_minor=1000)
    return pack(only_order(pay(place([(sku, units)]))))


def ask(order: Order, units: int | None = None) -> CancelRequest:
    quantities = None if units is None else {order.lines.get().id: units}
    return cancel_request_open(
        order_id=order.id, reason="too late", actor=BUYER, quantities=quantities
    )


def test_a_request_gives_the_merchant_its_working_hours_and_holds_the_parcel() -> None:
    order = make_packing_order()
    before = clock.now()
    request = ask(order)
    earliest = after_working_hours(before, hours=6, time_zone="Asia/Tokyo")
    assert earliest <= request.deadline <= earliest + timedelta(minutes=5)
    assert fresh_row(order).cancel_requested_until == request.deadline
    for quantities in (None, {order.lines.get().id: 1}):
        with pytest.raises(Conflict) as refusal:
            order_ship(order_id=order.id, actor=MERCHANT, quantities=quantities)
        assert refusal.value.code == "cancel.requested"
    deliver_events()
    assert broken() == set()


def test_asking_for_the_same_again_is_quiet_and_for_something_else_is_refused() -> None:
    order = make_packing_order()
    request = ask(order, 1)
    assert ask(order, 1).id == request.id
    with pytest.raises(Conflict) as refusal:
        ask(order, 2)
    assert refusal.value.code == "cancel.requested"
    assert CancelRequest.objects.count() == 1


def test_approving_calls_off_what_was_asked_for() -> None:
    order = make_packing_order()
    request = ask(order, 2)
    for _ in range(2):
        cancel_request_approve(request_id=request.id, actor=MERCHANT)
    order = fresh_row(order)
    assert (order.status, order.cancel_requested_until) == ("packing", None)
    assert [refund.amount_minor for refund in Refund.objects.all()] == [2000]
    assert order_ship(order_id=order.id, actor=MERCHANT).status == "shipped"
    deliver_events()
    assert broken() == set()


def test_approving_a_request_for_everything_cancels_the_order() -> None:
    order = make_packing_order()
    cancel_request_approve(request_id=ask(order).id, actor=MERCHANT)
    assert fresh_row(order).status == "cancelled"
    assert fresh_row(order.group).payment_summary == "refunded"
    deliver_events()
    assert broken() == set()


def test_the_rest_of_a_partly_shipped_order_can_be_asked_for() -> None:
    order = make_packing_order()
    one = {order.lines.get().id: 1}
    order_ship(order_id=order.id, actor=MERCHANT, quantities=one, carrier="manual")
    cancel_request_approve(request_id=ask(order).id, actor=MERCHANT)
    assert fresh_row(order).status == "shipped"
    assert [refund.amount_minor for refund in Refund.objects.all()] == [2000]
    deliver_events()
    assert broken() == set()


def test_silence_approves_at_the_deadline_and_not_before() -> None:
    order = make_packing_order()
    request = ask(order)
    clock.advance(request.deadline - clock.now() - timedelta(seconds=30))
    assert approve_due() == 0
    clock.advance(timedelta(seconds=31))
    assert approve_due() == 1
    assert approve_due() == 0
    assert (fresh_row(order).status, fresh_row(request).status) == ("cancelled", "approved")


def test_a_merchant_who_declines_says_why_and_ships() -> None:
    order = make_packing_order()
    request = ask(order)
    with pytest.raises(Invalid) as refusal:
        cancel_request_decline(request_id=request.id, answer=" ", actor=MERCHANT)
    assert refusal.value.code == "cancel.answer_missing"
    for _ in range(2):
        cancel_request_decline(request_id=request.id, answer="It has been made.", actor=MERCHANT)
    assert fresh_row(request).answer == "It has been made."
    with pytest.raises(Conflict):
        cancel_request_approve(request_id=request.id, actor=MERCHANT)
    assert order_ship(order_id=order.id, actor=MERCHANT).status == "shipped"
    assert not Refund.objects.exists()


def test_a_buyer_who_wants_it_after_all_withdraws_and_may_ask_again() -> None:
    order = make_packing_order()
    request = ask(order)
    for _ in range(2):
        cancel_request_withdraw(request_id=request.id, actor=BUYER)
    assert fresh_row(order).cancel_requested_until is None
    assert ask(order).id != request.id
    types = set(OutboxEvent.objects.values_list("type", flat=True))
    assert {"cancel_request.requested", "cancel_request.withdrawn"} <= types
    deliver_events()
    assert broken() == set()


def test_a_merchant_who_cancels_everything_has_answered() -> None:
    order = make_packing_order()
    request = ask(order, 1)
    order_cancel(order_id=order.id, actor=MERCHANT, reason="sold out")
    assert (fresh_row(order).status, fresh_row(request).status) == ("cancelled", "approved")
    assert fresh_row(order).cancel_requested_until is None
    deliver_events()
    assert broken() == set()


def test_of_a_request_only_what_is_still_open_is_called_off() -> None:
    order = make_packing_order()
    request = ask(order, 2)
    two = {order.lines.get().id: 2}
    order_cancel(order_id=order.id, actor=MERCHANT, reason="sold out", quantities=two)
    assert fresh_row(request).status == "requested"
    cancel_request_approve(request_id=request.id, actor=MERCHANT)
    assert fresh_row(order).status == "cancelled"
    assert sum(refund.amount_minor for refund in Refund.objects.all()) == 3500


def test_a_request_for_what_is_gone_already_is_approved_and_changes_nothing() -> None:
    merchant = make_delivering_merchant()
    group = pay(place([(make_stocked_sku(merchant), 1), (make_stocked_sku(merchant), 1)]))
    order = pack(only_order(group))
    gone = {order.lines.earliest("id").id: 1}
    request = cancel_request_open(order_id=order.id, reason="", actor=BUYER, quantities=gone)
    order_cancel(order_id=order.id, actor=MERCHANT, reason="sold out", quantities=gone)
    cancel_request_approve(request_id=request.id, actor=MERCHANT)
    assert OutboxEvent.objects.filter(type="order.reduced").count() == 1
    assert order_ship(order_id=order.id, actor=MERCHANT).status == "shipped"


def test_only_what_is_being_packed_needs_to_be_asked_for() -> None:
    order = only_order(pay(place([(make_stocked_sku(), 1)])))
    with pytest.raises(Conflict) as refusal:
        ask(order)
    assert refusal.value.code == "state.conflict"


def test_nobody_else_asks_or_answers() -> None:
    order = make_packing_order()
    with pytest.raises(Conflict):
        cancel_request_open(order_id=order.id, reason="", actor=MERCHANT)
    request = ask(order)
    with pytest.raises(Conflict):
        cancel_request_approve(request_id=request.id, actor=BUYER)
    with pytest.raises(Conflict):
        cancel_request_withdraw(request_id=request.id, actor=MERCHANT)
    with pytest.raises(Conflict):
        cancel_request_decline(request_id=request.id, answer="no", actor=Actor(Role.SYSTEM))
    assert fresh_row(request).status == "requested"


def test_an_unknown_request_is_refused() -> None:
    for service in (cancel_request_approve, cancel_request_withdraw):
        with pytest.raises(NotFound):
            service(request_id=2**40, actor=MERCHANT)


def test_more_than_is_open_can_not_be_asked_for() -> None:
    with pytest.raises(Invalid) as refusal:
        ask(make_packing_order(), 4)
    assert refusal.value.code == "cancel.quantity"
