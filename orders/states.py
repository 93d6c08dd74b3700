"""The machines of the order group and of the order: the whole tables, each on one screen."""

from datetime import timedelta

from core.states import Edge, Machine, State

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

GROUP = Machine(
    noun="order_group",
    states=(
        State(PENDING_PAYMENT, "placed, stock is held, waits for the money", driver="buyer"),
        State(
            EXPIRING,
            "out of time, the channel is asked to close",
            driver="system",
            longest_age=timedelta(minutes=10),
        ),
        State(PAID, "the money is secured; its orders live on"),
        State(EXPIRED, "not paid in time; nothing is held"),
        State(CANCELLED, "called off before it was paid; nothing is held"),
    ),
    births=(Edge("place", (), PENDING_PAYMENT, "placed"),),
    edges=(
        Edge("pay", (PENDING_PAYMENT, EXPIRING), PAID, "paid"),
        Edge("start_expiring", (PENDING_PAYMENT,), EXPIRING, "expiring_started"),
        Edge("expire", (PENDING_PAYMENT, EXPIRING), EXPIRED, "expired"),
        Edge("cancel", (PENDING_PAYMENT,), CANCELLED, "cancelled"),
        Edge("reinstate", (EXPIRED,), PAID, "reinstated"),
    ),
)

ORDER = Machine(
    noun="order",
    states=(
        State(PENDING_PAYMENT, "waits for the group's money", driver="buyer"),
        State(PAID, "new to the merchant", driver="merchant", longest_age=timedelta(days=2)),
        State(
            ACKNOWLEDGED,
            "accepted by the merchant",
            driver="merchant",
            longest_age=timedelta(days=7),
        ),
        State(PACKING, "being packed", driver="merchant", longest_age=timedelta(days=7)),
        State(SHIPPED, "the last unit has left", driver="carrier", longest_age=timedelta(days=30)),
        State(
            DELIVERED,
            "with the buyer, the return window is open",
            driver="system",
            longest_age=timedelta(days=30),
        ),
        State(COMPLETED, "the return window is over, the merchant has earned it"),
        State(CANCELLED, "called off; what was paid goes back"),
    ),
    births=(Edge("place", (), PENDING_PAYMENT, "placed"),),
    edges=(
        Edge("pay", (PENDING_PAYMENT,), PAID, "paid"),
        Edge("acknowledge", (PAID,), ACKNOWLEDGED, "acknowledged"),
        Edge("start_packing", (ACKNOWLEDGED,), PACKING, "packing_started"),
        Edge("ship", (PACKING,), SHIPPED, "shipped"),
        Edge("deliver", (SHIPPED,), DELIVERED, "delivered"),
        Edge("complete", (DELIVERED,), COMPLETED, "completed"),
        Edge("cancel", (PENDING_PAYMENT, PAID, ACKNOWLEDGED, PACKING), CANCELLED, "cancelled"),
        Edge("reinstate", (CANCELLED,), PAID, "reinstated"),
    ),
)
