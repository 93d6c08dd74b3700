"""A refund that waits for a second person, and one that failed and goes elsewhere."""

from collections.abc import Collection, Sequence

from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor
from accounts.permissions import require_platform
from core.command import command
from core.errors import Invalid
from core.fsm import fire
from payments.locks import lock_credit, lock_refund, lock_refunds
from payments.models import Payment, Refund
from payments.services.refund import refund_approve_now, refund_try_again
from payments.states import REFUND

Destination = Refund.Destination


def refund_approve(
    *, payments: Sequence[Payment], request: Collection[str], actor: Actor
) -> list[Refund]:
    """Lets the refunds of these request keys go, as far as they wait. Part of a service.

    All payments of the group are locked. Emits as `refund_approve_now()`. Raises Conflict
    `state.conflict` where one was declined; Invalid `refund.exceeds_captured`.
    """
    refunds = lock_refunds(payments=payments, request_keys=request)
    for refund in refunds:
        if refund.status not in REFUND.in_chapter("on_its_way", "back"):
            refund_approve_now(refund=refund, actor=actor)
    return refunds


def refund_decline(
    *, payments: Sequence[Payment], request: Collection[str], reason: str, actor: Actor
) -> list[Refund]:
    """Leaves their money where it is; quiet where that was said. Part of a service.

    All payments of the group are locked. Emits `refund.declined`. Raises Conflict `state.conflict`
    where one went already.
    """
    refunds = lock_refunds(payments=payments, request_keys=request)
    waiting = [refund for refund in refunds if refund.status != "declined"]
    fire(waiting, verb="decline", actor=actor, reason=reason)
    return refunds


@command
def refund_redirect(
    *,
    refund_id: int,
    destination: str,
    actor: Actor,
    customer_id: int | None = None,
    account: str = "",
) -> Refund:
    """Sends a failed refund to another account: store credit of a customer, or a bank account.

    Quiet when it is on its way or has arrived. The channel that took the money is asked to pay to the
    bank account; one that can't refuses, and the refund has failed again.
    Locks the payment, the refund, the customer's credit. Emits `refund.approved`; for store credit
    `refund.sent`, `refund.succeeded`. Raises Denied `actor.not_platform`; NotFound
    `refund.unknown`; Invalid `refund.destination`, `refund.exceeds_captured`; Conflict
    `state.conflict`.
    """
    require_platform(actor)
    refund = lock_refund(refund_id)
    if refund.status in REFUND.in_chapter("on_its_way", "back"):
        return refund
    fields: dict[str, object] = {"destination": destination, "account": account}
    is_credit = destination == Destination.STORE_CREDIT
    if is_credit and customer_id and not account:
        refund.credit_account = lock_credit(
            customer_id=customer_id, shard_key=refund.shard_key, currency=refund.currency
        )
        fields["credit_account_id"] = refund.credit_account.pk
    elif is_credit or destination != Destination.BANK_ACCOUNT or not account.strip():
        raise Invalid(
            "refund.destination", _("Say where the money shall go."), destination=destination
        )
    refund_try_again(refund=refund, actor=actor, fields=fields)
    return refund
