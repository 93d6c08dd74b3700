"""The demo's past: some weeks of orders in every state, each walked there by its parties.

It is written while business time is behind, and business time is taken up to the present with it,
so that what has to wait for a deadline has waited. No channel and no carrier runs meanwhile: what
they would say is recorded as they would say it, and nothing is left to ask them for.
"""

import heapq
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count

from django.db.models import F

from accounts.actors import Actor, Role
from accounts.models import Customer, Merchant, User
from accounts.permissions import merchant_actor
from accounts.services import customer_for_user, merchant_suspend
from catalog.models import Sku
from core import clock, relay
from core.models import OutboxEvent, OutboxStream
from delivery.models import Shipment
from delivery.selectors import offers
from delivery.services import parcel_event_record
from orders import states
from orders.management.demo.payouts import give_accounts, pay_merchants
from orders.management.demo.stalls import SEED
from orders.models import Order, OrderGroup
from orders.services.cancel import order_cancel, order_group_cancel
from orders.services.cart import cart_identify, cart_line_add, cart_open
from orders.services.complete import complete_due
from orders.services.expire import expire_due
from orders.services.fulfil import order_acknowledge, order_ship, order_start_packing
from orders.services.pay import payment_start
from orders.services.place import Checkout, order_group_place
from orders.services.request import cancel_request_open
from payments.models import Attempt, Refund
from payments.services.collect import fact_record
from payments.services.refund import refund_fact_record, refund_send
from payments.services.statement import settle_due

WEEKS = timedelta(days=42)
CHANNEL = Actor(Role.CHANNEL, "sandbox")
CARRIER = Actor(Role.CARRIER, "manual")
SUSPENDED = "old-town-records"
SUSPENDED_BEFORE = timedelta(days=12)
PLENTY = 40  # a SKU of which less is on the shelf is left to the visitors

SHOPPERS = {
    "ada": ("ada@shopper.example", "Ada Shopper", "Am Speicher 4", "28195", "Bremen", "DE"),
    "ben": ("ben@shopper.example", "Ben Shopper", "12 Quay Street", "D08 X2Y3", "Dublin", "IE"),
    "cleo": ("cleo@guest.example", "Cleo Quist", "Havnegade 21", "1058", "København", "DK"),
    "dario": ("dario@guest.example", "Darío Núñez Ávila", "Calle Mayor 7", "28013", "Madrid", "ES"),
    "emi": ("emi@guest.example", "毛利 恵美", "4-2-8 Shibakoen", "105-0011", "Tokyo", "JP"),
    "finn": ("finn@guest.example", "Finn Łukasz", "ul. Długa 9", "80-827", "Gdańsk", "PL"),
    "gül": ("guel@guest.example", "Gül Öztürk", "Lindenweg 3", "1010", "Wien", "AT"),
}
# Days ago, who, lines per stall, how it went.
ORDERS: tuple[tuple[float, str, str, str], ...] = (
    (41.0, "ada", "harbour-tea 2, old-town-records 1", "delivered"),
    (40.4, "ben", "old-town-records 2", "delivered"),
    (39.6, "cleo", "nordlys-knitwear 2", "delivered"),
    (38.2, "emi", "kawa-pottery 3", "delivered"),
    (36.9, "dario", "harbour-tea 1, nordlys-knitwear 1", "delivered"),
    (35.5, "ada", "kawa-pottery 1", "expired"),
    (33.8, "finn", "old-town-records 1", "cancelled"),
    (32.1, "gül", "harbour-tea 3", "delivered"),
    (30.7, "ben", "kawa-pottery 2", "delivered"),
    (28.3, "cleo", "harbour-tea 1, old-town-records 2", "part_refunded"),
    (26.0, "ada", "nordlys-knitwear 1", "delivered"),
    (24.5, "dario", "old-town-records 1", "late"),
    (22.8, "finn", "harbour-tea 2, nordlys-knitwear 2", "delivered"),
    (21.2, "emi", "kawa-pottery 1", "called_off"),
    (20.6, "finn", "harbour-tea 1, nordlys-knitwear 1", "reinstated"),
    (19.9, "ben", "harbour-tea 1", "retried"),
    (18.4, "gül", "old-town-records 1, harbour-tea 1", "delivered"),
    (16.6, "ada", "harbour-tea 2", "delivered"),
    (15.3, "cleo", "kawa-pottery 2", "delivered"),
    (13.7, "dario", "old-town-records 1", "delivered"),
    (12.2, "finn", "nordlys-knitwear 1", "regretted"),
    (11.0, "ben", "nordlys-knitwear 2, harbour-tea 1", "delivered"),
    (10.3, "cleo", "harbour-tea 3", "part_cancelled"),
    (9.8, "emi", "kawa-pottery 2", "delivered"),
    (8.5, "ada", "harbour-tea 1, nordlys-knitwear 1", "part_refunded"),
    (7.4, "gül", "nordlys-knitwear 1", "delivered"),
    (6.3, "cleo", "harbour-tea 2", "expired"),
    (5.6, "finn", "kawa-pottery 1", "delivered"),
    (4.8, "ben", "harbour-tea 1, nordlys-knitwear 1", "shipped"),
    (4.1, "dario", "kawa-pottery 2", "shipped"),
    (3.5, "ada", "nordlys-knitwear 3", "part_shipped"),
    (2.9, "emi", "kawa-pottery 1", "shipped"),
    (2.4, "gül", "harbour-tea 2", "shipped"),
    (1.8, "cleo", "nordlys-knitwear 1, harbour-tea 1", "packing"),
    (1.6, "ada", "harbour-tea 2", "asked"),
    (1.5, "finn", "kawa-pottery 1", "packing"),
    (1.2, "ben", "harbour-tea 1", "acknowledged"),
    (0.9, "dario", "nordlys-knitwear 1", "acknowledged"),
    (0.5, "ada", "kawa-pottery 2", "cancelled"),
    (0.3, "emi", "kawa-pottery 1", "paid"),
    (0.2, "cleo", "harbour-tea 1, nordlys-knitwear 1", "paid"),
    (0.1, "finn", "harbour-tea 3", "paid"),
    (0.04, "gül", "nordlys-knitwear 1", "called_off"),
    (0.003, "ben", "harbour-tea 2", "unpaid"),
    (0.002, "ada", "nordlys-knitwear 1, harbour-tea 1", "unpaid"),
)


