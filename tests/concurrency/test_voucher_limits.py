"""Many shoppers, few uses of a voucher: real threads, each with a connection of its own."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection
from django.db.models import Q

import orders.locks
from core import audit
from inventory.models import Reservation, StockItem
from orders.models import OrderGroup, Voucher, VoucherUse
from orders.services import voucher as vouchers
from orders.services.cart import cart_identify
from payments.models import Payment
from tests.audit.plant import broken
from tests.concurrency.races import switch_off
from tests.concurrency.threads import at_once, buyers_allowed, query
from tests.factories import fresh
from tests.factories.story import BUYER, Basket, make_stocked_sku
from tests.factories.vouchers import (
    counting,
    fill_cart_with,
    make_voucher,
    place_basket,
    used,
)

pytestmark = pytest.mark.django_db(transaction=True)

LIMIT = 50
CHECK = "orders_voucher_used_bounds"


def fill(voucher: Voucher, shoppers: int) -> list[Basket]:
    """As many baskets of the same article, of which there is enough for all."""
    sku = make_stocked_sku(units=shoppers)
    return [fill_cart_with(voucher, [(sku, 1)]) for _ in range(shoppers)]


def place_all(baskets: list[Basket]) -> dict[str, int]:
    """How the shoppers fare, who all order at once."""
    return at_once([lambda basket=basket: place_basket(basket) for basket in baskets])  # type: ignore[misc]


def test_two_hundred_shoppers_with_a_voucher_for_fifty_use_it_exactly_fifty_times() -> None:
    voucher, shoppers = make_voucher(total_limit=LIMIT), buyers_allowed()

    outcomes = place_all(fill(voucher, shoppers))

    assert outcomes == {"done": LIMIT, "voucher.used_up": shoppers - LIMIT}
    assert (used(voucher), counting(voucher), VoucherUse.objects.count()) == (LIMIT,) * 3
    groups = OrderGroup.objects.exclude(discount_minor=0)
    assert set(groups.values_list("pk", flat=True)) == set(
        voucher.uses.values_list("group_id", flat=True)
    )
    # Who was refused holds nothing.
    assert OrderGroup.objects.count() == Payment.objects.count() == LIMIT
    assert Reservation.objects.count() == StockItem.objects.get().reserved == LIMIT
    assert audit.run() == []


def without_guards(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock only reads, and the condition lets everybody through."""
    switch_off(monkeypatch, orders.locks, "lock_voucher")
    monkeypatch.setattr(vouchers, "ONE_LEFT", Q())


def test_without_the_lock_the_condition_and_the_constraint_it_is_used_more_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    voucher = make_voucher(total_limit=LIMIT)
    baskets = fill(voucher, buyers_allowed())
    without_guards(monkeypatch)

    with without_constraint():
        outcomes = place_all(baskets)

        assert outcomes["done"] > LIMIT
        assert counting(voucher) > LIMIT
        assert "inv_q05_voucher_uses" in broken()


def test_without_the_lock_and_the_condition_the_constraint_alone_still_stops_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    voucher = make_voucher(total_limit=2)
    baskets = fill(voucher, 20)
    without_guards(monkeypatch)

    outcomes = place_all(baskets)

    assert outcomes["done"] == counting(voucher) == 2
    assert outcomes.get("IntegrityError", 0) + outcomes.get("voucher.used_up", 0) == 18
    assert audit.run() == []


def test_one_customer_with_many_baskets_uses_it_once() -> None:
    voucher, email = make_voucher(per_customer_limit=1), fresh("customer{}@example.com")
    baskets = fill(voucher, 20)
    for basket in baskets:
        cart_identify(cart_id=basket.cart_id, email=email, name="Ada", actor=BUYER)

    outcomes = place_all(baskets)

    assert outcomes == {"done": 1, "voucher.used_by_you": 19}
    assert (used(voucher), counting(voucher)) == (1, 1)
    assert audit.run() == []


@contextmanager
def without_constraint() -> Iterator[None]:
    """Takes the counter's CHECK away and puts it back."""
    [(definition,)] = query(
        f"SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = '{CHECK}'"
    )
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE orders_voucher DROP CONSTRAINT {CHECK}")
        try:
            yield
        finally:
            Voucher.objects.update(total_limit=None)
            cursor.execute(f"ALTER TABLE orders_voucher ADD CONSTRAINT {CHECK} {definition}")
