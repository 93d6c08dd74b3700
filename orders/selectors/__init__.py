"""Reads of the story. Nothing here writes or locks."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Exists, F, OuterRef

from accounts.models import Customer
from core import clock
from orders import states
from orders.models import CancelRequest, Order, OrderGroup, OrderLine
from payments.models import ChargebackShare, PaymentShare


def overdue(group: OrderGroup, moment: datetime) -> bool:
    """True from the deadline on, never before it."""
    return moment >= group.pay_before


def line_ids(orders: Iterable[Order]) -> list[int]:
    """Ids of all lines of these orders, in order."""
    return list(
        OrderLine.objects.filter(order__in=list(orders)).order_by("id").values_list("id", flat=True)
    )


def open_lines(orders: Iterable[Order]) -> list[OrderLine]:
    """The lines of these orders of which units are still to leave, in order."""
    rows = OrderLine.objects.filter(order__in=list(orders)).order_by("id")
    return [line for line in rows if line.open_quantity]


def due_request_ids(*, most: int) -> list[int]:
    """Requests to cancel that should have been answered by now, the longest overdue first."""
    due = CancelRequest.objects.filter(status=states.REQUESTED, deadline__lte=clock.now())
    return list(due.order_by("deadline", "id").values_list("id", flat=True)[:most])


def completable_order_ids(*, most: int) -> list[int]:
    """Delivered orders whose return window is over, whose money is here and nobody disputes it."""
    own = {"order_id": OuterRef("pk"), "shard_key": OuterRef("shard_key")}
    untaken = PaymentShare.objects.filter(
        **own, authorised_minor__gt=F("captured_minor") + F("voided_minor")
    )
    disputed = ChargebackShare.objects.filter(**own, chargeback__status="opened")
    due = Order.objects.filter(
        ~Exists(untaken), ~Exists(disputed), status=states.DELIVERED, return_until__lte=clock.now()
    )
    return list(due.order_by("return_until", "id").values_list("id", flat=True)[:most])


def undelivered_order_ids(*, most: int) -> list[int]:
    """Shipped orders that were never scanned as delivered, and are old enough for the clock."""
    before = clock.now() - timedelta(days=settings.DELIVERED_BY_CLOCK_AFTER_DAYS)
    due = Order.objects.filter(status=states.SHIPPED, status_changed_at__lte=before)
    return list(due.order_by("status_changed_at", "id").values_list("id", flat=True)[:most])


def groups_of_customer(
    *, customer: Customer, before: int | None = None, most: int
) -> list[OrderGroup]:
    """The customer's groups, the newest first, those older than the one with the id `before`."""
    rows = OrderGroup.objects.filter(customer=customer, shard_key=customer.shard_key)
    if before is not None:
        rows = rows.filter(pk__lt=before)
    return list(rows.order_by("-pk")[:most])


def group_of_customer(*, customer: Customer, number: str) -> OrderGroup | None:
    """The customer's group of that number; None where it is nobody's or somebody else's."""
    rows = OrderGroup.objects.filter(customer=customer, shard_key=customer.shard_key)
    return rows.filter(number=number).first()
