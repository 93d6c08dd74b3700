"""Races that one lock decides, and a way to switch that lock off."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any

import pytest
from django.db.models import Model, QuerySet
from django.test import override_settings

from accounts.actors import Actor, Role
from accounts.models import Merchant
from core import clock
from core.command import running
from core.locks import locked
from delivery.locks import lock_shipment
from delivery.models import Shipment
from delivery.services import hand_over, parcel_event_record, shipments_void
from inventory.models import StockItem
from inventory.services import stock_restock
from orders.models import CancelRequest, Cart, OrderGroup, Voucher
from orders.selectors.checkout import checkout_view
from orders.services.cancel import order_group_cancel
from orders.services.capture import order_capture
from orders.services.cart import cart_identify, cart_line_add, cart_merge, cart_open
from orders.services.checkout import checkout_complete, checkout_update
from orders.services.expire import order_groups_expire
from orders.services.pay import payment_start
from orders.services.place import order_group_place
from orders.services.request import (
    cancel_request_approve,
    cancel_request_decline,
    cancel_request_open,
)
from payments.channels.base import channel_named
from payments.models import Capture, Difference, Payout, Refund, Statement
from payments.services.capture import capture_answer_record
from payments.services.difference import difference_settle
from payments.services.payout import payout_approve
from payments.services.refund import refund_answer_record, refund_send
from payments.services.statement import statement_close, statement_open
from tests.concurrency import scenes
from tests.concurrency.interleave import Stage
from tests.concurrency.scenes import Scene, World
from tests.concurrency.till import NAME
from tests.factories import TESTER, fresh, make_customer, make_merchant, settlement, story
from tests.factories.money import make_captured
from tests.factories.parcels import SCANNED_AT, prepare
from tests.factories.stock import in_command
from tests.factories.story import (
    BUYER,
    CHANNEL,
    MERCHANT,
    Basket,
    fill_cart,
    make_checkout,
    make_stocked_sku,
    ship,
)
from tests.factories.vouchers import counting, fill_cart_with, make_voucher
from tests.faults.deeds import ANSWERS
from tests.payments.lists import listed

Act = Callable[[Any], object]
FINANCE = Actor(Role.STAFF, "finance")


@dataclass(frozen=True)
class Race:
    """Two parties at one thing; `harm` says what they have done to it together, '' for none."""

    make: Callable[[World], Any]
    first: Act
    second: Act
    harm: Callable[[Any], str]

    def run(self, stage: Stage, world: World, *, at: int) -> tuple[str, bool]:
        """The harm that is done with the second in that pause, and whether there was that pause."""
        thing = self.make(world)
        try:
            meeting = stage.meet(partial(self.first, thing), partial(self.second, thing), at=at)
        except Exception as error:  # noqa: BLE001 what a later guard cries out
            return repr(error), True
        return self.harm(thing), meeting.pause is not None


def switch_off(monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str) -> None:
    """The lock function of that name reads its rows without locking them; they pass for locked."""

    def read(rows: QuerySet[Any], **options: Any) -> list[Any]:
        return look(rows) if name in callers() else locked(rows, **options)

    monkeypatch.setattr(module, "locked", read)


def look(rows: QuerySet[Any]) -> list[Any]:
    found: list[Model] = list(rows.order_by("pk"))
    for row in found:
        row.__dict__["_locked_in"] = running()
    return found


def callers() -> set[str]:
    """The functions that are running, the innermost few."""
    frame, names = sys._getframe(1), set()
    for _ in range(6):
        names.add(frame.f_code.co_name)
        if frame.f_back is None:
            break
        frame = frame.f_back
    return names


# What is left of a group is judged as everywhere.


def harm_of_group(scene: Scene) -> str:
    scenes.settle(scene)
    return "; ".join(scenes.troubles(scene))


def untried(world: World) -> OrderGroup:
    return story.place([(sku, 2) for sku in world.goods], world.customer)


def tried_in_vain(world: World) -> Scene:
    """The attempt has failed, as far as we know; the channel has the money all the same."""
    group = untried(world)
    attempt = scenes.start(group)
    world.till.refuse(attempt)
    scenes.ask(world, attempt)
    world.till.pay(attempt)
    return Scene(world, group, attempt)


def start_again(scene: Scene) -> None:
    payment_start(
        group_id=scene.group.id,
        channel=NAME,
        token="tok_ok",
        return_url="http://shop.invalid/return",
        actor=BUYER,
    )


def expire_batch(group: OrderGroup) -> None:
    clock.advance(scenes.OVER)
    order_groups_expire(group_ids=[group.id], actor=TESTER)


def cancel_untried(group: OrderGroup) -> None:
    order_group_cancel(group_id=group.id, actor=BUYER, reason="race")


def asked_to_cancel(world: World) -> CancelRequest:
    order = scenes.packing(world).order
    return cancel_request_open(order_id=order.id, reason="race", actor=BUYER)


def approve(request: CancelRequest) -> None:
    cancel_request_approve(request_id=request.id, actor=MERCHANT)


def decline(request: CancelRequest) -> None:
    cancel_request_decline(request_id=request.id, answer="It is packed.", actor=MERCHANT)


def sent_refund(world: World) -> Refund:
    scene = scenes.paid(world)
    scenes.refund(scene)
    refund = Refund.objects.latest("pk")
    return refund_send(refund_id=refund.id, actor=TESTER)


def hear_of_refund(refund: Refund) -> None:
    assert refund.attempt
    answer = channel_named(NAME).refund(
        key=refund.channel_key,
        payment_key=refund.attempt.channel_key,
        amount_minor=refund.amount_minor,
    )
    refund_answer_record(refund_id=refund.id, answer=answer, actor=CHANNEL)


def asked_capture(world: World) -> Capture:
    """An order has left whose money is promised, and the channel is asked for it."""
    with override_settings(PAYMENT_CAPTURE_AT={NAME: "shipment"}):
        scene = scenes.packing(world)
    scenes.ship(scene)
    order_capture(order_id=scene.order.id, actor=TESTER)
    return Capture.objects.get(order_id=scene.order.id)


def hear_of_capture(capture: Capture) -> None:
    answer = channel_named(NAME).capture(
        key=capture.channel_key,
        payment_key=capture.attempt.channel_key,
        amount_minor=capture.amount_minor,
        is_last=False,
    )
    capture_answer_record(capture_id=capture.id, answer=answer, actor=CHANNEL)


# A merchant's account.


def merchant_who_has_sold(_world: World) -> Merchant:
    merchant = make_merchant()
    settlement.sell(merchant)
    return merchant


def open_statement(merchant: Merchant) -> None:
    statement_open(merchant_id=merchant.pk, currency=merchant.currency, actor=TESTER)


def due_statement(world: World) -> Statement:
    merchant = merchant_who_has_sold(world)
    open_statement(merchant)
    clock.advance(settlement.WEEK)
    return Statement.objects.get(merchant=merchant)


def close_statement(statement: Statement) -> None:
    statement_close(statement_id=statement.pk, actor=TESTER)


def large_payout(_world: World) -> Payout:
    merchant = make_merchant()
    settlement.give_account(merchant)
    return settlement.make_payout(merchant, 2_000_000)


def approve_first(payout: Payout) -> None:
    payout_approve(payout_id=payout.pk, actor=settlement.ANNA)


def approve_second(payout: Payout) -> None:
    payout_approve(payout_id=payout.pk, actor=settlement.BORIS)


def never_leaves(payout: Payout) -> str:
    """Each has counted the own word alone."""
    left = Payout.objects.get(pk=payout.pk).status == "approved"
    return "" if left else "two have approved it, and it waits for ever"


def differing_fee(_world: World) -> Difference:
    """The channel's list has had two fees of one payment."""
    attempt = make_captured(1000).attempts.get()
    for fee_minor in (39, 45):
        listed(attempt, fee_minor=fee_minor)
    return Difference.objects.latest("pk")


