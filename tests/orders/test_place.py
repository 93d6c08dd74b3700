"""Placing: one group, an order per merchant, everything held; or a refusal and nothing."""

from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Merchant
from catalog.models import Sku
from catalog.services import product_unpublish, sku_reprice
from core import clock
from core.errors import Conflict, DomainError, Invalid
from core.ids import gene_of, id_from_number
from core.models import OutboxEvent, StateChange
from inventory.models import Reservation, StockItem
from orders.models import Cart, Order, OrderGroup, OrderLine
from orders.services.expire import expire_due
from orders.services.place import order_group_place
from payments.models import Payment, PaymentShare
from tests.factories import TESTER, fresh, make_customer
from tests.factories.story import (
    BUYER,
    DELIVERY_MINOR,
    Basket,
    fill_cart,
    make_checkout,
    make_delivering_merchant,
    make_group,
    make_stocked_sku,
    payment_of,
    place,
)

pytestmark = pytest.mark.django_db

TABLES = (
    OrderGroup,
    Order,
    OrderLine,
    Payment,
    PaymentShare,
    Reservation,
    StateChange,
    OutboxEvent,
)


def refused(basket: Basket, **fields: object) -> DomainError:
    """The refusal of placing this basket, after which nothing has changed."""
    before = [model.objects.count() for model in TABLES]
    stock = list(StockItem.objects.order_by("id").values_list("on_hand", "reserved"))
    with pytest.raises(DomainError) as refusal:
        order_group_place(
            cart_id=basket.cart_id, checkout=make_checkout(basket, **fields), actor=BUYER
        )
    assert [model.objects.count() for model in TABLES] == before
    assert list(StockItem.objects.order_by("id").values_list("on_hand", "reserved")) == stock
    assert Cart.objects.get(pk=basket.cart_id).placed_group_id is None
    return refusal.value


def test_a_cart_of_two_merchants_becomes_one_group_with_two_orders() -> None:
    first, second = make_stocked_sku(price_minor=1999), make_stocked_sku(price_minor=250)
    group = place([(first, 2), (second, 3)])

    assert group.items_minor == 2 * 1999 + 3 * 250
    assert group.delivery_minor == 2 * DELIVERY_MINOR
    assert group.total_minor == group.items_minor + group.delivery_minor
    orders = list(Order.objects.filter(group=group).order_by("number"))
    assert [order.number for order in orders] == [f"{group.number}-1", f"{group.number}-2"]
    assert {order.merchant_id for order in orders} == {first.merchant_id, second.merchant_id}
    assert sum(order.total_minor for order in orders) == group.total_minor
    assert {order.status for order in orders} == {"pending_payment"}


def test_all_rows_of_a_group_carry_their_buyers_gene() -> None:
    customer = make_customer()
    group = place([(make_stocked_sku(), 1)], customer)
    rows = [group, *group.orders.all(), *OrderLine.objects.all(), *Payment.objects.all()]
    assert {row.shard_key for row in rows} == {customer.shard_key}
    assert {gene_of(row.id) for row in rows} == {customer.shard_key}
    assert id_from_number(group.number) == group.id


def test_stock_is_held_by_a_reservation_per_line() -> None:
    sku = make_stocked_sku(units=5)
    group = place([(sku, 3)])
    line = OrderLine.objects.get(order__group=group)
    reservation = Reservation.objects.get(reference=line.id)
    item = StockItem.objects.get(sku=sku)
    assert (reservation.status, reservation.quantity) == ("held", 3)
    assert (item.on_hand, item.reserved) == (5, 3)


def test_the_payment_is_open_with_a_share_per_order() -> None:
    group = make_group(orders=2)
    payment = Payment.objects.get(reference=group.id)
    assert (payment.status, payment.amount_minor) == ("open", group.total_minor)
    shares = dict(PaymentShare.objects.values_list("order_id", "amount_minor"))
    assert shares == {order.id: order.total_minor for order in group.orders.all()}


