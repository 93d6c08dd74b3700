"""The machine of a shipment, and what a carrier's scan says about it."""

from datetime import timedelta

from accounts.actors import Role
from core.states import Edge, Machine, State

SELLERS = (Role.MERCHANT, Role.STAFF, Role.SYSTEM)
# What a carrier has said, or somebody who knows.
SAID = (Role.CARRIER, Role.MERCHANT, Role.STAFF, Role.SYSTEM)

SHIPMENT = Machine(
    noun="shipment",
    states=(
        State(
            "prepared",
            "packed, waits to be handed over",
            Role.MERCHANT,
            timedelta(days=7),
            "not_left",
        ),
        # No longest age: a carrier without scans tells nothing more, and the order's clock goes on.
        State("handed_over", "the carrier has it", Role.CARRIER, chapter="on_its_way"),
        State("in_transit", "on its way", Role.CARRIER, chapter="on_its_way"),
        State("delivered", "the recipient has it"),
        State("void", "given up before it was handed over", chapter="not_left"),
        State("lost", "the carrier can't find it"),
        State("returned", "back at the sender"),
    ),
    births=(Edge("prepare", (), "prepared", "prepared", SELLERS),),
    edges=(
        Edge("hand_over", ("prepared",), "handed_over", "handed_over", SELLERS),
        Edge("move", ("handed_over",), "in_transit", "moved", SAID),
        # A lost parcel may turn up; one that was brought to the door may be refused there.
        Edge("deliver", ("handed_over", "in_transit", "lost"), "delivered", "delivered", SAID),
        Edge("void", ("prepared",), "void", "voided", (Role.BUYER, *SELLERS)),
        Edge("lose", ("handed_over", "in_transit"), "lost", "lost", SAID),
        Edge(
            "return",
            ("handed_over", "in_transit", "lost", "delivered"),
            "returned",
            "returned",
            SAID,
        ),
    ),
)

# A scan of a code proves that the parcel has come at least this far. Whatever order the scans
# arrive in, the furthest of them decides; each verb leads from every earlier state to its own.
SCAN_VERBS = {
    "handed_over": "",
    "in_transit": "move",
    "out_for_delivery": "move",
    "exception": "move",
    "refused": "move",  # at the door: it goes back to its sender
    "lost": "lose",
    "delivered": "deliver",
    "returned": "return",
}
FURTHEST_LAST = ("move", "lose", "deliver", "return")
