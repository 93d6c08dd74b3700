"""The machines of money: payments, attempts, captures, refunds, chargebacks; statements, payouts.

And of money that people send by hand: what became of a line of a statement, and a transfer of ours.
"""

from datetime import timedelta

from accounts.actors import Role
from core.states import STAYS, Edge, Guard, Machine, State

BUYER, SELLERS = Role.BUYER, (Role.MERCHANT, Role.STAFF)
CHANNEL, SYSTEM = Role.CHANNEL, Role.SYSTEM
# What a channel has said, be it that it told us or that we asked.
SAID = (CHANNEL, SYSTEM)
ANYBODY = (BUYER, *SELLERS, *SAID)
# As long as its group may wait.
LONGEST_TO_PAY = timedelta(days=14)

PAYMENT = Machine(
    noun="payment",
    states=(
        State("open", "waits for its money", BUYER, LONGEST_TO_PAY),
        State(
            "authorised", "the money is promised, not taken yet", Role.MERCHANT, timedelta(days=30)
        ),
        State("captured", "the money is here"),
        State("closed", "nobody can pay it any more; money that comes late is taken all the same"),
    ),
    births=(Edge("open", (), "open", "opened", (BUYER, *SELLERS, SYSTEM)),),
    edges=(
        Edge("authorise", ("open",), "authorised", "authorised", SAID),
        Edge("capture", ("open", "authorised", "closed"), "captured", "captured", SAID),
        Edge("close", ("open", "authorised"), "closed", "closed", ANYBODY),
        # Store credit whose channel's part came to nothing; money of a channel is refunded.
        Edge("release", ("captured",), "closed", "released", ANYBODY),
    ),
)

_UNKNOWN = ("created", "requires_action", "processing")

ATTEMPT = Machine(
    noun="attempt",
    states=(
        State("created", "the channel has not answered yet", SYSTEM, timedelta(days=1)),
        State(
            "requires_action",
            "the shopper has a step to do at the channel",
            BUYER,
            LONGEST_TO_PAY,
        ),
        State("processing", "the outcome is not known yet", CHANNEL, LONGEST_TO_PAY),
        State("succeeded", "the channel took the money, or has promised it to be taken later"),
        State("failed", "the channel refused"),
        State("closed", "the channel takes no money for it any more"),
    ),
    births=(Edge("start", (), "created", "started", (BUYER, *SELLERS, SYSTEM)),),
    edges=(
        Edge("require_action", _UNKNOWN, "requires_action", "action_required", SAID),
        Edge("process", _UNKNOWN, "processing", "processing", SAID),
        Edge("succeed", (*_UNKNOWN, "failed", "closed"), "succeeded", "succeeded", SAID),
        Edge("fail", _UNKNOWN, "failed", "failed", SAID),
        # A channel may close what it had refused; both facts together fold to closed.
        # What was only promised may be let go, or taken back by the channel when its time is over.
        Edge("close", (*_UNKNOWN, "failed", "succeeded"), "closed", "closed", SAID),
    ),
)

CAPTURE = Machine(
    noun="capture",
    states=(
        State("requested", "the channel is asked to take it", CHANNEL, timedelta(days=3)),
        State("succeeded", "the money is here"),
        State("failed", "the channel would not take it", Role.STAFF, timedelta(days=7)),
    ),
    births=(Edge("request", (), "requested", "requested", (*SELLERS, Role.CARRIER, SYSTEM)),),
    edges=(
        Edge("succeed", ("requested", "failed"), "succeeded", "succeeded", SAID),
        Edge("fail", ("requested",), "failed", "failed", SAID),
        Edge("retry", ("failed",), "requested", "requested", (Role.STAFF, SYSTEM)),
    ),
)

