from typing import Any

import pytest
from django.db import IntegrityError

from core.command import command
from core.errors import Conflict, Invalid, ProgrammingMistake
from core.models import OutboxEvent, StateChange
from core.write import Write
from inventory.models import Reservation, StockMovement
from inventory.services import require_stock, stock_reserve
from tests.factories import TESTER
from tests.factories.stock import (
    broken_stock_views,
    counters,
    in_command,
    make_stock,
    reserve,
    want,
)

pytestmark = pytest.mark.django_db


def test_held_units_are_no_longer_available() -> None:
    item = make_stock(units=10)

    row = reserve(item, 3)

    stored = Reservation.objects.get(pk=row.pk)
    movement = StockMovement.objects.get(reason="reserve")
    assert counters(item) == (10, 3)
    assert (stored.status, stored.quantity, stored.shipped_quantity) == ("held", 3, 0)
    assert (movement.reference, movement.reserved_change) == (row.reference, 3)
    assert stored.shard_key == item.shard_key
    assert broken_stock_views() == {}


def test_a_reservation_leaves_a_state_change_and_no_event() -> None:
    row = reserve(make_stock())

    step = StateChange.objects.get(object_id=row.pk)
    assert (step.noun, step.verb, step.to_state) == ("reservation", "hold", "held")
    assert not OutboxEvent.objects.filter(type__startswith="reservation").exists()


def test_all_is_held_or_nothing() -> None:
    plenty, scarce = make_stock(units=10), make_stock(units=2)

    with pytest.raises(Conflict, match=r"stock\.insufficient") as refusal:
        in_command(stock_reserve, wants=[want(plenty, 3), want(scarce, 3)])

    assert refusal.value.facts["lines"] == [
        {"sku_id": str(scarce.sku_id), "requested": 3, "available": 2}
    ]
    assert (counters(plenty), counters(scarce)) == ((10, 0), (2, 0))
    assert not Reservation.objects.exists()


def test_two_lines_of_one_article_are_judged_by_their_sum() -> None:
    item = make_stock(units=5)

    with pytest.raises(Conflict) as refusal:
        in_command(stock_reserve, wants=[want(item, 3), want(item, 3)])
    in_command(stock_reserve, wants=[want(item, 3), want(item, 2)])

    assert refusal.value.facts["lines"][0]["requested"] == 6
    assert counters(item) == (5, 5)
    assert broken_stock_views() == {}


def test_the_last_unit_can_be_had_and_not_one_more() -> None:
    item = make_stock(units=1)

    reserve(item)
    with pytest.raises(Conflict, match=r"stock\.insufficient"):
        reserve(item)

    assert counters(item) == (1, 1)


def test_with_a_write_nothing_happens_before_it_runs() -> None:
    item, scarce = make_stock(units=10), make_stock(units=1)

    @command
    def place() -> list[Reservation]:
        write, wants = Write(), [want(item, 3), want(scarce, 1)]
        rows = stock_reserve(wants=wants, actor=TESTER, write=write)
        assert counters(item) == (10, 0)
        require_stock(wants=wants, short=write.run())
        return rows

    rows = place()

    assert (counters(item), counters(scarce)) == ((10, 3), (1, 1))
    assert set(Reservation.objects.all()) == set(rows)


def test_one_statement_holds_any_number_of_articles(
    django_assert_num_queries: Any,
) -> None:
    wants = [want(make_stock()) for _ in range(9)]

    @command
    def place() -> None:
        with django_assert_num_queries(2):  # the clock and the statement
            stock_reserve(wants=wants, actor=TESTER)

    place()


def test_a_line_has_one_reservation_that_is_not_released() -> None:
    row = reserve(make_stock())

    with pytest.raises(IntegrityError, match="inventory_reservation_live_once"):
        reserve(row.stock_item, reference=row.reference)


@pytest.mark.parametrize("quantity", [0, -1, 10**9])
def test_a_senseless_quantity_is_refused(quantity: int) -> None:
    with pytest.raises(Invalid, match=r"stock\.quantity"):
        reserve(make_stock(), quantity)


def test_a_part_outside_a_command_is_a_mistake() -> None:
    item = make_stock()

    with pytest.raises(ProgrammingMistake):
        stock_reserve(wants=[want(item)], actor=TESTER)


def test_nothing_wanted_is_nothing_held() -> None:
    assert in_command(stock_reserve, wants=[]) == []
