"""A voucher's use: taken by the group that is placed, given back by the one that comes to nothing."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core import clock
from core.errors import Conflict, Invalid
from inventory.models import StockItem
from orders.locks import lock_voucher
from orders.models import OrderGroup, Voucher, VoucherUse
from orders.services import voucher as vouchers
from orders.services.cancel import order_cancel, order_group_cancel
from orders.services.cart import cart_identify
from orders.services.expire import order_group_expire, order_groups_expire
from orders.services.place import order_group_place
from orders.services.refill import cart_refill
from orders.services.request import cancel_request_approve, cancel_request_open
from orders.services.voucher_terms import voucher_amend, voucher_stop
from payments.models import Refund
from tests.audit.plant import broken
from tests.factories import TESTER, make_customer
from tests.factories.money import say
from tests.factories.stock import in_command
from tests.factories.story import (
    BUYER,
    MERCHANT,
    capture,
    deliver_events,
    fresh_row,
    make_checkout,
    make_stocked_sku,
    pack,
    pay,
    payment_of,
    start_payment,
)
from tests.factories.vouchers import (
    counting,
    fill_cart_with,
    make_voucher,
    place_basket,
    place_with,
    used,
)

pytestmark = pytest.mark.django_db

OVER = timedelta(minutes=31)


def two_orders(voucher: Voucher, units: int = 2) -> OrderGroup:
    """A group of two merchants that carries it."""
    return place_with(voucher, [(make_stocked_sku(), units), (make_stocked_sku(), units)])


def balances(voucher: Voucher) -> tuple[int, int, int]:
    return used(voucher), counting(voucher), voucher.uses.count()


def test_a_group_that_is_placed_uses_the_voucher_of_its_cart() -> None:
    voucher = make_voucher(total_limit=2)
    group = two_orders(voucher)
    use = VoucherUse.objects.get()
    assert (use.group_id, use.voucher_id, use.customer_id) == (
        group.id,
        voucher.pk,
        group.customer_id,
    )
    assert use.shard_key == group.shard_key
    assert (use.discount_minor, group.discount_minor) == (400, 400)
    assert group.total_minor == 4000 + 2 * 500 - 400
    assert [order.discount_minor for order in group.orders.all()] == [200, 200]
    assert payment_of(group).amount_minor == group.total_minor
    assert used(voucher) == 1
    assert broken() == set()


def test_what_is_placed_again_by_the_same_token_uses_it_once() -> None:
    voucher = make_voucher()
    basket = fill_cart_with(voucher, [(make_stocked_sku(), 1)])
    checkout = make_checkout(basket)
    groups = {
        order_group_place(cart_id=basket.cart_id, checkout=checkout, actor=BUYER).id
        for _ in range(2)
    }
    assert len(groups) == 1
    assert balances(voucher) == (1, 1, 1)


def test_what_takes_nothing_off_is_not_used() -> None:
    voucher = make_voucher(kind="free_delivery")
    sku = make_stocked_sku()
    sku.merchant.delivery_methods.update(price_minor=0)
    group = place_with(voucher, [(sku, 1)])
    assert (group.discount_minor, balances(voucher)) == (0, (0, 0, 0))


def test_the_last_use_is_refused_to_the_next_and_leaves_nothing_of_it() -> None:
    voucher = make_voucher(total_limit=1)
    sku = make_stocked_sku()
    late = fill_cart_with(voucher, [(sku, 1)])
    place_with(voucher, [(sku, 1)])
    with pytest.raises(Conflict) as refused:
        place_basket(late)
    assert refused.value.code == "voucher.used_up"
    assert OrderGroup.objects.count() == 1
    assert StockItem.objects.get(sku=sku).reserved == 1
    assert balances(voucher) == (1, 1, 1)


def test_one_customer_uses_it_as_often_as_one_may_whatever_the_carts() -> None:
    voucher = make_voucher(per_customer_limit=2)
    ada, sku = make_customer(email="ada@example.com"), make_stocked_sku()
    baskets = [fill_cart_with(voucher, [(sku, 1)]) for _ in range(3)]
    for basket in baskets[:2]:
        cart_identify(cart_id=basket.cart_id, email="Ada@Example.com ", name="Ada", actor=BUYER)
        place_basket(basket)
    last = baskets[2].cart_id
    cart_identify(cart_id=last, email="ADA@example.com", name="Ada", actor=BUYER)
    with pytest.raises(Conflict) as refused:
        place_basket(baskets[2])
    assert refused.value.code == "voucher.used_by_you"
    assert VoucherUse.objects.filter(customer=ada).count() == 2
    place_with(voucher, [(sku, 1)])  # another customer's


def test_a_voucher_that_ended_while_its_shopper_waited_is_refused_by_the_clock_under_its_lock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    voucher = make_voucher(ends_at=clock.now() + timedelta(minutes=1))
    basket = fill_cart_with(voucher, [(make_stocked_sku(), 1)])
    lock = lock_voucher

    def wait_for_it(voucher_id: int) -> Voucher:
        row = lock(voucher_id)
        clock.advance(timedelta(minutes=1))
        return row

    monkeypatch.setattr(vouchers, "lock_voucher", wait_for_it)
    with pytest.raises(Conflict) as refused:
        place_basket(basket)
    assert refused.value.code == "voucher.expired"
    assert not OrderGroup.objects.exists()


def test_where_it_does_not_hold_any_more_placing_refuses_and_never_asks_for_more() -> None:
    voucher = make_voucher()
    basket = fill_cart_with(voucher, [(make_stocked_sku(), 1)])
    voucher_stop(voucher_id=voucher.pk, reason="misprint", actor=TESTER)
    with pytest.raises(Conflict) as refused:
        place_basket(basket)
    assert refused.value.code == "voucher.stopped"
    assert str(refused.value.message) == "This voucher can no longer be used"
    assert not OrderGroup.objects.exists()


def test_what_would_cost_nothing_is_refused() -> None:
    voucher = make_voucher(kind="percentage", basis_points=10_000)
    sku = make_stocked_sku()
    sku.merchant.delivery_methods.update(price_minor=0)
    basket = fill_cart_with(voucher, [(sku, 1)])
    with pytest.raises(Invalid) as refused:
        place_basket(basket)
    assert refused.value.code == "order.nothing_to_pay"
    assert balances(voucher) == (0, 0, 0)


# Do and undo: the balances are what they were.


def expire(group: OrderGroup) -> None:
    clock.advance(OVER)
    assert order_group_expire(group_id=group.id, actor=TESTER)


def expire_with_others(group: OrderGroup) -> None:
    clock.advance(OVER)
    assert order_groups_expire(group_ids=[group.id], actor=TESTER) == 1


def cancel(group: OrderGroup) -> None:
    order_group_cancel(group_id=group.id, actor=BUYER, reason="mind")


def cancel_order_by_order(group: OrderGroup) -> None:
    for order in group.orders.all():
        order_cancel(order_id=order.id, actor=MERCHANT, reason="broken")


def cancel_unit_by_unit(group: OrderGroup) -> None:
    for order in group.orders.all():
        for _ in range(2):
            one = {order.lines.get().pk: 1}
            order_cancel(order_id=order.id, actor=BUYER, reason="mind", quantities=one)


def pay_and_cancel(group: OrderGroup) -> None:
    pay(group)
    cancel(group)


def pay_and_cancel_order_by_order(group: OrderGroup) -> None:
    pay(group)
    cancel_order_by_order(group)


def pay_and_cancel_unit_by_unit(group: OrderGroup) -> None:
    pay(group)
    cancel_unit_by_unit(group)


def pay_and_ask_to_cancel(group: OrderGroup) -> None:
    pay(group)
    for order in group.orders.all():
        pack(order)
        request = cancel_request_open(order_id=order.id, reason="mind", actor=BUYER)
        cancel_request_approve(request_id=request.id, actor=MERCHANT)


UNDO = [
    expire,
    expire_with_others,
    cancel,
    cancel_order_by_order,
    cancel_unit_by_unit,
    pay_and_cancel,
    pay_and_cancel_order_by_order,
    pay_and_cancel_unit_by_unit,
    pay_and_ask_to_cancel,
]


@pytest.mark.parametrize("undo", UNDO)
def test_a_group_that_comes_to_nothing_gives_its_use_back_once(
    undo: Callable[[OrderGroup], None],
) -> None:
    voucher = make_voucher(total_limit=1, per_customer_limit=1)
    before = balances(voucher)[:2]
    group = two_orders(voucher)
    assert balances(voucher)[:2] != before
    undo(group)
    deliver_events()
    assert balances(voucher)[:2] == before
    assert VoucherUse.objects.get(group=group).given_back_at
    cancel_quietly(group)
    assert used(voucher) == 0
    two_orders(voucher)  # somebody else can use it now
    assert broken() == set()


def cancel_quietly(group: OrderGroup) -> None:
    order_group_cancel(group_id=group.id, actor=BUYER, reason="again")


@pytest.mark.parametrize("is_paid", [False, True])
def test_a_part_that_is_called_off_keeps_the_voucher(is_paid: bool) -> None:
    voucher = make_voucher(total_limit=1)
    group = two_orders(voucher)
    if is_paid:
        pay(group)
    first, second = group.orders.order_by("id")
    order_cancel(order_id=first.id, actor=BUYER, reason="mind")
    one = {second.lines.get().pk: 1}
    order_cancel(order_id=second.id, actor=BUYER, reason="mind", quantities=one)
    assert balances(voucher) == (1, 1, 1)
    deliver_events()
    assert broken() == set()


def test_a_rehearsal_gives_nothing_back() -> None:
    voucher = make_voucher()
    group = two_orders(voucher)
    order_group_cancel(group_id=group.id, actor=BUYER, reason="mind", dry_run=True)
    assert balances(voucher) == (1, 1, 1)


def test_a_group_whose_money_has_come_keeps_its_voucher_when_its_time_is_over() -> None:
    voucher = make_voucher(total_limit=1)
    group = two_orders(voucher)
    attempt = start_payment(group)
    clock.advance(OVER)
    capture(attempt)
    assert not order_group_expire(group_id=group.id, actor=TESTER)
    assert balances(voucher) == (1, 1, 1)
    deliver_events()
    assert fresh_row(group).status == "paid"
    assert broken() == set()


def test_a_batch_of_twenty_needs_as_many_statements_as_one_of_two() -> None:
    vouchers = [make_voucher() for _ in range(3)]
    groups = [two_orders(vouchers[number % 3]) for number in range(22)]
    clock.advance(OVER)
    counted = []
    for batch in (groups[:2], groups[2:]):
        with CaptureQueriesContext(connection) as queries:
            ids = [group.id for group in batch]
            assert order_groups_expire(group_ids=ids, actor=TESTER) == len(batch)
        counted.append(len(queries))
    assert counted[0] == counted[1]
    assert [balances(voucher)[:2] for voucher in vouchers] == [(0, 0)] * 3


def test_a_counter_that_does_not_cover_what_is_given_back_stops_everything() -> None:
    voucher = make_voucher()
    group = two_orders(voucher)
    Voucher.objects.update(used_count=0)
    with pytest.raises(RuntimeError, match="do not count the uses"):
        cancel(group)
    assert fresh_row(group).status == "pending_payment"


@pytest.mark.parametrize("has_one", [False, True])
def test_what_is_put_back_into_a_basket_brings_its_voucher_unless_there_is_one(
    has_one: bool,
) -> None:
    voucher, other = make_voucher(), make_voucher()
    group = two_orders(voucher)
    cancel(group)
    cart_id = fill_cart_with(other, [(make_stocked_sku(), 1)]).cart_id if has_one else None
    for _ in range(2):
        cart = cart_refill(group_id=group.id, cart_id=cart_id, actor=BUYER).cart
        cart_id = cart.pk
    cart.refresh_from_db()
    assert cart.voucher == (other if has_one else voucher)
    assert balances(voucher) == (0, 0, 1)


# Late money.


def expire_while_paying(group: OrderGroup) -> Callable[[], None]:
    """The channel says that it has closed the attempt, and takes the money all the same."""
    attempt = say(start_payment(group), "closed")
    expire(group)

    def come() -> None:
        capture(attempt)
        deliver_events()

    return come


def test_late_money_takes_the_voucher_again() -> None:
    voucher = make_voucher(total_limit=1, per_customer_limit=1)
    group = two_orders(voucher)
    come = expire_while_paying(group)
    assert balances(voucher) == (0, 0, 1)
    come()
    assert fresh_row(group).status == "paid"
    assert balances(voucher) == (1, 1, 1)
    assert broken() == set()


def test_late_money_for_a_voucher_that_others_have_used_up_goes_back() -> None:
    voucher = make_voucher(total_limit=1)
    group = two_orders(voucher)
    come = expire_while_paying(group)
    other = two_orders(voucher)
    come()
    assert_given_back(group)
    assert VoucherUse.objects.get(given_back_at=None).group_id == other.id
    assert balances(voucher) == (1, 1, 2)


def test_late_money_of_who_has_used_it_again_meanwhile_goes_back() -> None:
    voucher = make_voucher(per_customer_limit=1)
    ada, sku = make_customer(), make_stocked_sku()
    group = place_with(voucher, [(sku, 1)], ada)
    come = expire_while_paying(group)
    place_with(voucher, [(sku, 1)], ada)
    come()
    assert_given_back(group)
    assert balances(voucher) == (1, 1, 2)


def assert_given_back(group: OrderGroup) -> None:
    refund = Refund.objects.get(request_key=f"late:{payment_of(group).id}")
    assert (refund.amount_minor, refund.status) == (group.total_minor, "approved")
    assert fresh_row(group).status == "expired"
    assert broken() == set()


def test_where_the_goods_are_gone_the_voucher_stays_given_back() -> None:
    voucher = make_voucher(total_limit=1)
    sku = make_stocked_sku(units=1)
    group = place_with(voucher, [(sku, 1)])
    come = expire_while_paying(group)
    StockItem.objects.filter(sku=sku).update(reserved=1)  # somebody else was quicker
    come()
    assert Refund.objects.filter(request_key=f"late:{payment_of(group).id}").exists()
    assert balances(voucher) == (0, 0, 1)


def test_late_money_counts_only_the_limits() -> None:
    """It was placed in time: neither that the voucher has ended since, nor a stop, takes it away."""
    voucher = make_voucher(ends_at=clock.now() + timedelta(minutes=5))
    group = two_orders(voucher)
    come = expire_while_paying(group)
    voucher_stop(voucher_id=voucher.pk, reason="enough", actor=TESTER)
    come()
    assert fresh_row(group).status == "paid"
    assert balances(voucher) == (1, 1, 1)


def test_a_limit_that_is_lowered_to_what_is_used_lets_late_money_go_back() -> None:
    voucher = make_voucher(total_limit=2)
    group = two_orders(voucher)
    pay(two_orders(voucher))
    come = expire_while_paying(group)
    voucher_amend(
        voucher_id=voucher.pk, ends_at=None, per_customer_limit=None, total_limit=1, actor=TESTER
    )
    come()
    assert Refund.objects.filter(request_key=f"late:{payment_of(group).id}").exists()
    assert fresh_row(group).status == "expired"
    assert balances(voucher) == (1, 1, 2)


@pytest.mark.parametrize(
    "part", [lambda group: vouchers.vouchers_give_back([group]), vouchers.voucher_take_again]
)
def test_parts_need_the_group_locked(part: Callable[[OrderGroup], object]) -> None:
    group = two_orders(make_voucher())
    with pytest.raises(RuntimeError, match="not locked"):
        in_command(lambda *, actor: part(group))
