"""Celery's edges of the story: the clocks. Each names one service."""

from celery import shared_task

from core.sweep import vital
from orders.services import complete, expire, fulfil


@shared_task
def expire_due_groups() -> None:
    """Every 5 seconds: unpaid groups past their deadline."""
    expire.expire_due()


vital(expire.expire_due, every_seconds=5.0)


@shared_task
def deliver_due_orders() -> None:
    """Every minute: shipped orders that no scan has delivered."""
    fulfil.deliver_due()


@shared_task
def complete_due_orders() -> None:
    """Every minute: delivered orders whose return window is over."""
    complete.complete_due()
