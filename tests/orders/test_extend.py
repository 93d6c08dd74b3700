"""More time to pay: asked for in the last minutes, or because the way to pay takes longer."""

from datetime import datetime, timedelta

import pytest

from core import clock
from core.errors import Conflict, Invalid
from core.models import OutboxEvent, StateChange
from orders.models import OrderGroup
from orders.services.expire import order_group_expire
from orders.services.extend import order_group_extend
from orders.services.pay import payment_start
from payments.channels import sandbox
from payments.models import Attempt
from tests.factories import TESTER
from tests.factories.story import (
    BUYER,
    fresh_row,
    make_delivering_merchant,
    make_group,
    make_paid_group,
    make_stocked_sku,
    place,
    start_payment,
)

pytestmark = pytest.mark.django_db


def extend(group: OrderGroup) -> OrderGroup:
    return order_group_extend(group_id=group.id, actor=BUYER)


def deadline(group: OrderGroup) -> datetime:
    return fresh_row(group).pay_before


def start(group: OrderGroup, channel: str) -> Attempt:
    return payment_start(
        group_id=group.id,
        channel=channel,
        token="",
        return_url="http://shop.invalid/return",
        actor=BUYER,
    )


def refusal_of(group: OrderGroup) -> str:
    with pytest.raises(Conflict) as refusal:
        extend(group)
    return refusal.value.code


def test_in_the_last_five_minutes_a_shopper_gets_three_more() -> None:
    group = make_group()
    clock.advance(timedelta(minutes=25, seconds=1))
    extended = extend(group)
    assert deadline(group) == group.pay_before + timedelta(minutes=3)
    assert extended.extensions_left == 9
    clock.advance(timedelta(minutes=7))
    assert not order_group_expire(group_id=group.id, actor=TESTER)
    clock.advance(timedelta(minutes=1))
    assert order_group_expire(group_id=group.id, actor=TESTER)


def test_an_extension_tells_the_old_and_the_new_deadline() -> None:
    group = make_group()
    clock.advance(timedelta(minutes=26))
    later = extend(group).pay_before
    step = StateChange.objects.get(object_id=group.id, verb="extend")
    assert step.changes["pay_before"] == [group.pay_before.isoformat(), later.isoformat()]
    assert OutboxEvent.objects.filter(type="order_group.extended").count() == 1


def test_ten_extensions_are_the_most() -> None:
    group = make_group()
    clock.advance(timedelta(minutes=26))
    for _ in range(10):
        extend(group)
        clock.advance(timedelta(minutes=3))
    assert deadline(group) == group.pay_before + timedelta(minutes=30)
    assert refusal_of(group) == "state.conflict"


def test_a_deadline_that_has_moved_since_it_was_seen_stays_where_it_is() -> None:
    group = make_group()
    clock.advance(timedelta(minutes=26))
    for _ in range(2):
        order_group_extend(group_id=group.id, actor=BUYER, seen=group.pay_before)
    assert deadline(group) == group.pay_before + timedelta(minutes=3)
    assert fresh_row(group).extensions_left == 9
    clock.advance(timedelta(minutes=7))
    with pytest.raises(Conflict) as refusal:
        order_group_extend(group_id=group.id, actor=BUYER, seen=group.pay_before)
    assert refusal.value.code == "payment.expired"


def test_nobody_extends_too_early_or_what_is_over() -> None:
    group = make_group()
    clock.advance(timedelta(minutes=24))
    assert refusal_of(group) == "state.conflict"
    clock.advance(timedelta(minutes=6))
    assert refusal_of(group) == "payment.expired"
    order_group_expire(group_id=group.id, actor=TESTER)
    assert refusal_of(group) == "payment.expired"
    assert refusal_of(make_paid_group()) == "state.conflict"


def test_a_flash_sale_is_never_extended() -> None:
    flash = make_stocked_sku(pay_within_minutes=15)
    group = place([(flash, 1), (make_stocked_sku(flash.merchant), 1)])
    clock.advance(timedelta(minutes=11))
    assert group.extensions_left == 0
    assert refusal_of(group) == "state.conflict"


def test_a_hurried_merchant_makes_no_flash_sale() -> None:
    merchant = make_delivering_merchant(pay_within_minutes=15)
    group = place([(make_stocked_sku(merchant), 1)])
    clock.advance(timedelta(minutes=11))
    assert extend(group).pay_before == group.pay_before + timedelta(minutes=3)


def test_a_transfer_gets_its_days_and_its_attempt_lives_as_long() -> None:
    group = make_group()
    attempt = start(group, sandbox.TRANSFER)
    later = deadline(group)
    assert timedelta(days=3) - timedelta(minutes=1) < later - clock.now() <= timedelta(days=3)
    assert attempt.expires_at == later
    clock.advance(timedelta(days=2))
    assert not order_group_expire(group_id=group.id, actor=TESTER)
    clock.advance(timedelta(days=1))
    assert order_group_expire(group_id=group.id, actor=TESTER)


def test_a_card_changes_no_deadline() -> None:
    group = make_group()
    assert start_payment(group).expires_at == deadline(group) == group.pay_before
    assert not OutboxEvent.objects.filter(type="order_group.prolonged").exists()


def test_a_way_to_pay_that_nobody_knows_is_refused() -> None:
    group = make_group()
    with pytest.raises(Invalid) as refusal:
        start(group, "barter")
    assert refusal.value.code == "payment.channel_unknown"


def test_what_is_expiring_takes_no_new_try() -> None:
    group = make_group()
    start_payment(group)
    clock.advance(timedelta(minutes=30))
    order_group_expire(group_id=group.id, actor=TESTER)
    with pytest.raises(Conflict) as refusal:
        start_payment(group)
    assert refusal.value.code == "payment.expired"
