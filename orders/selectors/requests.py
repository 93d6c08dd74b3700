"""Reads of what buyers have asked for."""

from django.utils.translation import gettext_lazy as _

from core.errors import Conflict
from orders import states
from orders.models import CancelRequest, Order


def open_request(order: Order) -> CancelRequest | None:
    """The request to cancel that waits for its answer; there is at most one."""
    return CancelRequest.objects.filter(
        order=order, shard_key=order.shard_key, status=states.REQUESTED
    ).first()


def open_request_id(order: Order) -> int:
    """Its id. Raises Conflict `cancel.none_requested`."""
    found = open_request(order)
    if found is None:
        raise Conflict(
            "cancel.none_requested",
            _("Nobody waits for an answer about cancelling this order."),
            id=str(order.id),
        )
    return found.id
