"""Every service locks in the one order of `orders/locks.py`, and moves stock as its last act."""

import pkgutil
from collections.abc import Callable, Iterator
from importlib import import_module

import pytest

import delivery.services
import inventory.services
import orders.services
import payments.services
from core.command import command, in_savepoint
from inventory.locks import lock_reservations
from inventory.services import reservation_release
from orders.locks import lock_group
from orders.models import Order, OrderGroup
from orders.selectors import line_ids
from payments.services.collect import payment_close
from tests.concurrency.lock_order import (
    STOCK,
    Trace,
    documented,
    inversions,
    recorded,
    stragglers,
)
from tests.concurrency.walk import walk
from tests.factories import TESTER
from tests.factories.story import make_group

APPS = (orders.services, payments.services, inventory.services, delivery.services)


@pytest.fixture
def traces(db: None) -> list[Trace]:
    """What the services lock while the story is walked through, forward and back."""
    with recorded() as traces:
        walk()
    return traces


def services() -> Iterator[str]:
    """The full names of all services of the story and of its three capabilities."""
    decorated = command(len).__code__
    for app in APPS:
        for found in pkgutil.iter_modules(app.__path__, f"{app.__name__}."):
            for value in vars(import_module(found.name)).values():
                if getattr(value, "__code__", None) is decorated:
                    yield f"{value.__module__}.{value.__name__}"


def test_no_two_services_lock_two_tables_in_opposite_orders(traces: list[Trace]) -> None:
    assert inversions([documented(), *traces]) == []


def test_stock_rows_are_locked_by_the_last_statement(traces: list[Trace]) -> None:
    assert stragglers(traces) == []
    assert sum(STOCK in trace.tables for trace in traces) > 10


def test_the_walk_calls_every_service(traces: list[Trace]) -> None:
    assert set(services()) - {trace.name for trace in traces} == set()


@command
def lock_reservations_before_the_group(group: OrderGroup) -> None:
    lock_reservations(line_ids(group.orders.all()))
    lock_group(group.pk)


@command
def fire_before_locking_reservations(group: OrderGroup) -> None:
    payment_close(reference=group.pk, actor=TESTER, reason="planted")
    lock_reservations(line_ids(group.orders.all()))


@command
def read_while_holding_stock(group: OrderGroup) -> None:
    reservation_release(references=line_ids(group.orders.all()), actor=TESTER, reason="planted")
    Order.objects.count()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("planted", "pair"),
    [
        (lock_reservations_before_the_group, ("inventory_reservation", "orders_ordergroup")),
        (fire_before_locking_reservations, ("core_outboxstream", "inventory_reservation")),
    ],
)
def test_a_service_that_turns_the_order_round_is_named(
    planted: Callable[[OrderGroup], None], pair: tuple[str, str]
) -> None:
    group = make_group()
    with recorded() as traces:
        planted(group)
    [found] = inversions([documented(), *traces])
    assert found.startswith(f"{pair[0]} → {pair[1]} in {planted.__module__}.{planted.__name__};")


@pytest.mark.django_db
def test_a_service_that_goes_on_after_the_stock_is_named() -> None:
    group = make_group()
    with recorded() as traces:
        read_while_holding_stock(group)
    assert inversions([documented(), *traces]) == []
    [found] = stragglers(traces)
    assert "read_while_holding_stock: SELECT COUNT" in found


@command
def undo_the_stock(group: OrderGroup, *, reads_first: bool) -> None:
    def release() -> None:
        reservation_release(references=line_ids(group.orders.all()), actor=TESTER, reason="try")
        if reads_first:
            Order.objects.count()

    in_savepoint(release, keep=lambda _: False)
    Order.objects.count()


@pytest.mark.django_db
@pytest.mark.parametrize("reads_first", [False, True])
def test_what_is_undone_gives_its_locks_back_and_keeps_the_rules_until_then(
    reads_first: bool,
) -> None:
    group = make_group()
    with recorded() as traces:
        undo_the_stock(group, reads_first=reads_first)
    assert bool(stragglers(traces)) is reads_first
    assert [STOCK in trace.tables for trace in traces] == [True, False]
