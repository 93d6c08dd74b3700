from typing import Any

import pytest

from core.errors import Conflict, Invalid, NotFound
from inventory.models import StockItem
from inventory.services import stock_adjust
from tests.factories import TESTER, fresh
from tests.factories.stock import broken_stock_views, counters, make_stock, reserve

pytestmark = pytest.mark.django_db


def adjust(item: StockItem, change: int, **more: Any) -> None:
    given: dict[str, Any] = {
        "reason_note": "counted",
        "dedup_key": fresh("count-{}"),
        "actor": TESTER,
        **more,
    }
    stock_adjust(stock_item_id=item.pk, change=change, **given)


def test_an_adjustment_is_a_difference_with_a_note() -> None:
    item = make_stock(units=10)

    adjust(item, -3, reason_note="broken")

    assert counters(item) == (7, 0)
    assert item.movements.get(reason="adjust").note == "broken"
    assert broken_stock_views() == {}


def test_up_and_down_again_leaves_the_stock_as_it_was() -> None:
    item = make_stock(units=10)

    adjust(item, 4)
    adjust(item, -4)

    assert counters(item) == (10, 0)
    assert broken_stock_views() == {}


def test_stock_never_goes_under_what_is_promised() -> None:
    item = make_stock(units=10)
    reserve(item, 6)

    adjust(item, -4)
    with pytest.raises(Conflict, match=r"stock\.below_reserved") as refusal:
        adjust(item, -1)

    assert refusal.value.facts["on_hand"] == refusal.value.facts["reserved"] == 6
    assert counters(item) == (6, 6)
    assert broken_stock_views() == {}


def test_a_repeated_adjustment_is_quiet_and_another_under_its_key_is_not() -> None:
    item = make_stock(units=10)
    for _ in range(2):
        adjust(item, -3, dedup_key="count 7")

    with pytest.raises(Conflict, match=r"stock\.key_reused"):
        adjust(item, -2, dedup_key="count 7")

    assert counters(item) == (7, 0)


@pytest.mark.parametrize("change", [0, 1_000_001, -1_000_001])
def test_a_senseless_change_is_refused(change: int) -> None:
    with pytest.raises(Invalid, match=r"stock\.change"):
        adjust(make_stock(), change)


@pytest.mark.parametrize("note", ["", "n" * 201])
def test_an_adjustment_says_why(note: str) -> None:
    with pytest.raises(Invalid, match=r"stock\.note"):
        adjust(make_stock(), 1, reason_note=note)


def test_unknown_stock_is_refused() -> None:
    with pytest.raises(NotFound, match=r"stock\.unknown"):
        adjust(StockItem(pk=1), 1)