@dataclass(slots=True)
class Visit:
    """A shopper's way through the shop; `group` once it is placed."""

    number: int
    shopper: str
    wants: str
    dice: random.Random
    group_id: int = 0

    def buyer(self) -> Actor:
        return Actor(Role.BUYER, self.shopper)

    def orders(self) -> list[Order]:
        """Its orders as they are now, first merchant first."""
        return list(Order.objects.filter(group=self.group_id).order_by("id"))

    def live(self) -> list[Order]:
        return [order for order in self.orders() if order.status != states.CANCELLED]


Step = Callable[[Visit], None]


def place(visit: Visit) -> None:
    email, name, line1, postcode, city, country = SHOPPERS[visit.shopper]
    buyer, customer = visit.buyer(), _customer(email)
    cart = cart_open(customer=customer, actor=buyer)
    if customer is None:
        cart_identify(cart_id=cart.pk, email=email, name=name, actor=buyer)
    total_minor = 0
    for slug, lines in (part.split() for part in visit.wants.split(", ")):
        for sku in visit.dice.sample(_skus(slug), int(lines)):
            quantity = visit.dice.choice((1, 1, 1, 2))
            cart_line_add(cart_id=cart.pk, sku_id=sku.pk, quantity=quantity, actor=buyer)
            total_minor += quantity * sku.price_minor
        [own] = offers([sku.merchant_id]).values()
        total_minor += own[0].price_minor
    address = {"name": name, "line1": line1, "postcode": postcode, "city": city, "country": country}
    checkout = Checkout(
        token=f"demo:{visit.number}", expected_total_minor=total_minor, shipping_address=address
    )
    visit.group_id = order_group_place(cart_id=cart.pk, checkout=checkout, actor=buyer).pk


def _customer(email: str) -> Customer | None:
    user = User.objects.filter(email=email).first()
    return customer_for_user(user=user) if user else None


