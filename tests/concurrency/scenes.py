"""Groups at the moment at which two parties act on them at once, what they do, and what must be left."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from accounts.models import Customer
from catalog.models import Sku
from core import clock, relay
from core.hooks import hook_store
from core.models import OutboxStream
from inventory.models import Reservation
from orders import states
from orders.models import Order, OrderGroup
from orders.services.cancel import order_group_cancel
from orders.services.expire import order_group_expire
from orders.services.fulfil import order_ship
from orders.services.pay import payment_start
from orders.services.refund import order_refund
from payments.channels import base
from payments.models import Attempt, ChannelFact, Refund
from payments.services.collect import attempt_answer_record
from tests.concurrency.till import NAME, Till
from tests.factories import TESTER, fresh, make_customer
from tests.factories.story import (
    BUYER,
    CHANNEL,
    MERCHANT,
    deliver_events,
    fresh_row,
    make_stocked_sku,
    pack,
    place,
)

MINUTES_TO_PAY = 15
OVER = timedelta(minutes=MINUTES_TO_PAY, seconds=1)
UNITS = 100_000
BY_HAND = "order:"
MOST_ROUNDS = 5


@dataclass(frozen=True)
class World:
    """What all scenes of a test share: a till, two merchants' goods, a customer without mail."""

    till: Till
    goods: list[Sku]
    customer: Customer

    @classmethod
    def made(cls) -> Self:
        till = Till()
        base.register(NAME, till)
        goods = [make_stocked_sku(units=UNITS, pay_within_minutes=MINUTES_TO_PAY) for _ in range(2)]
        return cls(till, goods, make_customer(accepts_mail=False))


@dataclass
class Scene:
    """A group of two orders, and the attempt that the channel has news of."""

    world: World
    group: OrderGroup
    attempt: Attempt

    @property
    def order(self) -> Order:
        """The order that is shipped or refunded."""
        return self.group.orders.order_by("id")[0]


# Where two parties meet.


def unpaid(world: World) -> Scene:
    """In time; the shopper has just paid, and we do not know it yet."""
    group = place([(sku, 2) for sku in world.goods], world.customer)
    attempt = start(group)
    world.till.pay(attempt)
    return Scene(world, group, attempt)


def captured(world: World) -> Scene:
    """We know of the money; orders have not heard of it."""
    scene = unpaid(world)
    ask_at_return(scene)
    return scene


def paid(world: World) -> Scene:
    """Paid by a second attempt; the first, that had failed, was paid later all the same."""
    group = place([(sku, 2) for sku in world.goods], world.customer)
    first = start(group)
    world.till.refuse(first)
    ask(world, first)
    second = start(group)
    world.till.pay(second)
    ask(world, second)
    deliver_all()
    world.till.pay(first)
    return Scene(world, fresh_row(group), first)


def packing(world: World) -> Scene:
    """The same, and the first order is on the packing table."""
    scene = paid(world)
    pack(scene.order)
    return scene


def start(group: OrderGroup) -> Attempt:
    attempt = payment_start(
        group_id=group.id,
        channel=NAME,
        token="tok_ok",
        return_url="http://shop.invalid/return",
        actor=BUYER,
    )
    deliver_all()
    return fresh_row(attempt)


def ask(world: World, attempt: Attempt) -> None:
    """What the return page, or the clock, has the channel asked."""
    answer = world.till.query(attempt.channel_key)
    attempt_answer_record(
        attempt_id=attempt.id, answer=answer, actor=CHANNEL, origin=ChannelFact.Origin.QUERY
    )


# What they do there.


def expire(scene: Scene) -> None:
    """The deadline passes, whoever is just at it, and the sweeper comes."""
    clock.advance(OVER)
    order_group_expire(group_id=scene.group.id, actor=TESTER)


def cancel(scene: Scene) -> None:
    unpaid = scene.group.status == states.PENDING_PAYMENT
    actor = BUYER if unpaid else MERCHANT
    order_group_cancel(group_id=scene.group.id, actor=actor, reason="race")


