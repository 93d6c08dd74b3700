"""Shoppers who pay within two seconds of their deadline, before or after it, one after the other."""

import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Event, Thread

import httpx
from django.conf import settings
from django.db import connection

from accounts.models import Customer
from catalog.models import Sku
from core import clock
from core.errors import Conflict
from core.models import BusinessClock
from inventory.selectors import available
from orders import states
from orders.models import OrderGroup
from orders.services.pay import payment_start
from orders.services.place import order_group_place
from payments.models import Attempt
from tests.factories.story import BUYER, fill_cart, make_checkout, make_stocked_sku, place
from tests.faults.shop import RunningShop

WINDOW_SECONDS = 2.0
LEAD_SECONDS = 3.0  # from the clock's leap to the first deadline
HANDS = 4
RIVALS_LOOK_EVERY_SECONDS = 0.1
PATIENCE_SECONDS = 60  # of a shopper whose channel does not answer
# What shoppers do: money that comes even after its close; a button of the channel's page, which is
# gone after it; the first once the group has expired; nothing at all.
RELEASE, PRESS, LATER, GO_AWAY = "release", "press", "later", "go away"
WAYS = (RELEASE, RELEASE, RELEASE, PRESS, LATER, RELEASE, PRESS, RELEASE, RELEASE, GO_AWAY)
AT_THE_DEADLINE = (RELEASE, PRESS)
TOKENS = {RELEASE: "tok_late_45m", LATER: "tok_late_45m", PRESS: ""}


@dataclass(frozen=True, slots=True)
class Shopper:
    """One who has placed a group, how they will pay it, and when by business time."""

    group_id: int
    pay_before: datetime
    way: str
    at: datetime
    attempt_id: int | None = None


