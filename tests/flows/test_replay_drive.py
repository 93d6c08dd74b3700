"""What the replay does where an order can't go its way, and where a run before it left something."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from accounts.models import Customer, Merchant
from accounts.services import merchant_suspend
from core import clock
from inventory.models import StockItem
from orders import states
from orders.management.replay import drive
from orders.management.replay.drive import Drive
from orders.management.replay.read import Marketplace, Order, read
from orders.management.replay.report import Report, as_json, as_text, outcomes
from orders.management.replay.shop import Shop, set_up
from orders.models import Cart, OrderGroup
from orders.services.cart import cart_line_add, cart_open
from tests.factories import TESTER
from tests.factories.story import expire_for_good

DATA = Path(__file__).with_name("olist_like")
NO_PULSE = lambda: None  # noqa: E731

pytestmark = pytest.mark.django_db


@pytest.fixture
def data() -> Marketplace:
    return read(DATA)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No process runs here, so what was placed waits for ever."""
    monkeypatch.setattr(drive, "PATIENCE_SECONDS", 0.5)


def shop_for(data: Marketplace) -> Shop:
    return set_up(data, data.with_items(), pulse=NO_PULSE)


def driven(shop: Shop, orders: Sequence[Order]) -> Drive:
    ride = Drive(orders, shop, pulse=NO_PULSE)
    ride.run()
    return ride


def report(data: Marketplace, ride: Drive) -> Report:
    return Report(
        data=data,
        outcomes=outcomes(ride.journeys),
        driven=len(ride.journeys),
        seconds=1.0,
        undelivered_events=0,
        parked_streams=[],
    )


def order(data: Marketplace, number: int) -> Order:
    [found] = [order for order in data.orders if order.id == f"0d{number:030}"]
    return found


def test_one_refused_order_does_not_stop_the_others(data: Marketplace) -> None:
    shop = shop_for(data)
    merchant_suspend(merchant_id=shop.merchants[f"5e{1:030}"], actor=TESTER)
    ride = driven(shop, [order(data, 1), order(data, 6)])
    refused, stuck = ride.journeys
    assert "line.unavailable" in refused.trouble
    assert refused.group_id is None
    assert stuck.trouble == "nothing moved for 0.5 s"
    assert OrderGroup.objects.get().pk == stuck.group_id

    table = as_json(report(data, ride))
    assert [found["order_id"][-2:] for found in table["differences"]] == ["01", "06"]
    assert table["differences"][0]["actual"] == "not placed"
    assert table["counts"] == {
        "acknowledged": {"expected": 1, "actual": 0},
        "delivered": {"expected": 1, "actual": 0},
        "not placed": {"expected": 0, "actual": 1},
        "pending_payment": {"expected": 0, "actual": 1},
    }
    assert not report(data, ride).is_level


def test_an_order_with_two_prices_of_one_sku_is_not_placed(data: Marketplace) -> None:
    good = order(data, 2)
    dearer = replace(good.lines[0], unit_price_minor=9999, quantity=1)
    bad = replace(good, lines=(*good.lines, dearer))
    [journey] = driven(shop_for(data), [bad]).journeys
    assert "two prices" in journey.trouble
    assert not OrderGroup.objects.exists()


def test_a_repeated_set_up_changes_nothing_and_another_slice_adds_its_units(
    data: Marketplace,
) -> None:
    assert shop_for(data).skus == shop_for(data).skus
    on_hand = Counter(
        {
            (item.sku.code, item.merchant.slug): item.on_hand
            for item in StockItem.objects.select_related("sku", "merchant")
        }
    )
    assert on_hand == data.units
    assert not Customer.objects.filter(accepts_mail=True).exists()
    assert not Customer.objects.filter(user__isnull=False).exists()
    assert set(Merchant.objects.values_list("currency", "state")) == {("BRL", "active")}

    shop_for(replace(data, digest="another"))
    units = StockItem.objects.values_list("on_hand", flat=True)
    assert sum(units) == 2 * data.units.total()


def test_goods_left_in_a_cart_are_not_ordered(data: Marketplace) -> None:
    shop, wanted = shop_for(data), order(data, 1)
    cart = cart_open(customer=shop.customers[wanted.buyer.id], actor=TESTER)
    for sku_id in sorted(shop.skus.values())[:2]:
        cart_line_add(cart_id=cart.pk, sku_id=sku_id, quantity=7, actor=TESTER)
    [journey] = driven(shop, [wanted]).journeys
    assert Cart.objects.get().placed_group_id == journey.group_id
    assert OrderGroup.objects.get().total_minor == wanted.total_minor


def test_what_ran_out_of_time_between_two_runs_is_placed_anew(data: Marketplace) -> None:
    shop, orders = shop_for(data), [order(data, 1), order(data, 9)]
    before = [journey.group_id or 0 for journey in driven(shop, orders).journeys]
    for group in OrderGroup.objects.filter(pk__in=before):
        expire_for_good(group)
    again, expired = driven(shop, orders).journeys
    assert again.group_id not in before
    assert again.seen is not None
    assert again.seen.status == states.PENDING_PAYMENT
    assert expired.group_id == before[1]
    assert expired.has_arrived
    assert OrderGroup.objects.count() == 3


def test_where_the_clock_cannot_be_moved_unpaid_orders_are_listed_as_pending(
    data: Marketplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "movable", lambda: False)
    told = report(data, driven(shop_for(data), [order(data, 9), order(data, 23)]))
    assert told.is_level
    assert as_json(told)["pending"] == [f"0d{9:030}", f"0d{23:030}"]
    assert any(line.startswith("pending: 0d") for line in as_text(told))
