"""Money that came and is nobody's share: more than is asked for by now, or on top of what has paid."""

from accounts.actors import Actor
from payments.models import Attempt
from payments.services.refund import refund_request


def reduced_minor(attempt: Attempt) -> int:
    """What was called off since the attempt began: it had failed, as it seemed, or takes days."""
    return attempt.amount_minor - attempt.payment.amount_minor


def reduced_give_back(*, attempt: Attempt, actor: Actor) -> None:
    """Gives that back of a locked payment's capture. Part of a service; emits as `refund_request()`."""
    if surplus_minor := reduced_minor(attempt):
        refund_request(
            payment=attempt.payment,
            reference=attempt.payment.reference,
            request_key=f"reduced:{attempt.id}",
            amount_minor=surplus_minor,
            shares=[(None, None, surplus_minor)],
            actor=actor,
            reason="called off before it was captured",
            attempt_id=attempt.id,
        )


def excess_give_back(*, attempt: Attempt, actor: Actor) -> None:
    """Gives all of a capture back that came on top of another. Part of a service; likewise."""
    refund_request(
        payment=attempt.payment,
        reference=attempt.payment.reference,
        request_key=f"excess:{attempt.id}",
        amount_minor=attempt.amount_minor,
        shares=None,
        actor=actor,
        reason="captured twice",
        attempt_id=attempt.id,
    )
