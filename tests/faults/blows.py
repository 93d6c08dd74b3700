"""Drives made-up orders through a running shop while something hits it, and judges what is left."""

import random
from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from pathlib import Path

from core import audit
from core.models import StateChange
from delivery.models import Shipment
from orders import states
from orders.management.replay.drive import Drive
from orders.management.replay.look import undelivered_events
from orders.management.replay.read import read
from orders.management.replay.shop import set_up
from orders.management.replay.steps import Journey
from orders.models import Order
from payments.models import Attempt, ChannelFact, Refund
from tests.faults.market import write_market
from tests.faults.shop import RunningShop, is_at_rest, read_book

# An order takes ten steps at least, four of them in being placed.
EARLIEST_STEPS, LATEST_STEPS = 4, 9
ORDERS = 20
KINDS = {"captured": "capture", "refund_succeeded": "refund"}


class Blows:
    """Strikes one after the other, at moments of the drive's progress that the seed has drawn.

    One that answers False could not be done yet, and is tried again.
    """

    def __init__(self, strikes: Sequence[Callable[[], bool]], *, orders: int, seed: str) -> None:
        whole = range(EARLIEST_STEPS * orders, LATEST_STEPS * orders)
        moments = sorted(random.Random(seed).sample(whole, len(strikes)))
        self._due = deque(zip(moments, strikes, strict=True))
        self._began_at = steps_taken()

    def is_due(self) -> bool:
        """True once the drive has come to the next one's moment."""
        return bool(self._due) and steps_taken() - self._began_at >= self._due[0][0]

    def strike(self) -> None:
        """The next one, if events are on their way."""
        if undelivered_events() and self._due[0][1]():
            self._due.popleft()

    @property
    def are_over(self) -> bool:
        return not self._due


def steps_taken() -> int:
    return StateChange.objects.count()


def drive_through(
    shop: RunningShop, strike: Callable[[], bool], *, name: str, hits: Sequence[str]
) -> None:
    """Orders from cart to their states, with two strikes on the way; then all must be well.

    Before each the orders wait until the processes that it `hits` are at work.
    """
    data = read(write_market(shop.folder / name, name=name, orders=ORDERS))
    prepared = set_up(data, data.orders, pulse=shop.tend)
    blows = Blows([strike] * 2, orders=ORDERS, seed=name)

    def pulse() -> None:
        shop.tend()
        if blows.is_due():
            shop.until(lambda: all(shop.works(process) for process in hits))
            blows.strike()

    drive = Drive(data.orders, prepared, pulse=pulse)
    drive.run()
    drive._steps._carrier.close()
    assert_arrived(drive.journeys, shop)
    assert blows.are_over
    shop.until(lambda: is_at_rest(shop.folder))
    assert_all_is_well(shop.folder)


def assert_arrived(journeys: Sequence[Journey], shop: RunningShop) -> None:
    """Fails with what stands still, for such a stop can hardly be provoked again."""
    late = [journey for journey in journeys if journey.trouble or not journey.has_arrived]
    found = [f"{journey.order.status}, {journey.trouble}: {journey.seen}" for journey in late]
    assert not late, "\n".join([*found, *shop.diagnosis()])


def assert_all_is_well(folder: Path) -> None:
    """Nothing lost and nothing twice: our books hold, and the sandboxes' books say the same."""
    assert audit.run(final=True) == []
    assert one_each(Attempt.objects.values_list("payment_id", flat=True))
    assert one_each(Refund.objects.values_list("reference", flat=True))
    assert one_each(Shipment.objects.values_list("reference", flat=True))
    called_off = Order.objects.filter(status=states.CANCELLED, group__status=states.PAID)
    assert set(Refund.objects.values_list("reference", flat=True)) == {o.pk for o in called_off}
    assert money_here() == money_there(folder)
    assert parcels_here() == parcels_there(folder)


def one_each(things: Iterable[Hashable]) -> bool:
    return set(Counter(things).values()) <= {1}


def money_here() -> list[tuple[str, str, int]]:
    facts = ChannelFact.objects.filter(kind__in=KINDS)
    return sorted(
        (KINDS[kind], ref, amount_minor)
        for kind, ref, amount_minor in facts.values_list("kind", "channel_ref", "amount_minor")
    )


def money_there(folder: Path) -> list[tuple[str, str, int]]:
    return sorted(
        read_book(folder, "payment-sandbox", "SELECT kind, ref, amount_minor FROM movement")
    )


def parcels_here() -> list[tuple[str, str]]:
    numbers = Shipment.objects.values_list("pk", "tracking_number")
    return sorted((str(pk), number) for pk, number in numbers)


def parcels_there(folder: Path) -> list[tuple[str, str]]:
    return sorted(read_book(folder, "carrier-sandbox", "SELECT key, tracking_number FROM parcel"))
