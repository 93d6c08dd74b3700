import pytest

from core.errors import Conflict, Invalid, NotFound
from inventory.models import Location, StockItem
from inventory.services import stock_transfer
from tests.factories import TESTER
from tests.factories.stock import broken_stock_views, counters, make_stock, reserve

pytestmark = pytest.mark.django_db


@pytest.fixture
def item() -> StockItem:
    return make_stock(units=10)


@pytest.fixture
def annex(item: StockItem) -> Location:
    return Location.objects.create(merchant=item.merchant, code="annex", name="Annex")


def transfer(item: StockItem, location: Location, quantity: int, key: str = "van 1") -> StockItem:
    target_id = stock_transfer(
        stock_item_id=item.pk,
        to_location_id=location.pk,
        quantity=quantity,
        dedup_key=key,
        actor=TESTER,
    )
    return StockItem.objects.get(pk=target_id)


def test_goods_that_move_are_counted_at_the_other_place(item: StockItem, annex: Location) -> None:
    target = transfer(item, annex, 4)

    assert (counters(item), counters(target)) == ((6, 0), (4, 0))
    assert target.location == annex
    assert broken_stock_views() == {}


def test_there_and_back_leaves_the_stock_as_it_was(item: StockItem, annex: Location) -> None:
    target = transfer(item, annex, 4)

    transfer(target, item.location, 4, key="van 2")

    assert (counters(item), counters(target)) == ((10, 0), (0, 0))
    assert broken_stock_views() == {}


def test_a_repeated_transfer_is_quiet(item: StockItem, annex: Location) -> None:
    for _ in range(2):
        target = transfer(item, annex, 4)

    assert (counters(item), counters(target)) == ((6, 0), (4, 0))


def test_promised_units_stay(item: StockItem, annex: Location) -> None:
    reserve(item, 7)

    with pytest.raises(Conflict, match=r"stock\.below_reserved"):
        transfer(item, annex, 4)

    assert counters(item) == (10, 7)
    assert broken_stock_views() == {}


def test_the_place_where_the_goods_are_is_refused(item: StockItem) -> None:
    with pytest.raises(Invalid, match=r"stock\.same_location"):
        transfer(item, item.location, 1)


def test_another_merchants_place_is_unknown(item: StockItem) -> None:
    with pytest.raises(NotFound, match=r"location\.unknown"):
        transfer(item, make_stock().location, 1)
