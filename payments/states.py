"""The machines of money: a payment, its attempts at channels, its refunds."""

from accounts.actors import Role
from core.states import Edge, Machine, State

BUYER, SELLERS = Role.BUYER, (Role.MERCHANT, Role.STAFF)
CHANNEL, SYSTEM = Role.CHANNEL, Role.SYSTEM
# What a channel has said, be it that it told us or that we asked.
SAID = (CHANNEL, SYSTEM)
ANYBODY = (BUYER, *SELLERS, *SAID)

PAYMENT = Machine(
    noun="payment",
    states=(
        State("open", "Waits for its money.", driver="buyer"),
        State("authorised", "The money is promised, not taken yet.", driver="merchant"),
        State("captured", "The money is here."),
        State("closed", "Nobody can pay it any more; money that comes late is taken all the same."),
    ),
    births=(Edge("open", (), "open", "opened", (BUYER, *SELLERS, SYSTEM)),),
    edges=(
        Edge("authorise", ("open",), "authorised", "authorised", SAID),
        Edge("capture", ("open", "authorised", "closed"), "captured", "captured", SAID),
        Edge("close", ("open", "authorised"), "closed", "closed", ANYBODY),
    ),
)

LIVE_ATTEMPT = ("created", "requires_action", "processing")

ATTEMPT = Machine(
    noun="attempt",
    states=(
        State("created", "The channel has not answered yet.", driver="system"),
        State("requires_action", "The shopper has a step to do at the channel.", driver="buyer"),
        State("processing", "The outcome is not known yet.", driver="channel"),
        State("succeeded", "The channel took the money."),
        State("failed", "The channel refused."),
        State("closed", "The channel takes no money for it any more."),
    ),
    births=(Edge("start", (), "created", "started", (BUYER, *SELLERS, SYSTEM)),),
    edges=(
        Edge("require_action", LIVE_ATTEMPT, "requires_action", "action_required", SAID),
        Edge("process", LIVE_ATTEMPT, "processing", "processing", SAID),
        Edge("succeed", (*LIVE_ATTEMPT, "failed", "closed"), "succeeded", "succeeded", SAID),
        Edge("fail", LIVE_ATTEMPT, "failed", "failed", SAID),
        # A channel may close what it had refused; both facts together fold to closed.
        Edge("close", (*LIVE_ATTEMPT, "failed"), "closed", "closed", SAID),
    ),
)

REFUND = Machine(
    noun="refund",
    states=(
        State("pending", "Waits for somebody's approval.", driver="staff"),
        State("approved", "Waits to be sent to the channel.", driver="system"),
        State("sent", "The channel was asked; the outcome is not known yet.", driver="channel"),
        State("succeeded", "The money is back with the buyer."),
        State("failed", "The channel could not give it back.", driver="staff"),
        State("declined", "It was not approved."),
    ),
    births=(Edge("request", (), "pending", "requested", ANYBODY),),
    edges=(
        Edge("approve", ("pending",), "approved", "approved", ANYBODY),
        Edge("decline", ("pending",), "declined", "declined", (Role.STAFF,)),
        Edge("send", ("approved",), "sent", "sent", SAID),
        Edge("succeed", ("sent", "failed"), "succeeded", "succeeded", SAID),
        Edge("fail", ("sent",), "failed", "failed", SAID),
        Edge("retry", ("failed",), "approved", "approved", (*SELLERS, SYSTEM)),
    ),
)
