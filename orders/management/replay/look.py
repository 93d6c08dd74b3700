"""What the database says of the replay's groups: a constant number of queries for many of them."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.db.models import F

from core.models import OutboxStream
from delivery.models import Shipment
from orders import states
from orders.models import Order, OrderGroup
from payments.models import Attempt, Payment, Refund
from payments.states import ATTEMPT

TOKENS_BEGIN = "olist:"
AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class SeenParcel:
    """A parcel, and whether the carrier knows it."""

    id: int
    status: str
    is_booked: bool


@dataclass(frozen=True, slots=True)
class SeenOrder:
    """One merchant's order; a completed one counts as delivered, for that it was."""

    id: int
    merchant_id: int
    status: str
    parcels: tuple[SeenParcel, ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """A group, its orders and its money in minor units."""

    id: int
    customer_id: int
    status: str
    pay_before: datetime
    currency: str
    total_minor: int
    captured_minor: int
    refunded_minor: int
    is_being_paid: bool
    orders: tuple[SeenOrder, ...]

    @property
    def state(self) -> str:
        """The group's until it is paid, then what its orders have in common; `mixed` otherwise."""
        if self.status != states.PAID:
            return self.status
        common = {order.status for order in self.orders}
        return common.pop() if len(common) == 1 else "mixed"

    def has_reached(self, target: str) -> bool:
        """A cancelled group has when all its money is back."""
        is_level = self.refunded_minor == self.captured_minor
        return self.state == target and (target != states.CANCELLED or is_level)


def look(group_ids: Collection[int]) -> dict[int, Seen]:
    """These groups as they are now: six queries, the groups' own states first.

    So what is seen of a group's orders and money is never older than its state.
    """
    groups = list(
        OrderGroup.objects.filter(pk__in=group_ids).values_list(
            "pk", "customer_id", "status", "pay_before", "currency", "total_minor"
        )
    )
    orders = _orders(group_ids)
    captured, being_paid, refunded = _money(group_ids)
    return {
        group[0]: Seen(
            *group,
            captured_minor=captured[group[0]],
            refunded_minor=refunded[group[0]],
            is_being_paid=group[0] in being_paid,
            orders=tuple(orders[group[0]]),
        )
        for group in groups
    }


def _money(
    group_ids: Collection[int],
) -> tuple[defaultdict[int, int], set[int], defaultdict[int, int]]:
    """By group: what was captured, whether an attempt is under way, what is back with the buyer."""
    captured: defaultdict[int, int] = defaultdict(int)
    refunded: defaultdict[int, int] = defaultdict(int)
    payments = Payment.objects.filter(reference__in=group_ids)
    for group_id, amount_minor in payments.values_list("reference", "captured_minor"):
        captured[group_id] += amount_minor
    refunds = Refund.objects.filter(payment__reference__in=group_ids, status="succeeded")
    for group_id, amount_minor in refunds.values_list("payment__reference", "amount_minor"):
        refunded[group_id] += amount_minor
    attempts = Attempt.objects.filter(
        payment__reference__in=group_ids, status__in=(*ATTEMPT.waiting, "succeeded")
    )
    return captured, set(attempts.values_list("payment__reference", flat=True)), refunded


def _orders(group_ids: Collection[int]) -> defaultdict[int, list[SeenOrder]]:
    rows = list(
        Order.objects.filter(group__in=group_ids)
        .order_by("pk")
        .values_list("group_id", "pk", "merchant_id", "status")
    )
    parcels: defaultdict[int, list[SeenParcel]] = defaultdict(list)
    shipped = [row[1] for row in rows if row[3] == states.SHIPPED]
    for order_id, pk, status, number in Shipment.objects.filter(reference__in=shipped).values_list(
        "reference", "pk", "status", "tracking_number"
    ):
        parcels[order_id].append(SeenParcel(pk, status, bool(number)))
    orders: defaultdict[int, list[SeenOrder]] = defaultdict(list)
    for group_id, pk, merchant_id, status in rows:
        was = states.DELIVERED if status == states.COMPLETED else status
        orders[group_id].append(SeenOrder(pk, merchant_id, was, tuple(parcels[pk])))
    return orders


def placed_before(customer_ids: Collection[int]) -> dict[str, tuple[int, str]]:
    """Id and status of every group that a replay has placed for these customers, by its token."""
    groups = OrderGroup.objects.filter(
        customer__in=customer_ids, checkout_token__startswith=TOKENS_BEGIN
    )
    return {
        token: (pk, status)
        for token, pk, status in groups.values_list("checkout_token", "pk", "status")
    }


def undelivered_events() -> int:
    """How many events the outbox still has to deliver."""
    waiting = OutboxStream.objects.filter(last_seq__gt=F("delivered_seq"), parked=False)
    return sum(last - done for last, done in waiting.values_list("last_seq", "delivered_seq"))


def parked_streams() -> list[str]:
    """Streams that were given up, and why."""
    parked = OutboxStream.objects.filter(parked=True).order_by("pk")
    return [f"{stream}: {stream.last_error}" for stream in parked]
