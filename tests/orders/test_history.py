"""Groups and orders as they were: rebuilt from their state changes, and found to be the stored rows."""

import random
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import pytest

from accounts.models import Customer
from catalog.models import Sku
from core import clock
from core.command import command
from core.errors import DomainError
from core.fsm import Stateful, fire
from orders.locks import lock_group, lock_order
from orders.models import Order, OrderGroup
from orders.selectors.history import AsOf, order_as_of, rebuilt
from orders.services.cancel import order_cancel, order_group_cancel
from orders.services.complete import complete_due
from orders.services.expire import expire_due
from orders.services.fulfil import (
    order_acknowledge,
    order_deliver,
    order_ship,
    order_start_packing,
)
from orders.services.refund import order_refund
from tests.factories import TESTER, fresh, make_customer
from tests.factories.story import (
    BUYER,
    MERCHANT,
    capture,
    deliver_events,
    make_stocked_sku,
    place,
    start_payment,
)

SEED = 20261122
Row = tuple[str, datetime, int, dict[str, Any]]


def as_stored(row: Stateful) -> Row:
    fields = {name: getattr(row, name) for name in row.told}
    return row.status, row.status_changed_at, row.version, fields


def as_told(row: AsOf) -> Row:
    assert row.since
    return row.state, row.since, row.version, row.fields


def stored(group_id: int) -> dict[int, Row]:
    """The group and its orders as the tables have them now."""
    group = OrderGroup.objects.get(pk=group_id)
    return {row.pk: as_stored(row) for row in (group, *group.orders.all())}


def told(group_id: int, at: datetime) -> dict[int, Row]:
    """The same, as their state changes tell of them."""
    past = order_as_of(OrderGroup.objects.get(pk=group_id), at)
    return {row.id: as_told(row) for row in (past.group, *past.orders)} if past else {}


@command
def amend(group_id: int, **fields: Any) -> None:
    fire(lock_group(group_id), verb="amend", actor=TESTER, fields=fields)


@command
def amend_order(order_id: int, **fields: Any) -> None:
    _group, order = lock_order(order_id)
    fire(order, verb="amend", actor=TESTER, fields=fields)


class Walk:
    """Random steps of random groups by a seed; what a rule refuses is left out."""

    def __init__(self, *, groups: int, seed: int) -> None:
        self.chance = random.Random(seed)
        self.skus: list[Sku] = [make_stocked_sku(units=100_000) for _ in range(4)]
        self.customers: list[Customer] = [make_customer() for _ in range(5)]
        self.groups = [self.place().pk for _ in range(groups)]
        self.snapshots: list[tuple[int, datetime, dict[int, Row]]] = []

    def place(self) -> OrderGroup:
        skus = self.chance.sample(self.skus, self.chance.choice((1, 1, 1, 2, 3)))
        wants = [(sku, self.chance.randint(1, 3)) for sku in skus]
        return place(wants, self.chance.choice(self.customers))

    def go(self, rounds: int) -> None:
        """In each round a step of each group; now and then time passes, and clocks act."""
        for _ in range(rounds):
            for group_id in self.groups:
                self.step(group_id)
                if self.chance.random() < 0.2:
                    self.look(group_id)
            deliver_events()
            if self.chance.random() < 0.3:
                clock.advance(timedelta(minutes=self.chance.choice((5, 40, 60 * 24 * 15))))
                expire_due()
                complete_due()

    def end(self) -> None:
        """The return windows of what was delivered pass, and it completes."""
        clock.advance(timedelta(days=15))
        expire_due()
        complete_due()
        deliver_events()

    def look(self, group_id: int) -> None:
        self.snapshots.append((group_id, clock.now(), stored(group_id)))

    def step(self, group_id: int) -> None:
        orders = list(OrderGroup.objects.get(pk=group_id).orders.all())
        do = self.chance.choice(STEPS)
        with suppress(DomainError):  # not possible now: so it is for people, too
            do(self, group_id, self.chance.choice(orders))


