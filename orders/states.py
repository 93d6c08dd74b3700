"""The machines of the story: group, order, cancel request, return. Each whole table on one screen."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from accounts.actors import Role
from core.states import STAYS, Edge, Guard, Machine, State

PENDING_PAYMENT = "pending_payment"
EXPIRING = "expiring"
PAID = "paid"
EXPIRED = "expired"
CANCELLED = "cancelled"
ACKNOWLEDGED = "acknowledged"
PACKING = "packing"
SHIPPED = "shipped"
DELIVERED = "delivered"
COMPLETED = "completed"
REQUESTED = "requested"

# Why the system calls off what nobody wished to be: events carry it as their `cause`.
LAPSED, REFUSED = "authorisation lapsed", "refused at the door"

# What a merchant has to see to.
TO_DO = (PAID, ACKNOWLEDGED, PACKING)

BUYER, MERCHANT, STAFF = Role.BUYER, Role.MERCHANT, Role.STAFF
CARRIER, SYSTEM = Role.CARRIER, Role.SYSTEM
SELLERS = (MERCHANT, STAFF)

# As long as the slowest way to pay may take.
LONGEST_TO_PAY = timedelta(days=14)
# A shopper may ask for more time within the last five minutes (WCAG 2.2.1, see `extend`).
EXTENDABLE_WITHIN = timedelta(minutes=5)


def _live_in(orders: Sequence[Any], states: tuple[str, ...]) -> bool:
    """True where an order lives and all that do are in these states with every unit at home."""
    live = [order for order in orders if order.status != CANCELLED]
    return bool(live) and all(
        order.status in states and order.first_left_at is None for order in live
    )


IN_TIME = Guard("before the deadline to pay", lambda row, at, parts: at < row.pay_before)
OVERDUE = Guard("from the deadline to pay on", lambda row, at, parts: at >= row.pay_before)
NEARLY_DUE = Guard(
    "within five minutes before the deadline, ten times at most, never in a flash sale",
    lambda row, at, parts: (
        row.extensions_left > 0 and row.pay_before - EXTENDABLE_WITHIN <= at < row.pay_before
    ),
)
NONE_PACKED = Guard(
    "while no live order has gone further",
    lambda row, at, parts: _live_in(parts, (PAID, ACKNOWLEDGED)),
)
NONE_LEFT = Guard(
    "while of no live order a unit has left",
    lambda row, at, parts: _live_in(parts, (PAID, ACKNOWLEDGED, PACKING)),
)
NOTHING_LEFT = Guard("while no unit has left", lambda row, at, parts: row.first_left_at is None)
NO_REQUEST = Guard(
    "while no cancellation is asked for", lambda row, at, parts: row.cancel_requested_until is None
)
REQUEST_OPEN = Guard(
    "while a cancellation is asked for",
    lambda row, at, parts: row.cancel_requested_until is not None,
)
WINDOW_OVER = Guard("once the return window is over", lambda row, at, parts: at >= row.return_until)


GROUP = Machine(
    noun="order_group",
    states=(
        State(PENDING_PAYMENT, "placed, stock is held, waits for the money", BUYER, LONGEST_TO_PAY),
        State(
            EXPIRING,
            "out of time, the channel is asked to close",
            SYSTEM,
            timedelta(minutes=10),
        ),
        State(PAID, "the money is secured; its orders live on"),
        State(EXPIRED, "not paid in time; nothing is held", chapter="ended"),
        State(CANCELLED, "called off before it was paid; nothing is held", chapter="ended"),
    ),
    births=(Edge("place", (), PENDING_PAYMENT, "placed", (BUYER, STAFF, SYSTEM)),),
    edges=(
        # Money beats the clock.
        Edge("pay", (PENDING_PAYMENT, EXPIRING), PAID, "paid", (SYSTEM,)),
        Edge("extend", (PENDING_PAYMENT,), STAYS, "extended", (BUYER, STAFF), NEARLY_DUE),
        Edge("prolong", (PENDING_PAYMENT,), STAYS, "prolonged", (SYSTEM,), IN_TIME),
        Edge(
            "start_expiring", (PENDING_PAYMENT,), EXPIRING, "expiring_started", (SYSTEM,), OVERDUE
        ),
        Edge("expire", (PENDING_PAYMENT, EXPIRING), EXPIRED, "expired", (SYSTEM,), OVERDUE),
        # The system's, where a merchant calls off the last of its orders.
        Edge("cancel", (PENDING_PAYMENT,), CANCELLED, "cancelled", (BUYER, STAFF, SYSTEM), IN_TIME),
        Edge("reinstate", (EXPIRED,), PAID, "reinstated", (SYSTEM,)),
        # Fields that no step of its life changes: summaries, links, addresses.
        Edge("amend", (PENDING_PAYMENT, EXPIRING, PAID, EXPIRED, CANCELLED), STAYS),
    ),
    asks=(
        Edge("pay", (PENDING_PAYMENT,), STAYS, roles=(BUYER, STAFF), guard=IN_TIME),
        Edge("cancel", (PAID,), STAYS, roles=(BUYER,), guard=NONE_PACKED),
        Edge("cancel", (PAID,), STAYS, roles=(STAFF,), guard=NONE_LEFT),
    ),
)

ORDER = Machine(
    noun="order",
    states=(
        State(PENDING_PAYMENT, "waits for the group's money", BUYER, LONGEST_TO_PAY, "placed"),
        State(PAID, "new to the merchant", MERCHANT, timedelta(days=2), "paid"),
        State(ACKNOWLEDGED, "accepted by the merchant", MERCHANT, timedelta(days=7), "preparing"),
        State(PACKING, "being packed", MERCHANT, timedelta(days=7), "preparing"),
        State(SHIPPED, "the last unit has left", CARRIER, timedelta(days=30), "shipped"),
        State(
            DELIVERED,
            "with the buyer, the return window is open",
            SYSTEM,
            timedelta(days=30),
            "delivered",
        ),
        State(
            COMPLETED, "the return window is over, the merchant has earned it", chapter="delivered"
        ),
        State(CANCELLED, "called off; what was paid goes back"),
    ),
    births=(Edge("place", (), PENDING_PAYMENT, "placed", (BUYER, STAFF, SYSTEM)),),
    edges=(
        Edge("pay", (PENDING_PAYMENT,), PAID, "paid", (SYSTEM,)),
        Edge("acknowledge", (PAID,), ACKNOWLEDGED, "acknowledged", SELLERS),
        Edge("start_packing", (ACKNOWLEDGED,), PACKING, "packing_started", SELLERS),
        Edge("ship", (PACKING,), SHIPPED, "shipped", (*SELLERS, SYSTEM), NO_REQUEST),
        # Some units have left and some have not. The parcel's own event tells of it.
        Edge("ship_part", (PACKING,), STAYS),
        Edge("deliver", (SHIPPED,), DELIVERED, "delivered", (BUYER, STAFF, CARRIER, SYSTEM)),
        Edge("complete", (DELIVERED,), COMPLETED, "completed", (SYSTEM,), WINDOW_OVER),
        Edge(
            "cancel",
            (PENDING_PAYMENT, PAID, ACKNOWLEDGED),
            CANCELLED,
            "cancelled",
            (BUYER, *SELLERS, SYSTEM),
            NOTHING_LEFT,
        ),
        # From packing on it is the merchant's to say, or the clock's that they let pass.
        Edge("cancel", (PACKING,), CANCELLED, "cancelled", (*SELLERS, SYSTEM), NOTHING_LEFT),
        # All its parcels came back before anybody paid for it.
        Edge("come_back", (SHIPPED,), STAYS, "", (SYSTEM,)),
        Edge("cancel", (SHIPPED,), CANCELLED, "cancelled", (SYSTEM,), NOTHING_LEFT),
        # Some units are called off, others stay.
        Edge(
            "reduce",
            (PENDING_PAYMENT, PAID, ACKNOWLEDGED),
            STAYS,
            "reduced",
            (BUYER, *SELLERS, SYSTEM),
        ),
        Edge("reduce", (PACKING,), STAYS, "reduced", (*SELLERS, SYSTEM)),
        Edge("request_cancel", (PACKING,), STAYS, "", (BUYER, STAFF), NO_REQUEST),
        Edge("settle_request", (PACKING, CANCELLED, SHIPPED), STAYS, "", (), REQUEST_OPEN),
        Edge("reinstate", (CANCELLED,), PAID, "reinstated", (SYSTEM,)),
        # Fields that no step of its life changes.
        Edge(
            "amend",
            (
                PENDING_PAYMENT,
                PAID,
                ACKNOWLEDGED,
                PACKING,
                SHIPPED,
                DELIVERED,
                COMPLETED,
                CANCELLED,
            ),
            STAYS,
        ),
    ),
    asks=(
        Edge(
            "refund",
            (PAID, ACKNOWLEDGED, PACKING, SHIPPED, DELIVERED, COMPLETED),
            STAYS,
            roles=SELLERS,
        ),
        Edge("approve_cancel", (PACKING,), STAYS, roles=SELLERS, guard=REQUEST_OPEN),
        Edge("decline_cancel", (PACKING,), STAYS, roles=SELLERS, guard=REQUEST_OPEN),
        Edge("withdraw_cancel", (PACKING,), STAYS, roles=(BUYER, STAFF), guard=REQUEST_OPEN),
    ),
)

CANCEL_REQUEST = Machine(
    noun="cancel_request",
    states=(
        State(
            REQUESTED,
            "the buyer asks, the merchant has until the deadline to answer",
            MERCHANT,
            timedelta(days=7),
        ),
        State("approved", "what was asked for is called off"),
        State("declined", "the order goes on"),
        State("withdrawn", "the buyer wants the goods after all"),
    ),
    births=(Edge("request", (), REQUESTED, "requested", (BUYER, STAFF)),),
    edges=(
        # The clock approves what nobody has answered in time.
        Edge("approve", (REQUESTED,), "approved", "approved", (*SELLERS, SYSTEM)),
        Edge("decline", (REQUESTED,), "declined", "declined", SELLERS),
        Edge("withdraw", (REQUESTED,), "withdrawn", "withdrawn", (BUYER, STAFF, SYSTEM)),
    ),
)

RETURN = Machine(
    noun="return",
    states=(
        State(REQUESTED, "the buyer wants to send goods back", MERCHANT, timedelta(days=7)),
        State("approved", "the buyer may send them", BUYER, timedelta(days=30)),
        State("in_transit", "on their way back", CARRIER, timedelta(days=30)),
        State("received", "with the merchant, not looked at yet", MERCHANT, timedelta(days=14)),
        State("inspected", "the merchant has said what it is worth", SYSTEM, timedelta(days=1)),
        State("closed", "refunded as inspected, or sent back"),
        State("declined", "not taken back"),
        State("withdrawn", "the buyer keeps them"),
    ),
    births=(Edge("request", (), REQUESTED, "requested", (BUYER, *SELLERS)),),
    edges=(
        Edge("approve", (REQUESTED,), "approved", "approved", (*SELLERS, SYSTEM)),
        Edge("decline", (REQUESTED,), "declined", "declined", SELLERS),
        Edge("withdraw", (REQUESTED, "approved"), "withdrawn", "withdrawn", (BUYER, SYSTEM)),
        Edge("send", ("approved",), "in_transit", "sent", (BUYER, CARRIER)),
        Edge("receive", ("approved", "in_transit"), "received", "received", (*SELLERS, CARRIER)),
        Edge("inspect", ("received",), "inspected", "inspected", SELLERS),
        Edge("close", ("inspected",), "closed", "closed", (*SELLERS, SYSTEM)),
    ),
)
