"""Drives the data's orders to their states: one loop that looks at all and gives each its next step.

Orders are placed strictly in the order of their file, for each must meet its SKUs at the prices of
its own rows. What the database says of an order decides its next step, so a replay that was stopped
goes on where it was.
"""

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

import httpx
from django.db import DatabaseError, connection

from core import clock
from core.errors import DomainError
from orders import states
from orders.management.replay.look import TOKENS_BEGIN, look, placed_before
from orders.management.replay.read import Order
from orders.management.replay.shop import Shop
from orders.management.replay.steps import Journey, Steps

UNDER_WAY = 200  # groups at once: enough that no process waits for work
PLACING_SECONDS = 1  # then the others have their turn
PAUSE_SECONDS = 0.2
PATIENCE_SECONDS = 120  # longer than a killed worker's task stays away


class Drive:
    """`run()` returns when every journey rests, or when nothing moves.

    `pulse` is called between two steps; what it raises ends the replay, and nothing is half done.
    """

    def __init__(self, orders: Sequence[Order], shop: Shop, *, pulse: Callable[[], None]) -> None:
        known = placed_before({customer.pk for customer in shop.customers.values()})
        self.journeys = [_journey(order, known) for order in orders]
        self._steps = Steps(shop)
        self._pulse = pulse
        self._waiting = deque(self.journeys)
        self._under_way: dict[int, Journey] = {}  # by the group's id
        self._is_expiring = False
        self._moved_at = time.monotonic()

    def run(self) -> None:
        """Leaves a `trouble` on each journey that was refused or is stuck."""
        self._until_all_rest()
        unpaid = [journey for journey in self.journeys if journey.is_left_unpaid]
        if unpaid and clock.movable() and not self._is_stuck():
            self._let_expire(unpaid)
        if self._is_stuck():
            for journey in (*self._waiting, *self._under_way.values()):
                journey.trouble = journey.hindrance or f"nothing moved for {PATIENCE_SECONDS} s"

    def counts(self) -> str:
        """How far it is, for people."""
        placed = sum(journey.group_id is not None for journey in self.journeys)
        arrived = sum(journey.has_arrived for journey in self.journeys)
        troubled = sum(bool(journey.trouble) for journey in self.journeys)
        return (
            f"{placed} of {len(self.journeys)} placed, {len(self._under_way)} under way,"
            f" {arrived} arrived, {troubled} in trouble"
        )

    def _let_expire(self, unpaid: Sequence[Journey]) -> None:
        """Moves business time past the last deadline; the shop's own sweep does the rest."""
        deadline = max(journey.seen.pay_before for journey in unpaid if journey.seen)
        clock.advance(max(deadline - clock.now(), timedelta(0)) + timedelta(seconds=1))
        self._is_expiring = True
        self._under_way = {journey.group_id: journey for journey in unpaid if journey.group_id}
        self._until_all_rest()

    def _until_all_rest(self) -> None:
        self._moved_at = time.monotonic()
        while (self._waiting or self._under_way) and not self._is_stuck():
            has_moved = self._place_some()
            if self._step_all() or has_moved:
                self._moved_at = time.monotonic()
            else:
                self._pulse()
                time.sleep(PAUSE_SECONDS)

    def _is_stuck(self) -> bool:
        return time.monotonic() > self._moved_at + PATIENCE_SECONDS

    def _place_some(self) -> bool:
        """The next orders of the file, as many as may be under way; True when one was taken."""
        until = time.monotonic() + PLACING_SECONDS
        before = len(self._waiting)
        while self._waiting and len(self._under_way) < UNDER_WAY and time.monotonic() < until:
            journey = self._waiting.popleft()
            if journey.group_id is None:
                self._attempt(journey, self._steps.place)
            if journey.group_id is not None:
                self._under_way[journey.group_id] = journey
        return len(self._waiting) < before

    def _step_all(self) -> bool:
        """Looks at all that are under way, gives each its next step; True when one has moved."""
        has_moved = False
        for group_id, seen in look(self._under_way).items():
            journey = self._under_way[group_id]
            has_moved |= journey.seen != seen
            journey.seen = seen
            if not journey.has_arrived:
                self._attempt(journey, self._steps.next)
            if self._rests(journey):
                del self._under_way[group_id]
        return has_moved

    def _rests(self, journey: Journey) -> bool:
        waits = journey.is_left_unpaid and not self._is_expiring
        return bool(journey.trouble) or journey.has_arrived or waits

    def _attempt(self, journey: Journey, step: Callable[[Journey], None]) -> None:
        """A refusal sets one journey aside; whoever does not answer is asked again next round."""
        self._pulse()
        journey.is_driven = True
        try:
            step(journey)
        except DomainError as refusal:
            journey.trouble = f"{refusal} {refusal.facts or ''}".strip()
        except httpx.HTTPError as error:
            journey.hindrance = repr(error)
        except DatabaseError as error:
            if not connection.is_usable():
                raise
            journey.trouble = repr(error)


def _journey(order: Order, known: Mapping[str, tuple[int, str]]) -> Journey:
    """Goes on with the group that an earlier run placed, unless it ran out of time meanwhile."""
    token = f"{TOKENS_BEGIN}{order.id}"
    while token in known and known[token][1] == states.EXPIRED != order.target:
        token += "+"
    group_id, _status = known.get(token, (None, ""))
    return Journey(order, token, group_id)