def pay_it(walk: Walk, group_id: int, order: Order) -> None:
    capture(start_payment(order.group))
    deliver_events()


def ship_it(walk: Walk, group_id: int, order: Order) -> None:
    lines = {line.pk: 1 for line in order.lines.all() if line.open_quantity}
    quantities = lines if walk.chance.random() < 0.5 else None
    order_ship(order_id=order.pk, actor=MERCHANT, carrier="manual", quantities=quantities)


def refund_it(walk: Walk, group_id: int, order: Order) -> None:
    order_refund(
        order_id=order.pk,
        amount_minor=walk.chance.randint(1, 300),
        reason="late",
        request_key=fresh("key-{}"),
        actor=MERCHANT,
    )


def move_it(walk: Walk, group_id: int, order: Order) -> None:
    address = {"name": "Ada", "city": walk.chance.choice(("Kiel", "Bonn", "Ulm")), "country": "DE"}
    amend(group_id, shipping_address=address, email=fresh("mail{}@example.com"))


def write_it_anew(walk: Walk, group_id: int, order: Order) -> None:
    amend(group_id, link_version=order.group.link_version + 1)
    amend_order(order.pk, cancel_requested_until=walk.chance.choice((None, clock.now())))


def go_on(walk: Walk, group_id: int, order: Order) -> None:
    """What its state waits for."""
    match order.status:
        case "pending_payment":
            pay_it(walk, group_id, order)
        case "paid":
            order_acknowledge(order_id=order.pk, actor=MERCHANT)
        case "acknowledged":
            order_start_packing(order_id=order.pk, actor=MERCHANT)
        case "packing":
            ship_it(walk, group_id, order)
        case "shipped":
            order_deliver(order_id=order.pk, actor=BUYER)


Step = Callable[[Walk, int, Order], object]
STEPS: list[Step] = [
    *([go_on] * 9),
    lambda walk, group_id, order: order_cancel(order_id=order.pk, actor=MERCHANT, reason="a"),
    lambda walk, group_id, order: order_group_cancel(group_id=group_id, actor=BUYER, reason="b"),
    refund_it,
    move_it,
    write_it_anew,
]


def check(*, groups: int, rounds: int) -> Walk:
    walk = Walk(groups=groups, seed=SEED)
    walk.go(rounds)
    walk.end()
    for group_id in walk.groups:
        walk.look(group_id)
    for group_id, at, rows in walk.snapshots:
        assert told(group_id, at) == rows
    return walk


@pytest.mark.django_db
def test_random_orders_are_rebuilt_as_they_are_and_as_they_were() -> None:
    walk = check(groups=10, rounds=9)

    assert len(walk.snapshots) > 15
    states = set(Order.objects.values_list("status", flat=True))
    assert len(states) >= 4, states


@pytest.mark.long
@pytest.mark.django_db(transaction=True)
def test_a_thousand_random_orders_are_rebuilt() -> None:
    walk = check(groups=640, rounds=8)

    assert Order.objects.count() >= 1000
    assert set(Order.objects.values_list("status", flat=True)) >= {
        *("acknowledged", "packing", "shipped", "completed", "cancelled")
    }
    assert len(walk.snapshots) > 1000


@pytest.mark.django_db
def test_nothing_was_there_before_it_was_placed() -> None:
    group = place([(make_stocked_sku(), 1)])
    assert order_as_of(group, group.placed_at - timedelta(microseconds=1)) is None
    assert set(told(group.pk, group.placed_at)) == {group.pk, group.orders.get().pk}


@pytest.mark.django_db
def test_a_field_that_was_changed_past_its_steps_is_noticed() -> None:
    group = place([(make_stocked_sku(), 1)])
    OrderGroup.objects.filter(pk=group.pk).update(email="planted@example.com")
    assert told(group.pk, clock.now()) != stored(group.pk)


def test_no_steps_make_no_row() -> None:
    assert rebuilt(Order, []) == []