def accept_fee(difference: Difference) -> None:
    difference_settle(
        difference_id=difference.pk, verdict="theirs", reason="their tariff", actor=FINANCE
    )


def none(_thing: object) -> str:
    """Only an error would tell."""
    return ""


# Baskets.


def basket(_world: World) -> Basket:
    return fill_cart([(make_stocked_sku(), 1)])


def place(basket: Basket) -> None:
    order_group_place(cart_id=basket.cart_id, checkout=make_checkout(basket), actor=BUYER)


def add_to(basket: Basket) -> None:
    sku = make_stocked_sku()
    cart_line_add(cart_id=basket.cart_id, sku_id=sku.pk, quantity=1, actor=BUYER)


def placed_twice(basket: Basket) -> str:
    groups = OrderGroup.objects.filter(cart_id=basket.cart_id).count()
    return f"{groups} orders of one basket" if groups > 1 else ""


def differs(basket: Basket) -> str:
    """A placed basket holds just what was ordered."""
    cart = Cart.objects.get(pk=basket.cart_id)
    if not cart.placed_group_id:
        return ""
    ordered = OrderGroup.objects.get(pk=cart.placed_group_id).orders.values_list("lines__sku")
    held = cart.lines.values_list("sku")
    return "" if set(ordered) == set(held) else "the basket is not what was ordered"