def _skus(slug: str) -> list[Sku]:
    """One SKU of each product of that merchant of which there is plenty, and that goes by parcel."""
    skus = Sku.objects.filter(
        merchant__slug=slug,
        code__endswith="-1",
        needs_parcel=True,
        stock_items__on_hand__gte=PLENTY - 9,
    )
    return list(skus.order_by("pk"))


def start_paying(visit: Visit) -> None:
    payment_start(
        group_id=visit.group_id,
        channel="sandbox",
        token="",
        return_url="http://127.0.0.1/",
        actor=visit.buyer(),
    )


def forget(visit: Visit) -> None:
    """Nobody does anything, and the deadline passes."""


def _channel_says(visit: Visit, kind: str) -> None:
    group = OrderGroup.objects.get(pk=visit.group_id)
    attempt = Attempt.objects.filter(payment__reference=group.pk).latest("id")
    fact_record(
        attempt_id=attempt.pk,
        kind=kind,
        amount_minor=attempt.amount_minor,
        currency=attempt.currency,
        channel_ref=f"past_{attempt.pk}",
        origin="webhook",
        actor=CHANNEL,
    )


def capture(visit: Visit) -> None:
    _channel_says(visit, "captured")


def refuse(visit: Visit) -> None:
    _channel_says(visit, "failed")


def send_back(visit: Visit) -> None:
    """The channel has sent back what it was asked to."""
    for refund in Refund.objects.filter(payment__reference=visit.group_id, status="approved"):
        refund_send(refund_id=refund.pk, actor=SEED)
        refund_fact_record(
            refund_id=refund.pk,
            kind="refund_succeeded",
            amount_minor=refund.amount_minor,
            currency=refund.currency,
            channel_ref=f"past_{refund.pk}",
            origin="webhook",
            actor=CHANNEL,
        )


def _seller(order: Order) -> Actor:
    owner = order.merchant.members.earliest("pk")
    return merchant_actor(merchant_id=order.merchant_id, user_id=owner.user_id)


def acknowledge(visit: Visit) -> None:
    for order in visit.live():
        order_acknowledge(order_id=order.pk, actor=_seller(order))


def pack(visit: Visit) -> None:
    for order in visit.live():
        order_start_packing(order_id=order.pk, actor=_seller(order))


def ship(visit: Visit) -> None:
    for order in visit.live():
        _hand_over(order, None)


def ship_first_line(visit: Visit) -> None:
    for order in visit.live():
        line = order.lines.earliest("pk")
        _hand_over(order, {line.pk: line.quantity})


def _hand_over(order: Order, quantities: dict[int, int] | None) -> None:
    """To a carrier that is called by nobody; the parcel's number is known at once."""
    order_ship(
        order_id=order.pk,
        actor=_seller(order),
        quantities=quantities,
        carrier="manual",
        tracking_number=f"QS{order.pk % 10**10:010}",
    )


def bring(visit: Visit) -> None:
    parcels = Shipment.objects.filter(reference__in=[order.pk for order in visit.live()])
    for parcel in parcels.filter(status="handed_over"):
        parcel_event_record(
            shipment_id=parcel.pk,
            code="delivered",
            at=clock.now(),
            event_id=f"past:{parcel.pk}",
            actor=CARRIER,
        )


def call_off(visit: Visit) -> None:
    order_group_cancel(group_id=visit.group_id, actor=visit.buyer(), reason="changed my mind")


def cancel_one_unit(visit: Visit) -> None:
    """The shopper has ordered one too many."""
    [order] = visit.live()
    one = {order.lines.earliest("pk").pk: 1}
    order_cancel(order_id=order.pk, actor=visit.buyer(), reason="too many", quantities=one)


def ask_to_cancel(visit: Visit) -> None:
    """It is being packed already; the merchant still has some hours to answer."""
    [order] = visit.live()
    cancel_request_open(order_id=order.pk, reason="found it cheaper", actor=visit.buyer())


def cancel_last(visit: Visit) -> None:
    """The last merchant has not got it after all."""
    order = visit.live()[-1]
    order_cancel(order_id=order.pk, actor=_seller(order), reason="out of stock")


