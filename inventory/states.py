"""The machine of a reservation. It emits no events: the stock movements tell what happened."""

from accounts.actors import Role
from core.states import Edge, Machine, State

PARTIES = (Role.BUYER, Role.MERCHANT, Role.STAFF, Role.SYSTEM)
SELLERS = (Role.MERCHANT, Role.STAFF, Role.SYSTEM)

RESERVATION = Machine(
    noun="reservation",
    states=(
        State("held", "The units wait for the payment.", driver="system"),
        State("committed", "The units are sold and wait to be shipped.", driver="merchant"),
        State("shipped", "All units have left."),
        State("released", "The units that had not left are for sale again."),
    ),
    births=(Edge("hold", (), "held", roles=PARTIES),),
    edges=(
        Edge("commit", ("held",), "committed", roles=(Role.SYSTEM,)),
        Edge("ship", ("committed",), "shipped", roles=SELLERS),
        Edge("release", ("held", "committed"), "released", roles=PARTIES),
    ),
)
