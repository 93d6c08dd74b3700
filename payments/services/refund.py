"""Giving money back: requested and approved at once, sent to the channel, folded from what it says."""

from collections.abc import Sequence
from typing import Any

from django.db.models import Exists, F, OuterRef, Q
from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor
from core.command import command
from core.errors import Conflict, Invalid
from core.fsm import fire, start
from core.locks import require_locked
from payments import states
from payments.channels.base import Answer
from payments.locks import lock_refund
from payments.models import (
    Attempt,
    Capture,
    ChannelFact,
    LedgerTransaction,
    Payment,
    Refund,
    RefundShare,
)
from payments.services.credit import TILL, credit_take_back
from payments.services.facts import KIND_OF_REFUND_STATUS, Said, fact_insert, said_by_answer
from payments.services.ledger import Leg, post, reverse
from payments.services.split import refund_leg, way_back

Kind = ChannelFact.Kind
Destination = Refund.Destination

# Order id, merchant id, amount in minor units; no ids for money that is no order's.
OrderShare = tuple[int | None, int | None, int]


def refund_request(
    *,
    payment: Payment,
    reference: int,
    request_key: str,
    amount_minor: int,
    shares: Sequence[OrderShare] | None,
    actor: Actor,
    reason: str,
    attempt_id: int | None = None,
) -> Refund:
    """Requests and approves money back, once per `request_key`. Part of a service.

    See `refund_ask()`. Emits `refund.requested`, `refund.approved`; with store credit
    `refund.sent`, `refund.succeeded`.
    """
    refund = refund_ask(
        payment=payment,
        reference=reference,
        request_key=request_key,
        amount_minor=amount_minor,
        shares=shares,
        actor=actor,
        reason=reason,
        attempt_id=attempt_id,
    )
    if refund.status == "pending":
        refund_approve_now(refund=refund, actor=actor, reason=reason)
    return refund


def refund_ask(
    *,
    payment: Payment,
    reference: int,
    request_key: str,
    amount_minor: int,
    shares: Sequence[OrderShare] | None,
    actor: Actor,
    reason: str,
    attempt_id: int | None = None,
) -> Refund:
    """Requests money back, once per `request_key`; it waits for its approval. Part of a service.

    `payment` is locked. `shares` say whose part goes back and sum to the amount; None: every share
    as far as it has not gone back, or, with the `attempt_id` of a capture too many, no order's.
    Emits `refund.requested`. Raises Conflict `refund.key_reused`; Invalid `refund.amount`,
    `refund.exceeds_captured`.
    """
    require_locked(payment)
    known = Refund.objects.filter(shard_key=payment.shard_key, request_key=request_key).first()
    if known:
        return _same(known, payment, amount_minor)
    attempt = _captured_attempt(payment, attempt_id)
    parts = _parts(payment, attempt, shares)
    if amount_minor <= 0 or sum(part for *_, part in parts) != amount_minor:
        raise Invalid(
            "refund.amount", _("This amount can't be refunded."), amount_minor=amount_minor
        )
    refund = Refund.build(
        payment.shard_key,
        payment=payment,
        attempt=attempt,
        reference=reference,
        request_key=request_key,
        amount_minor=amount_minor,
        currency=payment.currency,
        reason=reason[:200],
        destination=Destination.STORE_CREDIT if payment.is_credit else Destination.ORIGINAL,
        credit_account=payment.credit_account,
        requested_by=str(actor)[:80],
    )
    start([refund], verb="request", actor=actor)
    RefundShare.objects.bulk_create(
        RefundShare.build(
            refund.shard_key,
            refund=refund,
            order_id=order_id,
            merchant_id=merchant_id,
            amount_minor=part_minor,
        )
        for order_id, merchant_id, part_minor in parts
    )
    return refund


def refund_approve_now(*, refund: Refund, actor: Actor, reason: str = "") -> None:
    """Counts a locked pending refund's money as gone; store credit is back at once. Part of a service.

    Emits `refund.approved`; `refund.sent` and `refund.succeeded` where it becomes store credit.
    Raises Invalid `refund.exceeds_captured`.
    """
    _take(refund, actor)
    fire(refund, verb="approve", actor=actor, reason=reason)
    if refund.is_to_credit:
        _pay_as_credit(refund)