def test_commission_is_frozen_half_up_on_goods_alone() -> None:
    merchant = make_delivering_merchant(commission_basis_points=1250)
    sku = make_stocked_sku(merchant, price_minor=1004)
    order = Order.objects.get(group=place([(sku, 1)]))
    assert order.commission_minor == 126  # 125.5, half up
    Merchant.objects.filter(pk=merchant.pk).update(commission_basis_points=9000)
    order.refresh_from_db()
    assert (order.commission_basis_points, order.commission_minor) == (1250, 126)


def test_every_birth_is_recorded_and_told() -> None:
    group = make_group(orders=2)
    born = [group.id, *group.orders.values_list("id", flat=True), payment_of(group).id]
    told = OutboxEvent.objects.filter(object_id__in=born).values_list("type", flat=True)
    assert sorted(told) == ["order.placed", "order.placed", "order_group.placed", "payment.opened"]
    steps = StateChange.objects.filter(shard_key=group.shard_key, verb="place")
    assert {step.seq for step in steps} == {1}
    assert {step.actor for step in steps} == {str(BUYER)}


def test_the_same_checkout_gives_the_same_group() -> None:
    basket = fill_cart([(make_stocked_sku(), 1)])
    checkout = make_checkout(basket)
    groups = [
        order_group_place(cart_id=basket.cart_id, checkout=checkout, actor=BUYER) for _ in range(3)
    ]
    assert len({group.id for group in groups}) == 1
    assert OrderGroup.objects.count() == 1
    assert Reservation.objects.count() == 1


def test_another_checkout_of_a_placed_cart_is_refused() -> None:
    basket = fill_cart([(make_stocked_sku(), 1)])
    order_group_place(cart_id=basket.cart_id, checkout=make_checkout(basket), actor=BUYER)
    with pytest.raises(Conflict) as refusal:
        order_group_place(cart_id=basket.cart_id, checkout=make_checkout(basket), actor=BUYER)
    assert refusal.value.code == "cart.placed"


def test_a_token_of_another_cart_is_refused() -> None:
    customer = make_customer()
    sku = make_stocked_sku()
    first, token = fill_cart([(sku, 1)], customer), fresh("token-{}")
    order_group_place(
        cart_id=first.cart_id, checkout=make_checkout(first, token=token), actor=BUYER
    )
    assert refused(fill_cart([(sku, 1)], customer), token=token).code == "checkout.token_used"


def test_a_tampered_total_is_refused_with_the_right_one() -> None:
    basket = fill_cart([(make_stocked_sku(price_minor=1000), 1)])
    refusal = refused(basket, expected_total_minor=1)
    assert refusal.code == "price.changed"
    assert refusal.facts["total_minor"] == basket.total_minor


def test_a_price_that_changed_since_is_refused() -> None:
    sku = make_stocked_sku()
    basket = fill_cart([(sku, 1)])
    sku_reprice(sku_id=sku.pk, price_minor=sku.price_minor + 1, actor=TESTER)
    assert refused(basket).code == "price.changed"


def test_one_short_line_holds_nothing_of_the_others() -> None:
    plenty, scarce = make_stocked_sku(units=10), make_stocked_sku(units=1)
    refusal = refused(fill_cart([(plenty, 1), (scarce, 2)]))
    assert refusal.code == "stock.insufficient"
    assert [line["sku_id"] for line in refusal.facts["lines"]] == [str(scarce.pk)]


def test_a_sku_that_was_never_stocked_is_refused() -> None:
    assert refused(fill_cart([(make_stocked_sku(units=0), 1)])).code == "stock.insufficient"


def test_a_product_that_left_the_shop_is_refused() -> None:
    sku = make_stocked_sku()
    basket = fill_cart([(sku, 1)])
    product_unpublish(product_id=sku.product_id, actor=TESTER)
    assert refused(basket).code == "line.unavailable"


def test_a_merchant_that_was_suspended_sells_nothing() -> None:
    sku = make_stocked_sku()
    basket = fill_cart([(sku, 1)])
    Merchant.objects.filter(pk=sku.merchant_id).update(state=Merchant.State.SUSPENDED)
    assert refused(basket).code == "line.unavailable"


