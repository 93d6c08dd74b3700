"""Walks a real order to the wanted step, through the services, as its parties would."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from accounts.actors import Actor, Role
from accounts.models import Customer, Merchant
from catalog.models import Sku
from core import clock, relay
from core.fsm import Stateful
from delivery.services import method_create
from inventory.services import stock_receive
from orders.models import Order, OrderGroup
from orders.services.cart import cart_line_add, cart_open
from orders.services.expire import order_group_expire
from orders.services.fulfil import order_acknowledge, order_ship, order_start_packing
from orders.services.pay import payment_start, payment_start_with_credit
from orders.services.place import Checkout, order_group_place
from payments.channels.base import Answer
from payments.models import Attempt, Capture, CreditEntry, Payment
from payments.services.capture import capture_answer_record
from payments.services.collect import fact_record
from payments.services.credit import credit_issue
from tests.factories import TESTER, fresh, make_customer, make_merchant, make_sku

S = TypeVar("S", bound=Stateful)
BUYER = Actor(Role.BUYER, "test")
MERCHANT = Actor(Role.MERCHANT, "test")
CHANNEL = Actor(Role.CHANNEL, "sandbox")
CARRIER = Actor(Role.CARRIER, "sandbox")
DELIVERY_MINOR = 500


def make_stocked_sku(merchant: Merchant | None = None, *, units: int = 10, **fields: Any) -> Sku:
    """A SKU on sale with that many units, of a merchant that delivers for 5.00."""
    merchant = merchant or make_delivering_merchant()
    sku = make_sku(merchant, **fields)
    if units:
        stock_receive(
            sku_id=sku.pk,
            location_id=None,
            quantity=units,
            dedup_key=fresh("receipt-{}"),
            actor=TESTER,
        )
    return sku


def make_delivering_merchant(currency: str = "EUR", **fields: Any) -> Merchant:
    """A merchant with one flat delivery method of 5.00."""
    merchant = make_merchant(currency, **fields)
    method_create(
        merchant_id=merchant.pk,
        code="standard",
        name="Standard",
        kind="flat",
        price_minor=DELIVERY_MINOR,
        actor=TESTER,
    )
    return merchant


@dataclass(frozen=True, slots=True)
class Basket:
    """A filled cart, and the total that its shopper sees."""

    cart_id: int
    total_minor: int


def fill_cart(wants: Sequence[tuple[Sku, int]], customer: Customer | None = None) -> Basket:
    """A cart of a customer with these units."""
    cart = cart_open(customer=customer or make_customer(), actor=BUYER)
    for sku, quantity in wants:
        cart_line_add(cart_id=cart.pk, sku_id=sku.pk, quantity=quantity, actor=BUYER)
    goods_minor = sum(sku.price_minor * quantity for sku, quantity in wants)
    merchants = {sku.merchant_id for sku, _ in wants}
    return Basket(cart.pk, goods_minor + DELIVERY_MINOR * len(merchants))


def make_checkout(basket: Basket, **fields: Any) -> Checkout:
    """A checkout that agrees with the basket."""
    given = {
        "token": fresh("checkout-{}"),
        "expected_total_minor": basket.total_minor,
        "shipping_address": {"name": "Ada", "city": "Bremen", "country": "DE"},
        **fields,
    }
    return Checkout(**given)


def place(wants: Sequence[tuple[Sku, int]], customer: Customer | None = None) -> OrderGroup:
    """A placed group of these units."""
    basket = fill_cart(wants, customer)
    return order_group_place(cart_id=basket.cart_id, checkout=make_checkout(basket), actor=BUYER)


def make_group(orders: int = 1, units: int = 1) -> OrderGroup:
    """A placed group with one order of some units per merchant."""
    return place([(make_stocked_sku(), units) for _ in range(orders)])


def start_payment(group: OrderGroup, *, channel: str = "sandbox", token: str = "tok_ok") -> Attempt:
    """An attempt at a channel of the sandbox that the shopper has just begun."""
    return payment_start(
        group_id=group.id,
        channel=channel,
        token=token,
        return_url="http://shop.invalid/return",
        actor=BUYER,
    )


def issue_credit(group: OrderGroup, amount_minor: int) -> CreditEntry:
    """The group's customer gets store credit for an apology."""
    return credit_issue(
        customer_id=group.customer_id,
        currency=group.currency,
        amount_minor=amount_minor,
        reason="sorry",
        request_key=fresh("credit-{}"),
        actor=TESTER,
    )