def checkout(_world: World) -> Basket:
    filled = fill_cart([(make_stocked_sku(), 1)])
    checkout_update(cart_id=filled.cart_id, answers=ANSWERS, delivery_methods={}, actor=BUYER)
    return filled


def complete(basket: Basket) -> None:
    record = Cart.objects.get(pk=basket.cart_id).checkout
    total_minor = checkout_view(record).total_minor
    checkout_complete(token=record.token, expected_total_minor=total_minor, actor=BUYER)


def guests_basket(_world: World) -> Basket:
    """A guest's, who names an address; whoever logs in has one, too."""
    cart, sku = cart_open(customer=None, actor=BUYER), make_stocked_sku()
    cart_line_add(cart_id=cart.pk, sku_id=sku.pk, quantity=1, actor=BUYER)
    cart_identify(cart_id=cart.pk, email=fresh("guest{}@example.com"), name="Ada", actor=BUYER)
    return Basket(cart.pk, sku.price_minor + 500)


def log_in(basket: Basket) -> None:
    customer = make_customer()
    fill_cart([(make_stocked_sku(), 1)], customer)
    cart_merge(guest_cart_id=basket.cart_id, customer=customer, actor=BUYER)


@dataclass(frozen=True)
class Baskets:
    """Two of one customer, with a voucher that a customer may use once."""

    voucher: Voucher
    first: Basket
    second: Basket


def baskets_of_one(_world: World) -> Baskets:
    voucher, email = make_voucher(per_customer_limit=1), fresh("customer{}@example.com")
    baskets = [fill_cart_with(voucher, [(make_stocked_sku(), 1)]) for _ in range(2)]
    for basket in baskets:
        cart_identify(cart_id=basket.cart_id, email=email, name="Ada", actor=BUYER)
    return Baskets(voucher, *baskets)


def place_first(baskets: Baskets) -> None:
    place(baskets.first)


def place_second(baskets: Baskets) -> None:
    place(baskets.second)


def used_twice(baskets: Baskets) -> str:
    uses = counting(baskets.voucher)
    return f"{uses} uses of one customer" if uses > 1 else ""


# Goods and parcels.


@dataclass(frozen=True)
class Returned:
    """A line of two units that were shipped, and what was on hand then."""

    line_id: int
    item: StockItem


def shipped_line(world: World) -> Returned:
    scene = scenes.paid(world)
    order = ship(scene.order)
    line = order.lines.get()
    return Returned(line.id, StockItem.objects.get(sku=line.sku_id))


def take_back(returned: Returned) -> None:
    stock_restock(quantity=2, dedup_key=fresh("back-{}"), actor=TESTER, reference=returned.line_id)


def more_than_left(returned: Returned) -> str:
    now = StockItem.objects.get(pk=returned.item.pk).on_hand
    return "more came back than had left" if now > returned.item.on_hand + 2 else ""


def parcel_on_its_way(world: World) -> Shipment:
    scene = scenes.paid(world)
    order = ship(scene.order)
    return Shipment.objects.get(reference=order.id)


def scan(shipment: Shipment) -> None:
    parcel_event_record(
        shipment_id=shipment.id,
        code="delivered",
        at=SCANNED_AT,
        event_id=fresh("scan-{}"),
        actor=TESTER,
    )


def prepared(_world: World) -> Shipment:
    return prepare(carrier="manual")


def give_up(shipment: Shipment) -> None:
    in_command(shipments_void, references=[shipment.reference], reason="race")


def give_away(shipment: Shipment) -> None:
    def part(*, actor: Any) -> None:
        hand_over(shipment=lock_shipment(shipment.id), actor=actor)

    in_command(part)