REFUND = Machine(
    noun="refund",
    states=(
        State("pending", "waits for somebody's approval", Role.STAFF, timedelta(days=7)),
        State(
            "approved", "waits to be sent to the channel", SYSTEM, timedelta(days=3), "on_its_way"
        ),
        State(
            "sent",
            "the channel was asked; the outcome is not known yet",
            CHANNEL,
            timedelta(days=14),
            "on_its_way",
        ),
        State("succeeded", "the money is back with the buyer", chapter="back"),
        State(
            "failed",
            "the channel could not give it back",
            Role.STAFF,
            timedelta(days=7),
            "not_taken",
        ),
        State("declined", "it was not approved", chapter="not_taken"),
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

CHARGEBACK = Machine(
    noun="chargeback",
    states=(
        State(
            "opened",
            "the buyer's bank has taken the money; it can be contested",
            CHANNEL,
            timedelta(days=120),
        ),
        State("won", "the money is ours again"),
        State("lost", "the money stays with the buyer"),
    ),
    births=(Edge("open", (), "opened", "opened", SAID),),
    edges=(
        # A bank may reverse its own word; both facts together fold to won.
        Edge("win", ("opened", "lost"), "won", "won", SAID),
        Edge("lose", ("opened",), "lost", "lost", SAID),
    ),
)

STATEMENT = Machine(
    noun="statement",
    states=(
        State("open", "its period has not ended, or is just being closed", SYSTEM, timedelta(40)),
        State("closed", "what is on it and its closing balance are for good"),
    ),
    births=(Edge("open", (), "open", "opened", (Role.STAFF, SYSTEM)),),
    edges=(Edge("close", ("open",), "closed", "closed", (Role.STAFF, SYSTEM)),),
)

PAYOUT = Machine(
    noun="payout",
    states=(
        State("scheduled", "waits for its approvals", Role.STAFF, timedelta(days=90), "owed"),
        State(
            "approved", "waits to be sent to the channel", SYSTEM, timedelta(days=3), "on_its_way"
        ),
        State(
            "sent",
            "the channel was asked; the outcome is not known yet",
            CHANNEL,
            timedelta(days=14),
            "on_its_way",
        ),
        State("paid", "the money is with the merchant", chapter="arrived"),
        State("failed", "the bank account took no money", Role.STAFF, timedelta(days=90), "owed"),
    ),
    births=(Edge("schedule", (), "scheduled", "scheduled", (Role.STAFF, SYSTEM)),),
    edges=(
        Edge("approve", ("scheduled",), "approved", "approved", (Role.STAFF,)),
        Edge("send", ("approved",), "sent", "sent", SAID),
        # An earlier try may come through although it was taken for failed.
        Edge("confirm", ("scheduled", "approved", "sent", "failed"), "paid", "paid", SAID),
        Edge("fail", ("sent",), "failed", "failed", SAID),
        # To another account, perhaps: it is approved anew.
        Edge("retry", ("failed",), "scheduled", "scheduled", (Role.STAFF,)),
    ),
)

LINE_MATCH = Machine(
    noun="line_match",
    states=(
        State("received", "stands in an imported statement", SYSTEM, timedelta(days=1)),
        State("unmatched", "nobody knows what it is for", Role.STAFF, timedelta(days=14)),
        State("resting", "is a part of what an attempt waits for", CHANNEL, LONGEST_TO_PAY),
        State("applied", "has paid for something; what was too much goes back"),
        State("returned", "goes back to its sender"),
        State("confirmed", "shows that a transfer of ours has left"),
        State("dismissed", "is nothing of the shop's"),
    ),
    births=(Edge("receive", (), "received", "received", (Role.STAFF, SYSTEM)),),
    edges=(
        Edge("match", ("received",), "resting", "matched", (SYSTEM,)),
        Edge("set_aside", ("received",), "unmatched", "set_aside", (SYSTEM,)),
        Edge("assign", ("unmatched",), "resting", "assigned", (Role.STAFF,)),
        Edge("apply", ("resting",), "applied", "applied", SAID),
        Edge("give_back", ("resting",), "returned", "given_back", SAID),
        Edge("give_back", ("unmatched",), "returned", "given_back", (Role.STAFF,)),
        Edge("confirm", ("received",), "confirmed", "confirmed", (SYSTEM,)),
        Edge("dismiss", ("unmatched",), "dismissed", "dismissed", (Role.STAFF,)),
    ),
)

OF_LINE = Guard(
    "it gives back a line of a statement; a refund is tried again by itself",
    lambda row, at, parts: row.refund_id is None,
)

MANUAL_TRANSFER = Machine(
    noun="manual_transfer",
    states=(
        State("to_do", "somebody has to send it", Role.STAFF, timedelta(days=14)),
        State("sent", "was given to the bank", CHANNEL, timedelta(days=14)),
        State("done", "a statement shows that it has left"),
        State("failed", "the bank could not send it"),
    ),
    births=(Edge("request", (), "to_do", "requested", ANYBODY),),
    edges=(
        Edge("direct", ("to_do", "failed"), STAYS, "", (BUYER, Role.STAFF)),
        Edge("send", ("to_do",), "sent", "sent", (Role.STAFF,)),
        Edge("confirm", ("to_do", "sent", "failed"), "done", "confirmed", SAID),
        Edge("fail", ("to_do", "sent"), "failed", "failed", (Role.STAFF,)),
        Edge("retry", ("failed",), "to_do", "retried", (Role.STAFF,), OF_LINE),
    ),
)
