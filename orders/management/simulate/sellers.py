"""The merchants of simulated shoppers' orders, and the carrier: each takes its time, then acts.

Orders of anybody else are left alone: whoever looks at the demo may want to ship them.
"""

import random
import time
from collections import Counter

import httpx
from django.conf import settings

from accounts.permissions import merchant_actor
from core.errors import DomainError
from delivery.models import Shipment
from orders import states
from orders.management.simulate.shoppers import DOMAIN
from orders.models import Order
from orders.services.cancel import order_cancel
from orders.services.fulfil import order_acknowledge, order_ship, order_start_packing

MOST_AT_ONCE = 200
CARRIER_TIMEOUT_SECONDS = 5
OUT_OF_STOCK = 0.03
# The next step, and after how long on average.
NEXT = {
    states.PAID: (order_acknowledge, 10.0),
    states.ACKNOWLEDGED: (order_start_packing, 15.0),
    states.PACKING: (order_ship, 20.0),
}
ON_THE_WAY_SECONDS = 30.0


class Sellers:
    """`act()` does what has become due. `patience` scales all waits; 0 waits for nothing."""

    def __init__(self, dice: random.Random, *, patience: float = 1.0) -> None:
        self.done: Counter[str] = Counter()
        self._dice, self._patience = dice, patience
        self._due: dict[tuple[int, str], float] = {}
        self._carrier = httpx.Client(
            base_url=settings.SANDBOX_CARRIER_URL, timeout=CARRIER_TIMEOUT_SECONDS, trust_env=False
        )

    def act(self) -> None:
        """One look at all orders that wait for a merchant, and at all parcels on their way."""
        waiting = Order.objects.filter(status__in=NEXT, group__email__endswith=f"@{DOMAIN}")
        for order in waiting.select_related("merchant").order_by("id")[:MOST_AT_ONCE]:
            if self._is_due(order.pk, order.status, NEXT[order.status][1]):
                self._step(order)
        self._bring()

    def _step(self, order: Order) -> None:
        owner = order.merchant.members.earliest("pk")
        actor = merchant_actor(merchant_id=order.merchant_id, user_id=owner.user_id)
        try:
            if order.status == states.PAID and self._dice.random() < OUT_OF_STOCK:
                order_cancel(order_id=order.pk, actor=actor, reason="out of stock")
                self.done["cancelled"] += 1
            else:
                self.done[NEXT[order.status][0](order_id=order.pk, actor=actor).status] += 1
        except DomainError as refusal:  # its buyer was faster
            self.done[f"refused: {refusal.code}"] += 1

    def _bring(self) -> None:
        shipped = Order.objects.filter(status=states.SHIPPED, group__email__endswith=f"@{DOMAIN}")
        order_ids = list(shipped.order_by("id").values_list("pk", flat=True)[:MOST_AT_ONCE])
        parcels = Shipment.objects.filter(
            reference__in=order_ids, status="handed_over", carrier="sandbox"
        ).exclude(tracking_number="")
        for parcel_id in parcels.values_list("pk", flat=True):
            if self._is_due(parcel_id, "handed_over", ON_THE_WAY_SECONDS):
                self._scan(parcel_id)

    def _scan(self, parcel_id: int) -> None:
        scan = {"key": str(parcel_id), "code": "delivered"}
        try:
            self._carrier.post("/control/scan", json=scan).raise_for_status()
            self.done["brought"] += 1
        except httpx.HTTPError:
            self.done["carrier away"] += 1

    def _is_due(self, row_id: int, status: str, mean_seconds: float) -> bool:
        """True once the row has been in that state for as long as the dice said at first sight."""
        now = time.monotonic()
        wait = self._dice.expovariate(1 / mean_seconds) * self._patience
        if now < self._due.setdefault((row_id, status), now + wait):
            return False
        self._due[row_id, status] = now + mean_seconds  # it is seen again before it has moved
        return True
