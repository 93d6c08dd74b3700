"""Many buyers, few units: real threads, each with a connection of its own."""

import random
from collections.abc import Sequence
from threading import Barrier

import pytest
from django.db import transaction

from inventory.models import StockItem
from inventory.services import reservation, reservation_release, stock_reserve
from tests.concurrency.threads import (
    at_once,
    buyers_allowed,
    deadlocks,
    without_stock_constraint,
)
from tests.factories.stock import broken_stock_views, counters, in_command, make_stock, want

pytestmark = pytest.mark.django_db(transaction=True)

UNITS = 50


def test_two_hundred_buyers_of_fifty_units_buy_exactly_fifty() -> None:
    item = make_stock(units=UNITS)
    buyers = buyers_allowed()

    outcomes = at_once([lambda: buy(item)] * buyers)

    assert outcomes == {"done": UNITS, "stock.insufficient": buyers - UNITS}
    assert counters(item) == (UNITS, UNITS)
    assert item.reservations.filter(status="held").count() == UNITS
    assert broken_stock_views() == {}


def test_without_the_condition_and_the_constraint_the_same_buyers_oversell(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    item = make_stock(units=UNITS)
    monkeypatch.setattr(reservation, "ENOUGH", "true")

    with without_stock_constraint():
        outcomes = at_once([lambda: buy(item)] * buyers_allowed())

        assert outcomes["done"] > UNITS
        assert counters(item)[1] > UNITS
        assert "inv_03_stock_bounds" in broken_stock_views()


def test_without_the_condition_the_constraint_alone_still_stops_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    item = make_stock(units=UNITS)
    monkeypatch.setattr(reservation, "ENOUGH", "true")

    outcomes = at_once([lambda: buy(item)] * (UNITS + 10))

    assert outcomes == {"done": UNITS, "IntegrityError": 10}
    assert broken_stock_views() == {}


def test_shuffled_baskets_of_several_articles_never_deadlock() -> None:
    items = [make_stock(units=300) for _ in range(6)]
    before = deadlocks()

    outcomes = at_once([lambda: buy_and_return_baskets(items) for _ in range(16)])

    assert outcomes == {"done": 16}
    assert deadlocks() == before
    assert [counters(item)[1] for item in items] == [0] * 6
    assert broken_stock_views() == {}


def test_rows_taken_in_opposite_orders_do_deadlock_and_are_counted() -> None:
    items = [make_stock(), make_stock()]
    before, barrier = deadlocks(), Barrier(2)

    outcomes = at_once([lambda: touch(items, barrier), lambda: touch(items[::-1], barrier)])

    assert outcomes == {"done": 1, "OperationalError": 1}
    assert deadlocks() == before + 1


def buy(item: StockItem) -> None:
    in_command(stock_reserve, wants=[want(item)])


def buy_and_return_baskets(items: Sequence[StockItem]) -> None:
    for _ in range(10):
        basket = random.sample(items, k=4)
        rows = in_command(stock_reserve, wants=[want(item) for item in basket])
        lines = [row.reference for row in rows]
        random.shuffle(lines)
        in_command(reservation_release, references=lines, reason="test")


def touch(items: Sequence[StockItem], barrier: Barrier) -> None:
    """What the services never do: one row after the other, in whatever order they come."""
    with transaction.atomic():
        StockItem.objects.filter(pk=items[0].pk).update(reserved=0)
        barrier.wait()
        StockItem.objects.filter(pk=items[1].pk).update(reserved=0)
