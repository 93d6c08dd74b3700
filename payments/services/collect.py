"""Getting money: open a payment, try at channels, fold what they say, close it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import F, QuerySet
from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor
from core.command import command
from core.errors import Conflict, ProgrammingMistake
from core.fsm import fire, start
from core.locks import require_locked
from core.outbox import Fact, emit
from core.write import Write
from payments import states
from payments.channels.base import Answer, capture_at, channel_named
from payments.fold import attempt_verb
from payments.locks import lock_attempt, lock_credit_beside, lock_payments_of
from payments.models import Attempt, ChannelFact, Payment, PaymentShare
from payments.selectors import live_attempt, open_attempts
from payments.services.credit import (
    credit_makes_up,
    credit_release_in_vain,
    credits_release,
)
from payments.services.facts import (
    KIND_OF_STATUS,
    Said,
    fact_insert,
    kinds_of,
    refusal,
    said_by_answer,
)
from payments.services.ledger import Leg, post
from payments.services.surplus import excess_give_back, reduced_give_back, reduced_minor

Kind = ChannelFact.Kind

STEP_OF_STATUS = {"requires_action": "require_action", "processing": "process"}


@dataclass(frozen=True, slots=True)
class Share:
    """What of a payment belongs to one order of a merchant, in minor units."""

    order_id: int
    merchant_id: int
    amount_minor: int


def payment_open(
    *,
    reference: int,
    shard_key: int,
    currency: str,
    amount_minor: int,
    shares: Sequence[Share],
    actor: Actor,
    at: datetime | None = None,
    write: Write | None = None,
) -> Payment:
    """Opens the payment of an order group, no channel yet. Part of a service.

    The shares sum to the amount, in minor units. Emits `payment.opened`.
    """
    if sum(share.amount_minor for share in shares) != amount_minor:
        raise ProgrammingMistake(f"the shares do not sum to {amount_minor}")
    payment = Payment.build(
        shard_key, reference=reference, currency=currency, amount_minor=amount_minor
    )
    rows = [
        PaymentShare.build(
            shard_key,
            payment=payment,
            order_id=share.order_id,
            merchant_id=share.merchant_id,
            amount_minor=share.amount_minor,
        )
        for share in shares
    ]
    start([payment], verb="open", actor=actor, at=at, write=write)
    if write:
        write.insert(*rows)
    else:
        PaymentShare.objects.bulk_create(rows)
    return payment


def payment_close(*, reference: int, actor: Actor, reason: str) -> list[Payment]:
    """Closes the payments of an order group; answers, locked, those that hold money instead.

    Part of a service; quiet where a payment is closed. An attempt that is still open is asked to
    close at its channel once this is committed.
    Locks the payments. Emits `payment.closed`.
    """
    return payments_close(references=[reference], actor=actor, reason=reason)


def payments_close(*, references: Collection[int], actor: Actor, reason: str) -> list[Payment]:
    """The same for many order groups, by a constant number of statements where none is tried.

    Store credit whose channel's part has not come is released. Emits `payment.released` besides.
    """
    payments = lock_payments_of(references)
    credits_release(payments=payments, actor=actor, reason=reason)
    closing = [payment for payment in payments if states.PAYMENT.may("close", payment.status)]
    tried = {attempt.payment_id: attempt for attempt in open_attempts(closing)}
    untried = [payment for payment in closing if payment.id not in tried]
    for attempt in tried.values():
        payload = {"open_attempt_id": str(attempt.id)}
        fire(attempt.payment, verb="close", actor=actor, reason=reason, payload=payload)
    none = {"open_attempt_id": None}
    fire(untried, verb="close", actor=actor, reason=reason, payload=none)
    return [payment for payment in payments if payment.status == "captured"]


def attempts_ask_close(attempts: Sequence[Attempt]) -> None:
    """Asks the channels to close these attempts; their payments stay open. Part of a service.

    The payments are locked. Emits `attempt.close_requested`; the answer comes as any other.
    """
    for attempt in attempts:
        require_locked(attempt.payment)
    emit(
        [
            Fact(
                stream=attempt.stream(),
                shard_key=attempt.shard_key,
                type="attempt.close_requested",
                object_id=attempt.id,
                payload=attempt.event_payload(),
            )
            for attempt in attempts
        ]
    )


def attempt_start(
    *,
    payment: Payment,
    channel: str,
    token: str,
    expires_at: datetime,
    return_url: str,
    actor: Actor,
) -> Attempt:
    """Starts a try at a channel; the channel is called once this is committed. Part of a service.

    `payment` is locked. Emits `attempt.started`. Raises Conflict `payment.not_open`,
    `payment.attempt_open`; Invalid `payment.channel_unknown`.
    """
    channel_named(channel)
    refuse_started(payment)
    attempt = Attempt.build(
        payment.shard_key,
        payment=payment,
        channel=channel,
        amount_minor=payment.amount_minor,
        currency=payment.currency,
        token=token,
        expires_at=expires_at,
        return_url=return_url,
        capture_at=capture_at(channel),
    )
    start([attempt], verb="start", actor=actor)
    return attempt


def refuse_started(payment: Payment) -> None:
    """Raises Conflict `payment.not_open`, `payment.attempt_open` for a locked payment."""
    require_locked(payment)
    if payment.status != "open":
        raise Conflict("payment.not_open", _("This can't be paid any more."), state=payment.status)
    if attempt_id := _live_attempt_id(payment):
        raise Conflict(
            "payment.attempt_open", _("A payment is being made already."), attempt_id=attempt_id
        )


def _live_attempt_id(payment: Payment) -> str | None:
    attempt = live_attempt(payment)
    return str(attempt.id) if attempt else None


@command
def attempt_answer_record(
    *, attempt_id: int, answer: Answer, actor: Actor, origin: str = ChannelFact.Origin.ANSWER
) -> Attempt:
    """Records what a channel answered when it was called about an attempt; repeated, it is quiet.

    Locks the payment, the attempt. Emits what the answer makes of them, see `attempt_tell()`.
    Raises NotFound `attempt.unknown`; Conflict `fact.…` for an answer that does not fit.
    """
    attempt = lock_attempt(attempt_id)
    if answer.status in KIND_OF_STATUS:
        kind = KIND_OF_STATUS[answer.status]
        said = said_by_answer(answer, kind, key=attempt.channel_key, origin=origin)
        attempt_tell(attempt=attempt, said=said, actor=actor)
        _keep_reason(attempt, answer)
    elif attempt.is_live and attempt.status != answer.status:
        fire(
            attempt,
            verb=STEP_OF_STATUS[answer.status],
            actor=actor,
            fields={"channel_ref": answer.ref, "action_url": answer.action_url},
        )
    return attempt


def _keep_reason(attempt: Attempt, answer: Answer) -> None:
    """A notification names no reason; the answer that it overtook does."""
    if answer.failure_code and not attempt.failure_code:
        attempt.failure_code = answer.failure_code
        Attempt.objects.filter(pk=attempt.pk, shard_key=attempt.shard_key).update(
            failure_code=answer.failure_code
        )


@command
def fact_record(
    *,
    attempt_id: int,
    kind: str,
    amount_minor: int,
    currency: str,
    channel_ref: str,
    origin: str,
    actor: Actor,
) -> Attempt:
    """Records one statement of a channel about an attempt; see `attempt_tell()`.

    Locks the payment, the attempt. Raises NotFound `attempt.unknown`; Conflict `fact.…`.
    """
    attempt = lock_attempt(attempt_id)
    said = Said(
        kind=kind,
        amount_minor=amount_minor,
        currency=currency,
        channel_ref=channel_ref,
        origin=origin,
    )
    attempt_tell(attempt=attempt, said=said, actor=actor)
    return attempt


def attempt_tell(*, attempt: Attempt, said: Said, actor: Actor) -> None:
    """Keeps a statement about a locked attempt and folds all of them anew. Part of a service.

    Every order of arrival ends in the same state. A capture is booked always, also for a closed
    payment; one on top of another goes back at once, and so does what was called off meanwhile.
    With a try that fails the store credit beside it is released; where its money comes all the same,
    the credit is spent again, or, where it is gone, all the money goes back.
    Emits `attempt.…`, `payment.…`, `refund.…`. Raises Conflict `fact.…` before anything is written.
    """
    if said.kind == Kind.CAPTURED and attempt.captures_later:
        _refuse_taken(attempt, said)
    fact = fact_insert(attempt, said)
    if fact is None:
        return
    credit = lock_credit_beside(attempt)
    kinds = kinds_of(attempt)
    verb = attempt_verb(kinds, captures_later=attempt.captures_later)
    if attempt.status != states.ATTEMPT.edge(verb).target:
        _fire_outcome(attempt, credit, verb, said, actor)
    if fact.kind == Kind.CAPTURED:
        _capture(attempt, fact, actor)
    elif Kind.AUTHORISED in kinds:
        _fold_authorisation(attempt, actor)
    if credit:
        credit_release_in_vain(attempt=attempt, credit=credit, actor=actor)


def _refuse_taken(attempt: Attempt, said: Said) -> None:
    """All of it at once, where a part was taken before, is not what the channel was asked for."""
    if attempt.captures.filter(status="succeeded").exists():
        raise refusal("fact.twice", attempt, said)


def _fire_outcome(
    attempt: Attempt, credit: Payment | None, verb: str, said: Said, actor: Actor
) -> None:
    fields = {
        "channel_ref": said.channel_ref,
        "failure_code": said.failure_code or attempt.failure_code,
        "is_excess": verb == "succeed" and not _pays(attempt, credit, actor),
    }
    fire(attempt, verb=verb, actor=actor, reason=said.failure_code, fields=fields)


def _pays(attempt: Attempt, credit: Payment | None, actor: Actor) -> bool:
    """True where its money, or its promise, is what the payment waits for."""
    if _has_paid_before(attempt):
        return False
    return credit_makes_up(attempt=attempt, credit=credit, actor=actor)


def _has_paid_before(attempt: Attempt) -> bool:
    """Another try has brought the money, or its promise."""
    payment = attempt.payment
    if payment.status == "captured":
        return True
    others = payment.attempts.filter(status="succeeded", shard_key=payment.shard_key)
    return payment.status == "authorised" and others.exclude(pk=attempt.pk).exists()


def _fold_authorisation(attempt: Attempt, actor: Actor) -> None:
    """A promise holds while its attempt lives; when it falls, so does the payment.

    What of it was neither taken nor let go stays so: it says what orders have to live without.
    """
    payment = attempt.payment
    if attempt.is_excess or (attempt.captures_later and payment.status == "closed"):
        if attempt.status == "succeeded":
            attempts_ask_close([attempt])
    elif attempt.is_live or attempt.status == "succeeded":
        _fire_if_possible(payment, "authorise", attempt, actor)
    else:
        _fire_if_possible(payment, "capture" if payment.captured_minor else "close", attempt, actor)


def _fire_if_possible(payment: Payment, verb: str, attempt: Attempt, actor: Actor) -> None:
    if states.PAYMENT.may(verb, payment.status):
        if verb == "authorise" and attempt.captures_later:
            _shares(payment).update(authorised_minor=F("amount_minor"))
        payload = {"attempt_id": str(attempt.id), "open_attempt_id": None}
        fire(payment, verb=verb, actor=actor, payload=payload)


def _shares(payment: Payment) -> QuerySet[PaymentShare]:
    return PaymentShare.objects.filter(payment=payment, shard_key=payment.shard_key)


def _capture(attempt: Attempt, fact: ChannelFact, actor: Actor) -> None:
    """The money is real: it is counted and booked, whatever became of the payment meanwhile."""
    payment = attempt.payment
    money_count(payment, fact.amount_minor)
    post(
        shard_key=payment.shard_key,
        kind="capture",
        ref=f"fact:{fact.id}",
        legs=_capture_legs(attempt),
        actor=actor,
        at=fact.at,
    )
    if attempt.is_excess:
        excess_give_back(attempt=attempt, actor=actor)
        return
    _shares(payment).update(captured_minor=F("amount_minor"), voided_minor=0)
    reduced_give_back(attempt=attempt, actor=actor)
    payload = {"attempt_id": str(attempt.id), "open_attempt_id": _live_attempt_id(payment)}
    fire(payment, verb="capture", actor=actor, payload=payload)


def money_count(payment: Payment, amount_minor: int) -> None:
    """Counts money that has come for a locked payment. Part of a service."""
    require_locked(payment)
    Payment.objects.filter(pk=payment.pk, shard_key=payment.shard_key).update(
        captured_minor=F("captured_minor") + amount_minor
    )
    payment.captured_minor += amount_minor


def _capture_legs(attempt: Attempt) -> list[Leg]:
    """Each order's share rests in escrow; what is one too many, or too much, belongs to no order."""
    amount_minor, currency, channel = attempt.amount_minor, attempt.currency, attempt.channel
    clearing = Leg(
        code="channel_clearing", amount_minor=amount_minor, currency=currency, channel=channel
    )
    if attempt.is_excess:
        return [clearing, Leg(code="escrow", amount_minor=-amount_minor, currency=currency)]
    too_much = Leg(code="escrow", amount_minor=-reduced_minor(attempt), currency=currency)
    return [clearing, too_much] + [
        Leg(
            code="escrow",
            amount_minor=-share.amount_minor,
            currency=currency,
            order_id=share.order_id,
            merchant_id=share.merchant_id,
        )
        for share in attempt.payment.shares.order_by("pk")
    ]
