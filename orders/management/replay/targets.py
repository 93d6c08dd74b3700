"""What the data's words for the state of an order mean here."""

from orders import states

# Each status of the data, and the state that its orders are driven to.
TARGETS = {
    "created": states.EXPIRED,
    "approved": states.PAID,
    "processing": states.ACKNOWLEDGED,
    "invoiced": states.PACKING,
    "shipped": states.SHIPPED,
    "delivered": states.DELIVERED,
    "canceled": states.CANCELLED,
    "unavailable": states.CANCELLED,
}
# The way of an order that nobody calls off.
FORWARD = states.ORDER.in_chapter("paid", "preparing", "shipped", "delivered")


def way_to(target: str) -> tuple[str, ...]:
    """The states of a paid order from the first to that one; none to a state off that way."""
    return FORWARD[: FORWARD.index(target) + 1] if target in FORWARD else ()
