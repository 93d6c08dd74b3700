"""Promised money and moving goods: whoever comes between, nobody is charged for what stays at home."""

import random
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product

import pytest
from pytest_django import Settings

from core import audit
from orders import states
from orders.models import OrderGroup
from orders.services.cancel import order_cancel
from orders.services.capture import order_capture
from payments.handlers import capture_at_channel
from payments.models import Attempt, Capture, PaymentShare
from tests.concurrency.interleave import NEVER, Meeting, Stage, stage
from tests.concurrency.scenes import Scene, World, ask, deliver_all, ship, start
from tests.concurrency.threads import deadlocks
from tests.concurrency.till import NAME
from tests.factories import TESTER
from tests.factories.story import MERCHANT, deliver_events, fresh_row, pack, place

pytestmark = pytest.mark.django_db(transaction=True)

Act = Callable[[Scene], None]


@pytest.fixture(autouse=True)
def _later(settings: Settings) -> None:
    settings.PAYMENT_CAPTURE_AT = {NAME: "shipment"}


def packing(world: World) -> Scene:
    """Two orders whose money is promised; the first is being packed."""
    group = place([(sku, 2) for sku in world.goods], world.customer)
    attempt = start(group)
    world.till.pay(attempt)
    ask(world, attempt)
    deliver_events()
    scene = Scene(world, fresh_row(group), attempt)
    pack(scene.order)
    return scene


def asked(world: World) -> Scene:
    """The first has left, and the channel is about to be asked for its money."""
    scene = packing(world)
    ship(scene)
    order_capture(order_id=scene.order.id, actor=TESTER)
    return scene


def cancel(scene: Scene) -> None:
    """The order that is at home, or where both are, the one that is packed."""
    at_home = scene.group.orders.exclude(status=states.SHIPPED).order_by("id")[0]
    order_cancel(order_id=at_home.id, actor=MERCHANT, reason="race")


def hear_of_shipping(scene: Scene) -> None:
    deliver_events()


def take(scene: Scene) -> None:
    """The channel is asked, and its answer taken in."""
    capture_at_channel(Capture.objects.get(order_id=scene.order.id).id)


def lapse(scene: Scene) -> None:
    """The channel lets the promise go, and orders hear of it."""
    scene.world.till.lapse(scene.attempt)
    ask(scene.world, scene.attempt)
    deliver_events()


BEFORE: dict[str, Act] = {"ship": ship, "cancel": cancel, "lapse": lapse}
AFTER: dict[str, Act] = {
    "take": take,
    "cancel": cancel,
    "lapse": lapse,
    "hear": hear_of_shipping,
}
PAIRS = [
    *((packing, BEFORE, pair) for pair in product(BEFORE, BEFORE)),
    *((asked, AFTER, pair) for pair in product(AFTER, AFTER)),
]


def troubles(scene: Scene) -> list[str]:
    """What is wrong with the group once all is still: each order's money and the till's."""
    found, kept = [], 0
    group = OrderGroup.objects.get(pk=scene.group.id)
    lapsed = fresh_row(scene.attempt).status == "closed"
    for order in group.orders.all():
        share = PaymentShare.objects.get(order_id=order.id)
        mine = share.captured_minor - share.refunded_minor
        kept += mine
        if order.status == states.CANCELLED and (mine or share.open_minor):
            found.append(f"cancelled, and {mine} is kept, {share.open_minor} open")
        if order.status == states.SHIPPED and mine != order.payable_minor and not lapsed:
            found.append(f"shipped, and {mine} of {order.payable_minor} is here")
        if order.status in states.TO_DO and (mine or lapsed):
            found.append(f"at home, and {mine} is kept, lapsed {lapsed}")
    attempts = Attempt.objects.filter(payment__reference=group.id)
    theirs = scene.world.till.kept_minor([attempt.channel_key for attempt in attempts])
    if theirs != kept:
        found.append(f"the till keeps {theirs}, we say {kept}")
    return found


class Morning:
    """All meetings of a test, on one stage and one world."""

    def __init__(self, stage: Stage) -> None:
        self._stage, self._world = stage, World.made()

    def meet(
        self, place_of: Callable[[World], Scene], first: Act, second: Act, *, at: int
    ) -> Meeting:
        scene = place_of(self._world)
        meeting = self._stage.meet(
            partial(first, scene),
            partial(second, scene),
            at=at,
        )
        deliver_all()
        assert troubles(scene) == [], f"{second} at {meeting.pause} of {first}"
        return meeting


@pytest.fixture
def morning(transactional_db: None) -> Iterator[Morning]:
    before = deadlocks()
    with stage() as made:
        yield Morning(made)
    assert audit.run(final=True) == []
    assert deadlocks() == before


@pytest.mark.parametrize(("place_of", "acts"), [(packing, BEFORE), (asked, AFTER)])
def test_whoever_comes_between_the_books_hold(
    place_of: Callable[[World], Scene], acts: dict[str, Act], morning: Morning
) -> None:
    """One moment of each pair, the same in every run; the test below takes all of them."""
    chance = random.Random(place_of.__name__)
    for first in acts.values():
        statements = morning.meet(place_of, first, hear_of_shipping, at=NEVER).statements
        for second in acts.values():
            at = chance.randint(1, max(statements, 1))
            morning.meet(place_of, first, second, at=at)


@pytest.mark.long
@pytest.mark.parametrize(("place_of", "acts", "pair"), PAIRS)
def test_at_every_statement_the_books_hold(
    place_of: Callable[[World], Scene],
    acts: dict[str, Act],
    pair: tuple[str, str],
    morning: Morning,
) -> None:
    meeting, at = None, 0
    while meeting is None or meeting.pause:
        at += 1
        meeting = morning.meet(place_of, acts[pair[0]], acts[pair[1]], at=at)
    assert at > 1
