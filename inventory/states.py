"""The machine of a reservation. It emits no events: the stock movements tell what happened."""

from core.states import Edge, Machine, State

RESERVATION = Machine(
    noun="reservation",
    states=(
        State("held", "The units wait for the payment.", driver="system"),
        State("committed", "The units are sold and wait to be shipped.", driver="merchant"),
        State("shipped", "All units have left."),
        State("released", "The units that had not left are for sale again."),
    ),
    births=(Edge("hold", (), "held"),),
    edges=(
        Edge("commit", ("held",), "committed"),
        Edge("ship", ("committed",), "shipped"),
        Edge("release", ("held", "committed"), "released"),
    ),
)