PAY: list[tuple[float, Step]] = [(0.03, start_paying), (0.06, capture)]
PACK: list[tuple[float, Step]] = [*PAY, (3, acknowledge), (20, pack)]
DELIVER: list[tuple[float, Step]] = [*PACK, (26, ship), (70, bring)]
# How it went → what was done, hours after it was placed.
WAYS: dict[str, list[tuple[float, Step]]] = {
    "unpaid": [],
    "expired": [],
    "called_off": [(0.1, call_off)],
    "late": [(0.1, start_paying), (1, forget), (26, capture), (27, send_back)],
    "reinstated": [(0.1, start_paying), (1.2, capture), *DELIVER[2:]],
    "retried": [
        (0.02, start_paying),
        (0.04, refuse),
        (0.05, start_paying),
        (0.1, capture),
        *DELIVER[2:],
    ],
    "paid": PAY,
    "acknowledged": PACK[:-1],
    "packing": PACK,
    "part_shipped": [*PACK, (26, ship_first_line)],
    "shipped": DELIVER[:-1],
    "delivered": DELIVER,
    "cancelled": [*PACK[:-1], (6, cancel_last), (7, send_back)],
    "part_refunded": [*PACK[:-1], (6, cancel_last), (7, send_back), *DELIVER[3:]],
    "part_cancelled": [*PAY, (1, cancel_one_unit), (2, send_back), *DELIVER[2:]],
    "asked": [*PACK, (38.3, ask_to_cancel)],
    "regretted": [*PAY, (1, call_off), (2, send_back)],
}


@dataclass(slots=True)
class Diary:
    """What happens when, earliest first; of two at the same time the one written down first."""

    _entries: list[tuple[datetime, int, Callable[[], None]]] = field(default_factory=list)
    _numbers: "count[int]" = field(default_factory=count)

    def note(self, at: datetime, act: Callable[[], None]) -> None:
        heapq.heappush(self._entries, (at, next(self._numbers), act))

    def live_through(self, until: datetime) -> None:
        """Does all that is due until then, when it is due; the shop's clocks run with it."""
        while self._entries and self._entries[0][0] <= until:
            at, _number, act = heapq.heappop(self._entries)
            _wait_until(at)
            act()
            deliver_news()
        _wait_until(until)


def _wait_until(at: datetime) -> None:
    clock.advance(max(at - clock.now(), timedelta(0)))
    if expire_due() + complete_due() + settle_due() + pay_merchants():
        deliver_news()


def deliver_news() -> None:
    """What the relay does, and the workers with mails."""
    while relay.deliver(lambda stream_id: None):
        pass
    deliver_outside("mail")


def deliver_outside(kind: str) -> None:
    """What workers do with the external streams of that kind."""
    waiting = OutboxStream.objects.filter(aggregate_type=kind, last_seq__gt=F("delivered_seq"))
    for stream_id in waiting.order_by("pk").values_list("pk", flat=True):
        relay.deliver_external(stream_id)


def suspend_one() -> None:
    """One merchant's papers are missing; said once, whatever staff decides later."""
    merchant = Merchant.objects.get(slug=SUSPENDED)
    if not OutboxEvent.objects.filter(type="merchant.suspended", object_id=merchant.pk).exists():
        merchant_suspend(merchant_id=merchant.pk, reason="papers are missing", actor=SEED)


def live_past(orders: Sequence[tuple[float, str, str, str]] = ORDERS) -> None:
    """Writes the past up to the present, if business time is still behind.

    One that was interrupted goes on with the orders that it had not placed yet.
    """
    today = clock.now() + clock.behind()
    give_accounts()
    diary = Diary()
    diary.note(today - SUSPENDED_BEFORE, suspend_one)
    for number, (days_ago, shopper, wants, end) in enumerate(orders, 1):
        at = today - timedelta(days=days_ago)
        if at > clock.now():
            dice = random.Random(number)  # noqa: S311 the same past each time
            visit = Visit(number, shopper, wants, dice)
            for hours, step in [(0.0, place), *WAYS[end]]:
                diary.note(at + timedelta(hours=hours), lambda v=visit, s=step: s(v))  # type: ignore[misc]
    diary.live_through(today)
    deliver_outside("channel")  # it has said everything: no stream has anything left to ask
    deliver_outside("payout_channel")
    clock.advance(clock.behind())
