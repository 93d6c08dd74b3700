"""Celery's edges of the story: the clocks. Each names one service."""

import logging

from celery import shared_task

from core.sweep import vital
from orders.services import complete, expire, fulfil, request

logger = logging.getLogger(__name__)

# As services, and as the API say it.
EXPIRED = ("payment.expired", "payment-expired")


@shared_task
def expire_due_groups() -> None:
    """Every 5 seconds: unpaid groups past their deadline."""
    expire.expire_due()


vital(expire.expire_due, every_seconds=5.0)


@shared_task
def expire_group(group_id: int) -> None:
    """Somebody thinks that this group is due: early, twice or in vain does no harm."""
    expire.order_group_expire(group_id=group_id, actor=expire.EXPIRY)


def ask_for_expiry(group_id: int) -> None:
    """Has a worker look at that group. Where the broker is away, the scan will."""
    try:
        expire_group.apply_async([group_id], retry=False)
    except Exception as error:  # noqa: BLE001 each broker fails in its own way
        logger.warning("nobody was asked to expire %s: %r", group_id, error)


def ask_if_expired(code: str, group_id: int) -> None:
    """For an edge, after its transaction: a refusal of that code says that the group is overdue."""
    if code in EXPIRED:
        ask_for_expiry(group_id)


@shared_task
def deliver_due_orders() -> None:
    """Every minute: shipped orders that no scan has delivered."""
    fulfil.deliver_due()


@shared_task
def complete_due_orders() -> None:
    """Every minute: delivered orders whose return window is over."""
    complete.complete_due()


@shared_task
def approve_due_requests() -> None:
    """Every minute: requests to cancel that the merchant has not answered in time."""
    request.approve_due()
