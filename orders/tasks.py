"""Celery's edges of the story: the clocks. Each names one service."""

from celery import shared_task

from orders.services import complete, expire, fulfil, request


@shared_task
def expire_due_groups() -> None:
    """Every 5 seconds: unpaid groups past their deadline."""
    expire.expire_due()


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