class Rush:
    """The shoppers, placed so that their deadlines follow each other evenly, and what they do."""

    def __init__(
        self, shop: RunningShop, *, groups: int, per_second: int, seed: str, mails: bool = True
    ) -> None:
        self._shop = shop
        self._mails = mails
        self._per_second = per_second
        self._choose = random.Random(seed)
        self._http = httpx.Client(timeout=10, trust_env=False)
        self.failures: list[BaseException] = []
        self._clock_was_set: list[tuple[datetime, timedelta]] = []
        self._scarce = make_stocked_sku(units=(groups + 3) // 4)
        self.shoppers = [self._shopper(group, n) for n, group in enumerate(self._place(groups))]
        self._note_clock()

    def _place(self, groups: int) -> Iterator[OrderGroup]:
        """Every fourth group takes of the last units of a SKU that others want, too."""
        plenty = [make_stocked_sku(units=groups) for _ in range(5)]
        baskets = [
            fill_cart(
                [(self._scarce, 1)] if n % 4 == 0 else [(sku, 1) for sku in self._pick(plenty)]
            )
            for n in range(groups)
        ]
        if not self._mails:
            Customer.objects.update(accepts_mail=False)
        began_at = clock.now()
        for n, basket in enumerate(baskets):
            ahead = began_at + timedelta(seconds=n / self._per_second) - clock.now()
            clock.advance(max(ahead, timedelta(0)))
            self._shop.tend()
            yield order_group_place(
                cart_id=basket.cart_id, checkout=make_checkout(basket), actor=BUYER
            )

    def _pick(self, skus: list[Sku]) -> list[Sku]:
        return self._choose.sample(skus, self._choose.choice((1, 1, 2)))

    def _shopper(self, group: OrderGroup, number: int) -> Shopper:
        way = WAYS[number % len(WAYS)]
        off = timedelta(seconds=self._choose.uniform(-WINDOW_SECONDS, WINDOW_SECONDS))
        return Shopper(group.pk, group.pay_before, way, group.pay_before + off)

    def start_attempts(self) -> None:
        """All are sent to pay while there is time, and the channel knows of every attempt."""
        self.shoppers = [self._started(shopper) for shopper in self.shoppers]
        self._shop.until_none(Attempt.objects.filter(status="created").count)

    def _started(self, shopper: Shopper) -> Shopper:
        if shopper.way == GO_AWAY:
            return shopper
        self._shop.tend()
        attempt = payment_start(
            group_id=shopper.group_id,
            channel="sandbox",
            token=TOKENS[shopper.way],
            return_url="http://shop.invalid/return",
            actor=BUYER,
        )
        return Shopper(
            shopper.group_id, shopper.pay_before, shopper.way, shopper.at, attempt_id=attempt.pk
        )

    def run(self, strike: Callable[[], bool] = lambda: True) -> None:
        """Business time leaps to just before the first deadline, and all act at their moments.

        In the middle of it the strike falls: it is tried until it answers True.
        """
        first = min(shopper.pay_before for shopper in self.shoppers)
        leap = first - timedelta(seconds=LEAD_SECONDS) - clock.now()
        assert leap > timedelta(0), "it took so long to prepare that deadlines have passed"
        clock.advance(leap)
        self._note_clock()
        middle = self.machine_time(self.shoppers[len(self.shoppers) // 2].pay_before)
        is_over = Event()
        crowd = Thread(target=self._act, name="crowd")
        rivals = Thread(target=self._snatch, args=(is_over,), name="rivals")
        crowd.start()
        rivals.start()
        has_struck = False
        try:
            while crowd.is_alive() or not has_struck:
                self._shop.tend()
                has_struck = has_struck or (time.time() >= middle and strike())
                time.sleep(0.05)
            self._pay_later()
        finally:
            crowd.join()
            is_over.set()
            rivals.join()
            self._http.close()

    def _note_clock(self) -> None:
        self._clock_was_set.append((clock.now(), BusinessClock.objects.get(pk=1).offset))

    def machine_time(self, moment: datetime) -> float:
        """When that was or will be by this machine's clock; for business times since the placing."""
        offsets = [offset for since, offset in self._clock_was_set if since <= moment]
        return (moment - offsets[-1]).timestamp()

    def _act(self) -> None:
        """Each at the moment that was drawn, whoever else is still waiting for an answer."""
        punctual = [shopper for shopper in self.shoppers if shopper.way in AT_THE_DEADLINE]
        acting = sorted(punctual, key=lambda shopper: shopper.at)
        moments = [(self.machine_time(shopper.at), shopper) for shopper in acting]
        connection.close()
        acts: list[Future[None]] = []
        with ThreadPoolExecutor(HANDS) as hands:
            for moment, shopper in moments:
                time.sleep(max(0.0, moment - time.time()))
                acts.append(hands.submit(self._pay, shopper))
        self.failures = [error for act in acts if (error := act.exception())]

    def _pay_later(self) -> None:
        """Once their groups have expired, and others have what of them was scarce."""
        late = [shopper for shopper in self.shoppers if shopper.way == LATER]
        waiting = OrderGroup.objects.filter(pk__in=[shopper.group_id for shopper in late])
        self._shop.until_none(waiting.exclude(status=states.EXPIRED).count)
        self._shop.until(lambda: not self._scarce_units())
        for shopper in late:
            self._pay(shopper)

    def _pay(self, shopper: Shopper) -> None:
        """Tries again where the channel does not answer: twice is once there."""
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return self._pay_once(shopper)
            except httpx.TransportError:
                assert time.monotonic() < give_up_at, "the channel does not answer"
                time.sleep(0.2)

    def _pay_once(self, shopper: Shopper) -> None:
        url, key = settings.SANDBOX_PAYMENT_URL, str(shopper.attempt_id)
        if shopper.way != PRESS:
            self._http.post(f"{url}/control/release", json={"key": key}).raise_for_status()
        else:
            ref = self._http.get(f"{url}/payments/{key}").raise_for_status().json()["ref"]
            answer = self._http.post(f"{url}/pay/{ref}", data={"button": "pay"})
            assert answer.status_code in (303, 409), answer.text

    def _snatch(self, is_over: Event) -> None:
        """Others take every unit of the scarce SKU as soon as it is given back."""
        try:
            while not is_over.wait(RIVALS_LOOK_EVERY_SECONDS):
                if self._scarce_units():
                    with suppress(Conflict):  # who was late has it again, before us
                        place([(self._scarce, 1)])
        finally:
            connection.close()

    def _scarce_units(self) -> int:
        return available([self._scarce.pk])[self._scarce.pk]


def utc(stamp: str) -> datetime:
    """The moment of a sandbox's stamp."""
    return datetime.fromisoformat(stamp).astimezone(UTC)