def _pay_as_credit(refund: Refund) -> None:
    """No channel is asked: what was on its way becomes the customer's credit."""
    fire(refund, verb="send", actor=TILL)
    credit_take_back(refund=refund, actor=TILL)
    own = _amount_leg("store_credit", refund)
    post(
        shard_key=refund.shard_key,
        kind="refund",
        ref=_try_ref(refund),
        legs=[*_in_flight(refund), own],
        actor=TILL,
    )
    fire(refund, verb="succeed", actor=TILL)


def _same(known: Refund, payment: Payment, amount_minor: int) -> Refund:
    if (known.payment_id, known.amount_minor) != (payment.id, amount_minor):
        raise Conflict(
            "refund.key_reused",
            _("This refund was requested with another amount."),
            request_key=known.request_key,
        )
    return known


def _captured_attempt(payment: Payment, attempt_id: int | None) -> Attempt | None:
    """The attempt whose money goes back: the named one, or the one that paid; None of store credit."""
    if payment.is_credit:
        return None
    has_money = Q(status="succeeded") | Exists(
        Capture.objects.filter(
            attempt=OuterRef("pk"), shard_key=OuterRef("shard_key"), status="succeeded"
        )
    )
    attempts = Attempt.objects.filter(has_money, payment=payment, shard_key=payment.shard_key)
    wanted = {"pk": attempt_id} if attempt_id else {"is_excess": False}
    attempt = attempts.filter(**wanted).first()
    if attempt is None:
        raise _exceeds(payment)
    return attempt


def _parts(
    payment: Payment, attempt: Attempt | None, shares: Sequence[OrderShare] | None
) -> list[OrderShare]:
    if shares is not None:
        return list(shares)
    if attempt and attempt.is_excess:
        return [(None, None, attempt.amount_minor)]
    return [
        (share.order_id, share.merchant_id, share.left_minor)
        for share in payment.shares.order_by("pk")
        if share.left_minor
    ]


def _take(refund: Refund, actor: Actor) -> None:
    """Counts the money of an approved refund as gone, and books it as on its way."""
    _count(refund, +1)
    post(
        shard_key=refund.shard_key,
        kind="refund_approved",
        ref=_try_ref(refund),
        legs=way_back(refund),
        actor=actor,
    )


def _restore(refund: Refund, actor: Actor) -> None:
    """Undoes `_take` of the present try: the money is back where it came from."""
    _count(refund, -1)
    reverse(
        posting=LedgerTransaction.objects.get(
            shard_key=refund.shard_key, kind="refund_approved", ref=_try_ref(refund)
        ),
        kind="refund_failed",
        ref=_try_ref(refund),
        actor=actor,
    )


def _try_ref(refund: Refund) -> str:
    return f"refund:{refund.id}:{refund.tries}"


def _count(refund: Refund, sign: int) -> None:
    """Moves the counters of the payment and of its shares; the constraints stand behind it."""
    payment, amount_minor = refund.payment, sign * refund.amount_minor
    counted = Payment.objects.filter(
        pk=payment.pk,
        shard_key=payment.shard_key,
        refunded_minor__lte=F("captured_minor") - F("charged_back_minor") - amount_minor,
    ).update(refunded_minor=F("refunded_minor") + amount_minor)
    if not counted:
        raise _exceeds(payment)
    payment.refunded_minor += amount_minor
    for part in refund.shares.filter(order_id__isnull=False).order_by("order_id"):
        part_minor = sign * part.amount_minor
        counted = payment.shares.filter(
            Q(order_id=part.order_id, merchant=part.merchant_id),
            shard_key=payment.shard_key,
            refunded_minor__lte=F("captured_minor") - F("charged_back_minor") - part_minor,
        ).update(refunded_minor=F("refunded_minor") + part_minor)
        if not counted:
            raise _exceeds(payment)


def _exceeds(payment: Payment) -> Invalid:
    return Invalid(
        "refund.exceeds_captured",
        _("More than was paid can't go back."),
        payment_id=str(payment.id),
        captured_minor=payment.captured_minor,
        refunded_minor=payment.refunded_minor,
    )


@command
def refund_send(*, refund_id: int, actor: Actor) -> Refund:
    """Says, before the channel is called, that it will be; quiet unless the refund is approved.

    Locks the payment, the refund. Emits `refund.sent`. Raises NotFound `refund.unknown`.
    """
    refund = lock_refund(refund_id)
    if refund.status == "approved":
        fire(refund, verb="send", actor=actor)
    return refund


