"""Random walks through the tables: what the model of a walk expects is what rows and services do."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as some
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from accounts.actors import Actor, Role
from core import audit, clock
from core.command import command
from core.errors import Conflict, DomainError
from core.fsm import Stateful, fire
from core.locks import locked
from delivery.models import Shipment
from inventory.models import Reservation
from orders.models import Order, OrderGroup
from orders.services.cancel import order_cancel, order_group_cancel
from orders.services.complete import order_complete
from orders.services.expire import order_group_expire
from orders.services.fulfil import (
    order_acknowledge,
    order_deliver,
    order_ship,
    order_start_packing,
)
from orders.states import CANCELLED, EXPIRED, EXTENDABLE_WITHIN, PAID
from payments.models import Attempt, Payment, Refund
from tests.factories.story import (
    capture,
    deliver_events,
    fresh_row,
    make_group,
    payment_of,
    start_payment,
)
from tests.orders.contract import counted, drawn, taken

# Walks stand still for weeks: what is only too old is not what they are about.
OF_AGE = {"I19", "I20", "I21", "I30"}
TICK = timedelta(microseconds=1)
ROLES = some.sampled_from(sorted(Role))

ORDER_SERVICES: dict[str, Callable[..., Any]] = {
    "acknowledge": order_acknowledge,
    "start_packing": order_start_packing,
    "ship": lambda order_id, actor: order_ship(
        order_id=order_id, actor=actor, carrier="manual", tracking_number="T"
    ),
    "deliver": order_deliver,
    "complete": order_complete,
    "cancel": lambda order_id, actor: order_cancel(order_id=order_id, actor=actor, reason="walk"),
}


class Walk(RuleBasedStateMachine):
    """One group of two orders. Steps by fire() are taken back, those by services stay."""

    @initialize()
    def place(self) -> None:
        self.group = make_group(orders=2)

    def rows(self) -> list[Stateful]:
        orders = list(self.group.orders.order_by("pk"))
        payment = payment_of(self.group)
        lines = [pk for order in orders for pk in order.lines.values_list("pk", flat=True)]
        return [
            *(fresh_row(self.group), *orders, payment),
            *Attempt.objects.filter(payment=payment).order_by("pk"),
            *Refund.objects.filter(payment=payment).order_by("pk"),
            *Reservation.objects.filter(reference__in=lines).order_by("pk"),
            *Shipment.objects.filter(reference__in=[order.pk for order in orders]).order_by("pk"),
        ]

    @rule(data=some.data(), role=ROLES)
    def any_step_of_any_row(self, data: some.DataObject, role: Role) -> None:
        """fire() of any verb by anybody: refused, changing nothing, or done as drawn."""
        row = data.draw(some.sampled_from(self.rows()))
        verb = data.draw(some.sampled_from(sorted({edge.verb for edge in row.machine.edges})))
        fire_and_take_back(row, verb, role)

    @rule(index=some.integers(0, 1), verb=some.sampled_from(sorted(ORDER_SERVICES)), role=ROLES)
    def service_of_an_order(self, index: int, verb: str, role: Role) -> None:
        """A service does what the table allows that role, and nothing where it does not."""
        order = self.group.orders.order_by("pk")[index]
        if verb == "cancel" and fresh_row(self.group).status != PAID:
            return  # an unpaid group's orders go with the group
        expected = drawn(order.machine, order, verb, role, clock.now())
        self.served(
            order,
            expected,
            lambda actor: ORDER_SERVICES[verb](order_id=order.pk, actor=actor),
            role,
        )

    @rule()
    def the_money_comes(self) -> None:
        """The shopper pays; a group that has ended gives it back."""
        group = fresh_row(self.group)
        expected = drawn(group.machine, group, "pay", Role.SYSTEM, clock.now())
        if expected and clock.now() < group.pay_before - timedelta(minutes=2):
            capture(start_payment(group))
            deliver_events()
            assert fresh_row(group).status == expected
            assert set(group.orders.values_list("status", flat=True)) == {PAID}

    @rule(role=ROLES)
    def the_group_is_expired(self, role: Role) -> None:
        group = fresh_row(self.group)
        expected = drawn(group.machine, group, "expire", role, clock.now())
        self.served(
            group,
            expected,
            lambda actor: order_group_expire(group_id=group.pk, actor=actor),
            role,
        )
        if expected:
            assert expected == EXPIRED
            assert set(group.orders.values_list("status", flat=True)) == {CANCELLED}

    @rule(role=some.sampled_from([Role.BUYER, Role.STAFF]))
    def the_group_is_called_off(self, role: Role) -> None:
        group, orders = fresh_row(self.group), list(self.group.orders.all())
        at = clock.now()
        step = drawn(group.machine, group, "cancel", role, at)
        offered = {edge.verb for edge in group.machine.offers(group, role, at, orders)}
        assert step is None or "cancel" in offered
        live = any(order.status != CANCELLED for order in orders)
        try:
            order_group_cancel(group_id=group.pk, actor=Actor(role, "walk"), reason="walk")
        except DomainError:
            assert "cancel" not in offered
        else:
            assert "cancel" in offered or not live
        if "cancel" in offered:
            assert set(group.orders.values_list("status", flat=True)) == {CANCELLED}
            assert fresh_row(group).status == (step or group.status)
        else:
            now = list(self.group.orders.all())
            assert [(o.status, o.version) for o in now] == [(o.status, o.version) for o in orders]

    @rule(ahead=some.sampled_from([-EXTENDABLE_WITHIN - TICK, -EXTENDABLE_WITHIN, timedelta(0)]))
    def time_comes_to_the_deadline(self, ahead: timedelta) -> None:
        self.go_to(self.group.pay_before + ahead)

    @rule(index=some.integers(0, 1))
    def time_comes_to_the_end_of_the_return_window(self, index: int) -> None:
        order = self.group.orders.order_by("pk")[index]
        if order.return_until:
            self.go_to(order.return_until)

    def go_to(self, moment: datetime) -> None:
        clock.advance(max(moment - clock.now(), timedelta(0)))

    def served(
        self, row: Stateful, expected: str | None, serve: Callable[[Actor], Any], role: Role
    ) -> None:
        """Legal: the row is where the table leads. Not: refused or quiet, and nothing has changed."""
        before = (row.status, row.version)
        is_refused = False
        try:
            serve(Actor(role, "walk"))
        except DomainError:
            is_refused = True
        assert not (is_refused and expected)
        stored = fresh_row(row)
        if expected is None:
            assert (stored.status, stored.version) == before
        else:
            assert stored.status == expected
            assert stored.version > before[1]

    def teardown(self) -> None:
        deliver_events()


@command
def fire_and_take_back(row: Stateful, verb: str, role: Role) -> None:
    rows = type(row)._default_manager.filter(pk=row.pk)
    [mine], at = locked(rows), clock.now()
    expected, before = (
        drawn(row.machine, mine, verb, role, at),
        (mine.status, mine.version, counted()),
    )
    if expected is None:
        with pytest.raises(Conflict) as refusal:
            fire(mine, verb=verb, actor=Actor(role, "walk"), at=at)
        assert refusal.value.code == "state.conflict"
    else:
        assert taken(mine, verb, role, at) == expected
    stored = rows.get()
    assert (stored.status, stored.version, counted()) == before


def walk(examples: int, steps: int) -> None:
    """That many walks, the same ones each time; then the histories that they left are judged."""
    run_state_machine_as_test(
        Walk,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            derandomize=True,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert OrderGroup.objects.exists()
    assert {broken.view.code for broken in audit.run()} <= OF_AGE


@pytest.mark.django_db(transaction=True)
def test_short_walks_keep_to_the_tables() -> None:
    walk(examples=5, steps=20)


@pytest.mark.long
@pytest.mark.django_db(transaction=True)
def test_long_walks_keep_to_the_tables_and_reach_every_state() -> None:
    walk(examples=150, steps=40)
    reached = {
        *OrderGroup.objects.values_list("status", flat=True),
        *Order.objects.values_list("status", flat=True),
        *Payment.objects.values_list("status", flat=True),
    }
    assert reached >= {"pending_payment", "paid", "expired", "cancelled", "shipped", "captured"}
