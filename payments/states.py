"""The machines of money: a payment, its attempts at channels, its refunds."""

from core.states import Edge, Machine, State

PAYMENT = Machine(
    noun="payment",
    states=(
        State("open", "Waits for its money.", driver="buyer"),
        State("authorised", "The money is promised, not taken yet.", driver="merchant"),
        State("captured", "The money is here."),
        State("closed", "Nobody can pay it any more; money that comes late is taken all the same."),
    ),
    births=(Edge("open", (), "open", "opened"),),
    edges=(
        Edge("authorise", ("open",), "authorised", "authorised"),
        Edge("capture", ("open", "authorised", "closed"), "captured", "captured"),
        Edge("close", ("open", "authorised"), "closed", "closed"),
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
    births=(Edge("start", (), "created", "started"),),
    edges=(
        Edge("require_action", LIVE_ATTEMPT, "requires_action", "action_required"),
        Edge("process", LIVE_ATTEMPT, "processing", "processing"),
        Edge("succeed", (*LIVE_ATTEMPT, "failed", "closed"), "succeeded", "succeeded"),
        Edge("fail", LIVE_ATTEMPT, "failed", "failed"),
        # A channel may close what it had refused; both facts together fold to closed.
        Edge("close", (*LIVE_ATTEMPT, "failed"), "closed", "closed"),
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
    births=(Edge("request", (), "pending", "requested"),),
    edges=(
        Edge("approve", ("pending",), "approved", "approved"),
        Edge("decline", ("pending",), "declined", "declined"),
        Edge("send", ("approved",), "sent", "sent"),
        Edge("succeed", ("sent", "failed"), "succeeded", "succeeded"),
        Edge("fail", ("sent",), "failed", "failed"),
        Edge("retry", ("failed",), "approved", "approved"),
    ),
)