def start_with_credit(group: OrderGroup, amount_minor: int, *, channel: str = "sandbox") -> Payment:
    """The shopper, who is known, pays so much with store credit and the rest at a channel."""
    return payment_start_with_credit(
        group_id=group.id,
        store_credit_minor=amount_minor,
        owner_id=group.customer_id,
        channel=channel,
        token="tok_ok",
        return_url="http://shop.invalid/return",
        actor=BUYER,
    )


def attempt_beside(credit: Payment) -> Attempt:
    """The attempt that is to bring what the credit does not."""
    assert credit.beside
    return credit.beside


def capture(attempt: Attempt, *, origin: str = "webhook") -> None:
    """The channel says that it has the attempt's money."""
    fact_record(
        attempt_id=attempt.id,
        kind="captured",
        amount_minor=attempt.amount_minor,
        currency=attempt.currency,
        channel_ref=f"ref-{attempt.id}",
        origin=origin,
        actor=CHANNEL,
    )


def authorise(attempt: Attempt) -> None:
    """The channel promises the attempt's money."""
    fact_record(
        attempt_id=attempt.id,
        kind="authorised",
        amount_minor=attempt.amount_minor,
        currency=attempt.currency,
        channel_ref=f"ref-{attempt.id}",
        origin="webhook",
        actor=CHANNEL,
    )


def make_promised_group(orders: int = 1, units: int = 1) -> OrderGroup:
    """A group that counts as paid: its money is promised, to be taken as its goods leave.

    The settings must say that the channel takes it later.
    """
    group = make_group(orders, units)
    authorise(start_payment(group))
    deliver_events()
    return fresh_row(group)


def answer_capture(order: Order, status: str = "succeeded") -> Capture:
    """What the channel says to the last request for an order's money."""
    capture = Capture.objects.filter(order_id=order.id).latest("id")
    answer = Answer(
        status=status,
        amount_minor=capture.amount_minor,
        currency=capture.currency,
        ref=f"cap-{capture.channel_key}",
    )
    return capture_answer_record(capture_id=capture.id, answer=answer, actor=CHANNEL)


def expire_for_good(group: OrderGroup) -> None:
    """Nobody has paid, and five minutes after the deadline nobody waits for the channel either."""
    clock.advance(timedelta(minutes=36))
    while order_group_expire(group_id=group.id, actor=TESTER):
        pass


def deliver_events() -> None:
    """What the relay does, until nothing is due; external streams stay where they are."""
    while relay.deliver(lambda stream_id: None):
        pass


def pay(group: OrderGroup) -> OrderGroup:
    """The group's money is captured, and orders have heard of it."""
    capture(start_payment(group))
    deliver_events()
    return fresh_row(group)


def make_paid_group(orders: int = 1, units: int = 1) -> OrderGroup:
    """A paid group with one order per merchant."""
    return pay(make_group(orders, units))


def pack(order: Order) -> Order:
    """The merchant takes the goods from the shelf."""
    order_acknowledge(order_id=order.id, actor=MERCHANT)
    return order_start_packing(order_id=order.id, actor=MERCHANT)


def ship(order: Order) -> Order:
    """The merchant has packed and handed everything over, carried by hand."""
    pack(order)
    return order_ship(
        order_id=order.id, actor=MERCHANT, carrier="manual", tracking_number=fresh("T{}")
    )


def payment_of(group: OrderGroup) -> Payment:
    """The group's payment by a channel."""
    return Payment.objects.get(reference=group.id, tender=Payment.Tender.CHANNEL)


def only_order(group: OrderGroup) -> Order:
    """The one order of a group."""
    return group.orders.get()


def fresh_row(row: S) -> S:
    """The row as the database has it now."""
    return type(row)._default_manager.get(pk=row.pk)