def be_notified(scene: Scene) -> None:
    """The channel's notification comes in, is processed, and orders hear of it."""
    said = scene.world.till.query(scene.attempt.channel_key)
    notice = {
        "kind": "payment.captured",
        "key": scene.attempt.channel_key,
        "ref": said.ref,
        "amount_minor": said.amount_minor,
        "currency": said.currency,
    }
    hook_store(
        channel=NAME,
        event_id=f"paid-{scene.attempt.channel_key}",
        payload=json.dumps(notice).encode(),
        headers={},
        event_type="payment_hook.received",
    )
    deliver_events()


def ask_at_return(scene: Scene) -> None:
    """The shopper is back from the channel, which is asked; nothing is delivered by that."""
    ask(scene.world, scene.attempt)


def come_back(scene: Scene) -> None:
    """The same, and orders hear of it."""
    ask_at_return(scene)
    deliver_events()


def refund(scene: Scene) -> None:
    """Three fifths of the order: twice is too much."""
    order = scene.order
    order_refund(
        order_id=order.id,
        amount_minor=order.total_minor * 3 // 5,
        reason="scratched",
        request_key=fresh("hand-{}"),
        actor=MERCHANT,
    )


def ship(scene: Scene) -> None:
    order_ship(
        order_id=scene.order.id, actor=MERCHANT, carrier="manual", tracking_number=fresh("T{}")
    )


Act = Callable[[Scene], None]
ACTS: dict[str, Act] = {
    "expire": expire,
    "cancel": cancel,
    "webhook": be_notified,
    "redirect": come_back,
    "refund": refund,
    "ship": ship,
}


def place_of(first: str, second: str) -> Callable[[World], Scene]:
    """Where both are conceivable."""
    both = {first, second}
    if "ship" in both:
        return packing
    if "refund" in both:
        return captured if "expire" in both else paid
    return unpaid


# What is left.


def deliver_all() -> None:
    """Everything is delivered, and the channel asked what it is to be asked, until all is still."""
    while relay.deliver(relay.deliver_external) or sum(
        relay.deliver_external(stream_id) for stream_id in external_streams()
    ):
        pass


def external_streams() -> list[int]:
    """Those with something for the world; a relay of the scene may have put them ahead."""
    rows = OutboxStream.objects.filter(external=True).values_list(
        "id", "last_seq", "delivered_seq", "attempts"
    )
    return [id_ for id_, last, done, attempts in rows if last > done and not attempts]


def settle(scene: Scene) -> None:
    """The rest of the group's story, without any further will of anybody's.

    The channel notifies at last of what it has, once more perhaps; the clock sweeps.
    """
    be_notified(scene)
    for _ in range(MOST_ROUNDS):
        deliver_all()
        if fresh_row(scene.group).status not in (states.PENDING_PAYMENT, states.EXPIRING):
            return
        order_group_expire(group_id=scene.group.id, actor=TESTER)
    raise AssertionError(f"the group stays {fresh_row(scene.group).status}")


def troubles(scene: Scene) -> list[str]:
    """What is wrong with the group, once it is settled: its money, its goods, its events."""
    found = []
    live = list(scene.group.orders.exclude(status=states.CANCELLED))
    refunds = Refund.objects.filter(payment__reference=scene.group.id)
    by_hand = refunds.filter(request_key__startswith=BY_HAND, reference__in=[o.id for o in live])
    due = sum(order.total_minor for order in live) - sum(r.amount_minor for r in by_hand)
    attempts = Attempt.objects.filter(payment__reference=scene.group.id)
    kept = scene.world.till.kept_minor([attempt.channel_key for attempt in attempts])
    if kept != due:
        found.append(f"the till keeps {kept} of {due}")
    if unfinished := [r.status for r in refunds if r.status != "succeeded"]:
        found.append(f"refunds {unfinished}")
    if open_ := [a.status for a in attempts if a.is_live]:
        found.append(f"attempts {open_}")
    for line in (line for order in scene.group.orders.all() for line in order.lines.all()):
        backed = Reservation.objects.filter(reference=line.id).exclude(status="released").count()
        if backed != (line.order in live):
            found.append(f"line {line.id} of {line.order.status} order is backed {backed} times")
    errors = OutboxStream.objects.exclude(last_error="").values_list("last_error", flat=True)
    return found + list(errors)