@command
def refund_retry(*, refund_id: int, actor: Actor) -> Refund:
    """Approves a failed refund anew; quiet when it is on its way or has arrived.

    Locks the payment, the refund. Emits `refund.approved`.
    Raises NotFound `refund.unknown`; Invalid `refund.exceeds_captured` when its money went
    elsewhere meanwhile; Conflict `state.conflict`.
    """
    refund = lock_refund(refund_id)
    if refund.status not in states.REFUND.in_chapter("on_its_way", "back"):
        refund_try_again(refund=refund, actor=actor, fields={})
    return refund


def refund_try_again(*, refund: Refund, actor: Actor, fields: dict[str, Any]) -> None:
    """Approves a locked failed refund anew, with other fields perhaps. Part of a service."""
    refund.tries += 1
    _take(refund, actor)
    given = {"tries": refund.tries, "failure_code": "", **fields}
    fire(refund, verb="retry", actor=actor, fields=given)
    if refund.is_to_credit:
        _pay_as_credit(refund)


@command
def refund_answer_record(
    *, refund_id: int, answer: Answer, actor: Actor, origin: str = ChannelFact.Origin.ANSWER
) -> Refund:
    """Records what a channel answered when it was called about a refund; repeated, it is quiet.

    Locks the payment, the refund. Emits `refund.succeeded` or `refund.failed`; nothing while the
    channel is still at it. Raises NotFound `refund.unknown`; Conflict `fact.…`.
    """
    refund = lock_refund(refund_id)
    if answer.status in KIND_OF_REFUND_STATUS:
        kind = KIND_OF_REFUND_STATUS[answer.status]
        said = said_by_answer(answer, kind, key=refund.channel_key, origin=origin)
        refund_tell(refund=refund, said=said, actor=actor)
    return refund


@command
def refund_fact_record(
    *,
    refund_id: int,
    kind: str,
    amount_minor: int,
    currency: str,
    channel_ref: str,
    origin: str,
    actor: Actor,
) -> Refund:
    """Records one statement of a channel about a refund; see `refund_tell()`.

    Locks the payment, the refund. Raises NotFound `refund.unknown`; Conflict `fact.…`.
    """
    refund = lock_refund(refund_id)
    said = Said(
        kind=kind,
        amount_minor=amount_minor,
        currency=currency,
        channel_ref=channel_ref,
        origin=origin,
    )
    refund_tell(refund=refund, said=said, actor=actor)
    return refund


def refund_tell(*, refund: Refund, said: Said, actor: Actor) -> None:
    """Keeps a statement about a locked refund and acts on it once. Part of a service.

    Success is final, whatever is said before or after it. Emits `refund.succeeded`, `refund.failed`.
    Raises Conflict `fact.…`, Invalid `refund.exceeds_captured`; the caller must then undo all.
    """
    fact = fact_insert(refund, said)
    if fact is None:
        return
    if fact.kind == Kind.REFUND_SUCCEEDED:
        _succeed(refund, fact, actor)
    elif states.REFUND.may("fail", refund.status):
        _restore(refund, actor)
        fields = {"channel_ref": said.channel_ref, "failure_code": said.failure_code}
        fire(refund, verb="fail", actor=actor, reason=said.failure_code, fields=fields)


def _succeed(refund: Refund, fact: ChannelFact, actor: Actor) -> None:
    """The money left: what a failure had restored is taken anew, and the channel's account pays."""
    if refund.status == "approved":  # an earlier try came through after all
        fire(refund, verb="send", actor=actor)
    elif refund.status == "failed":
        refund.tries += 1
        _take(refund, actor)
    post(
        shard_key=refund.shard_key,
        kind="refund",
        ref=f"fact:{fact.id}",
        legs=_arrival(refund, fact.channel),
        actor=actor,
        at=fact.at,
    )
    fields = {"channel_ref": fact.channel_ref, "failure_code": "", "tries": refund.tries}
    fire(refund, verb="succeed", actor=actor, fields=fields)


def _arrival(refund: Refund, channel: str) -> list[Leg]:
    return [*_in_flight(refund), _amount_leg("channel_clearing", refund, channel)]


def _in_flight(refund: Refund) -> list[Leg]:
    parts = refund.shares.order_by("pk")
    return [refund_leg("refunds_in_flight", part.amount_minor, refund, part) for part in parts]


def _amount_leg(code: str, refund: Refund, channel: str = "") -> Leg:
    return Leg(
        code=code, amount_minor=-refund.amount_minor, currency=refund.currency, channel=channel
    )
