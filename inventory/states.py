"""The machine of a reservation. It emits no events: the stock movements tell what happened."""

from datetime import timedelta

from accounts.actors import Role
from core.states import Edge, Machine, State

PARTIES = (Role.BUYER, Role.MERCHANT, Role.STAFF, Role.SYSTEM)
SELLERS = (Role.MERCHANT, Role.STAFF, Role.SYSTEM)

RESERVATION = Machine(
    noun="reservation",
    states=(
        # Both as long as the order that they are for may wait.
        State("held", "the units wait for the payment", Role.SYSTEM, timedelta(days=14)),
        State(
            "committed",
            "the units are sold and wait to be shipped",
            Role.MERCHANT,
            timedelta(days=16),
        ),
        State("shipped", "all units have left"),
        State("released", "the units that had not left are for sale again"),
    ),
    births=(Edge("hold", (), "held", roles=PARTIES),),
    edges=(
        Edge("commit", ("held",), "committed", roles=(Role.SYSTEM,)),
        Edge("ship", ("committed",), "shipped", roles=SELLERS),
        Edge("release", ("held", "committed"), "released", roles=PARTIES),
    ),
)