def test_an_empty_cart_is_refused() -> None:
    basket = fill_cart([])
    with pytest.raises(Invalid) as refusal:
        order_group_place(cart_id=basket.cart_id, checkout=make_checkout(basket), actor=BUYER)
    assert refusal.value.code == "cart.empty"


def test_a_cart_of_nobody_is_refused() -> None:
    basket = fill_cart([(make_stocked_sku(), 1)])
    Cart.objects.filter(pk=basket.cart_id).update(customer=None)
    assert refused(basket).code == "cart.no_customer"


def test_a_delivery_method_of_another_merchant_is_refused() -> None:
    sku, other = make_stocked_sku(), make_delivering_merchant()
    basket = fill_cart([(sku, 1)])
    foreign = {sku.merchant_id: other.delivery_methods.get().pk}
    assert refused(basket, delivery_methods=foreign).code == "delivery.method_unknown"


@pytest.mark.parametrize(
    ("merchant_minutes", "product_minutes", "minutes"),
    [(None, None, 30), (15, None, 15), (None, 15, 15), (30, 15, 15), (30, None, 30)],
)
def test_the_shortest_time_to_pay_counts(
    merchant_minutes: int | None, product_minutes: int | None, minutes: int
) -> None:
    merchant = make_delivering_merchant(pay_within_minutes=merchant_minutes)
    sku = make_stocked_sku(merchant, pay_within_minutes=product_minutes)
    group = place([(sku, 1)])
    assert group.pay_before - group.placed_at == timedelta(minutes=minutes)


@pytest.mark.parametrize("hour_that_is_lost_or_twice", ["2027-03-28T01:00Z", "2027-10-31T01:00Z"])
def test_half_an_hour_is_half_an_hour_while_the_clocks_on_the_walls_change(
    hour_that_is_lost_or_twice: str,
) -> None:
    basket = fill_cart([(make_stocked_sku(), 1)])
    change = datetime.fromisoformat(hour_that_is_lost_or_twice)
    clock.advance(change - timedelta(minutes=10) - clock.now())
    with timezone.override("Europe/Berlin"):
        group = order_group_place(
            cart_id=basket.cart_id, checkout=make_checkout(basket), actor=BUYER
        )
    assert group.placed_at < change < group.pay_before
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT extract(epoch FROM pay_before - placed_at) FROM orders_ordergroup WHERE id = %s",
            [group.pk],
        )
        assert cursor.fetchone() == (30 * 60,)
    clock.advance(timedelta(minutes=29))
    assert expire_due() == 0
    clock.advance(timedelta(minutes=1))
    assert expire_due() == 1


def test_a_line_keeps_the_words_and_the_price_it_was_sold_by() -> None:
    sku = make_stocked_sku(title="blue")
    line = OrderLine.objects.get(order__group=place([(sku, 2)]))
    Sku.objects.filter(pk=sku.pk).update(title="red", price_minor=1)
    line.refresh_from_db()
    assert line.title.endswith("blue")
    assert (line.unit_price_minor, line.total_minor) == (sku.price_minor, 2 * sku.price_minor)


@pytest.mark.parametrize(("merchants", "lines_each"), [(1, 1), (1, 12), (6, 3)])
def test_placing_takes_the_same_few_statements_for_any_cart(
    merchants: int, lines_each: int
) -> None:
    wants = []
    for _ in range(merchants):
        merchant = make_delivering_merchant()
        wants += [(make_stocked_sku(merchant), 1) for _ in range(lines_each)]
    basket = fill_cart(wants)
    checkout = make_checkout(basket)
    with CaptureQueriesContext(connection) as queries:
        order_group_place(cart_id=basket.cart_id, checkout=checkout, actor=BUYER)
    statements = [query["sql"] for query in queries if "SAVEPOINT" not in query["sql"]]
    assert len(statements) <= 6, statements  # with BEGIN and COMMIT, 8 round trips
