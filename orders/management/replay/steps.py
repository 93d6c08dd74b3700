"""The steps of one order, each taken through the real services as its party would take it."""

from dataclasses import dataclass, field
from datetime import timedelta

import httpx
from django.conf import settings

from accounts.actors import Actor, Role
from catalog.services import sku_reprice
from core import clock
from core.ids import Channel
from delivery.services import quote_record
from orders import states
from orders.management.replay.look import Seen, SeenOrder
from orders.management.replay.read import Line, Order
from orders.management.replay.shop import COUNTRY, Shop
from orders.management.replay.targets import way_to
from orders.models import Cart
from orders.services.cancel import order_cancel, order_group_cancel
from orders.services.cart import cart_line_add, cart_line_remove, cart_open
from orders.services.fulfil import order_acknowledge, order_ship, order_start_packing
from orders.services.pay import payment_start
from orders.services.place import Checkout, order_group_place

QUOTES_HOLD = timedelta(days=1)
CARRIER_TIMEOUT_SECONDS = 5
FULFIL = {
    states.PAID: order_acknowledge,
    states.ACKNOWLEDGED: order_start_packing,
    states.PACKING: order_ship,
}


@dataclass(slots=True)
class Journey:
    """One order of the data, the group that it has become, and what stands in its way."""

    order: Order
    token: str
    group_id: int | None = None
    seen: Seen | None = None
    is_driven: bool = False  # in this run
    has_paid: bool = False  # likewise
    scanned: set[int] = field(default_factory=set)
    hindrance: str = ""  # what did not answer; it is asked again
    trouble: str = ""  # what ended it

    @property
    def has_arrived(self) -> bool:
        """It is in the state that the data says."""
        return self.seen is not None and self.seen.has_reached(self.order.target)

    @property
    def is_left_unpaid(self) -> bool:
        """It waits for its deadline to pass, as it should."""
        return (
            self.order.target == states.EXPIRED
            and self.seen is not None
            and self.seen.status == states.PENDING_PAYMENT
        )


class Steps:
    """What can be done for a journey; what was done already is seen, and not done again."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._quotes_hold_until = clock.now() + QUOTES_HOLD
        self._carrier = httpx.Client(
            base_url=settings.SANDBOX_CARRIER_URL, timeout=CARRIER_TIMEOUT_SECONDS, trust_env=False
        )

    def place(self, journey: Journey) -> None:
        """From an empty cart to a placed group; leftovers of a cart that was stopped go first."""
        order = journey.order
        if order.has_two_prices:
            journey.trouble = "one SKU has two prices, and can have one at a time"
            return
        customer = self._shop.customers[order.buyer.id]
        buyer = Actor(Role.BUYER, str(customer.pk))
        cart = cart_open(customer=customer, actor=buyer)
        for sku_id in cart.lines.values_list("sku_id", flat=True):
            cart_line_remove(cart_id=cart.pk, sku_id=sku_id, actor=buyer)
        for line in order.lines:
            self._reprice(line)
            sku_id = self._shop.skus[line.sku]
            cart_line_add(cart_id=cart.pk, sku_id=sku_id, quantity=line.quantity, actor=buyer)
        methods = self._quote(cart, order)
        checkout = Checkout(
            token=journey.token,
            expected_total_minor=order.total_minor,
            shipping_address=_address(order),
            delivery_methods=methods,
            channel=Channel.IMPORT,
        )
        journey.group_id = order_group_place(cart_id=cart.pk, checkout=checkout, actor=buyer).pk

    def _reprice(self, line: Line) -> None:
        sku_id = self._shop.skus[line.sku]
        if self._shop.prices[sku_id] != line.unit_price_minor:
            seller = _merchant(self._shop.merchants[line.sku[1]])
            sku_reprice(sku_id=sku_id, price_minor=line.unit_price_minor, actor=seller)
            self._shop.prices[sku_id] = line.unit_price_minor

    def _quote(self, cart: Cart, order: Order) -> dict[int, int]:
        """Records the file's freight as what the carrier asks; answers the method per merchant."""
        methods = {}
        for seller_id, freight_minor in order.freight_minor.items():
            merchant_id = self._shop.merchants[seller_id]
            methods[merchant_id] = self._shop.methods[merchant_id]
            quote_record(
                cart_id=cart.pk,
                merchant_id=merchant_id,
                method_id=methods[merchant_id],
                amount_minor=freight_minor,
                valid_until=self._quotes_hold_until,
                actor=Actor(Role.CARRIER, "replay"),
            )
        return methods

    def next(self, journey: Journey) -> None:
        """The next step of somebody whose turn it is; none while the shop itself is at work."""
        seen, target = journey.seen, journey.order.target
        assert seen is not None
        if seen.status == states.EXPIRING:
            return
        if seen.status == states.PENDING_PAYMENT:
            if target != states.EXPIRED and not seen.is_being_paid:
                self._pay(journey, seen)
        elif seen.status == states.PAID and target == states.CANCELLED:
            self._call_off(journey, seen)
        elif seen.status == states.PAID and {o.status for o in seen.orders} <= set(way_to(target)):
            for order in seen.orders:
                self._fulfil(journey, order)
        else:
            journey.trouble = f"it is {seen.state}"

    def _pay(self, journey: Journey, seen: Seen) -> None:
        if journey.has_paid:
            journey.trouble = "the channel refused the payment"
            return
        payment_start(
            group_id=seen.id,
            channel="sandbox",
            token="tok_ok",  # noqa: S106 names an outcome at the sandbox
            return_url=settings.PUBLIC_URL,
            actor=Actor(Role.BUYER, str(seen.customer_id)),
        )
        journey.has_paid = True

    def _call_off(self, journey: Journey, seen: Seen) -> None:
        """By the buyer all at once, by each merchant who has not got it; then the money returns."""
        live = [order for order in seen.orders if order.status != states.CANCELLED]
        if live and journey.order.status == "canceled":
            buyer = Actor(Role.BUYER, str(seen.customer_id))
            order_group_cancel(group_id=seen.id, actor=buyer, reason="changed my mind")
            return
        for order in live:
            order_cancel(
                order_id=order.id, actor=_merchant(order.merchant_id), reason="out of stock"
            )

    def _fulfil(self, journey: Journey, order: SeenOrder) -> None:
        """All that the merchant does up to the target; then the carrier brings it."""
        target, merchant, status = journey.order.target, _merchant(order.merchant_id), order.status
        for state in way_to(target)[:-1]:
            if state == status and state in FULFIL:
                status = FULFIL[state](order_id=order.id, actor=merchant).status
        if target == states.DELIVERED:
            for parcel in order.parcels:
                if parcel.is_booked and parcel.id not in journey.scanned:
                    self._scan(parcel.id)
                    journey.scanned.add(parcel.id)

    def _scan(self, parcel_id: int) -> None:
        """The carrier is asked first: a scan that is told twice happens twice."""
        parcel = self._carrier.get(f"/parcels/{parcel_id}").raise_for_status().json()
        if parcel["status"] != "delivered":
            scan = {"key": str(parcel_id), "code": "delivered"}
            self._carrier.post("/control/scan", json=scan).raise_for_status()


def _merchant(merchant_id: int) -> Actor:
    return Actor(Role.MERCHANT, f"{merchant_id}/replay")


def _address(order: Order) -> dict[str, str]:
    """The data has no names and no streets."""
    return {
        "postcode": order.buyer.postcode,
        "city": order.buyer.city,
        "region": order.buyer.region,
        "country": COUNTRY,
    }
