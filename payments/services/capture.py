"""Taking promised money, order by order, as its goods move; what is not shipped is let go."""

from django.db.models import F, QuerySet
from django.db.models.functions import Least
from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor, system
from core.command import command
from core.errors import Conflict, Invalid
from core.fsm import fire, start
from core.locks import require_locked
from payments import states
from payments.channels.base import Answer
from payments.fold import capture_verb
from payments.locks import lock_capture
from payments.models import Attempt, Capture, ChannelFact, Payment, PaymentShare
from payments.selectors import promising_attempt
from payments.services.collect import money_count
from payments.services.facts import (
    KIND_OF_CAPTURE_STATUS,
    Said,
    fact_insert,
    kinds_of,
    said_by_answer,
)
from payments.services.ledger import Leg, post

LAST_SHARE = system("last share")


def capture_request(
    *, payment: Payment, order_id: int, amount_minor: int, request_key: str, actor: Actor
) -> Capture:
    """Has a part of an order's promised share taken, once per `request_key`. Part of a service.

    `payment` is locked; the channel is called once this is committed. Emits `capture.requested`.
    Raises Conflict `payment.not_authorised`; Invalid `capture.exceeds_authorised`.
    """
    require_locked(payment)
    known = Capture.objects.filter(shard_key=payment.shard_key, request_key=request_key).first()
    if known:
        return known
    attempt = _promise(payment)
    share = _share(payment, order_id)
    if not 0 < amount_minor <= share.open_minor - _pending_minor(payment, order_id):
        raise _exceeds(share, amount_minor)
    capture = Capture.build(
        payment.shard_key,
        payment=payment,
        attempt=attempt,
        order_id=order_id,
        merchant_id=share.merchant_id,
        request_key=request_key,
        amount_minor=amount_minor,
        currency=payment.currency,
        is_last=_takes_the_rest(payment, amount_minor),
    )
    start([capture], verb="request", actor=actor)
    return capture


def share_void(*, payment: Payment, order_id: int, amount_minor: int, actor: Actor) -> None:
    """Lets a part of an order's promised share go: it will never be taken. Part of a service.

    `payment` is locked. Once nothing is open the payment is captured, or closed where nothing was
    taken, and the channel is asked to let the rest go; a promise that has lapsed at the channel
    is only struck off. Emits `payment.captured`, `payment.closed`.
    Raises Invalid `capture.exceeds_authorised`.
    """
    require_locked(payment)
    share = _share(payment, order_id)
    if not 0 < amount_minor <= share.open_minor - _pending_minor(payment, order_id):
        raise _exceeds(share, amount_minor)
    _shares(payment).filter(order_id=order_id).update(voided_minor=F("voided_minor") + amount_minor)
    # Whoever calls off the last share does not say that the money of the others is here.
    _settle(payment, LAST_SHARE if payment.captured_minor else actor)


@command
def capture_retry(*, capture_id: int, actor: Actor) -> Capture:
    """Has a failed capture asked for anew; quiet when it is on its way or the money is here.

    Locks the payment, the capture. Emits `capture.requested`.
    Raises NotFound `capture.unknown`; Conflict `payment.not_authorised`; Invalid
    `capture.exceeds_authorised` where its money was let go meanwhile.
    """
    capture = lock_capture(capture_id)
    if capture.status != "failed":
        return capture
    _promise(capture.payment)
    share = _share(capture.payment, capture.order_id)
    if capture.amount_minor > share.open_minor - _pending_minor(capture.payment, share.order_id):
        raise _exceeds(share, capture.amount_minor)
    fields = {
        "tries": capture.tries + 1,
        "failure_code": "",
        "is_last": _takes_the_rest(capture.payment, capture.amount_minor),
    }
    fire(capture, verb="retry", actor=actor, fields=fields)
    return capture


@command
def capture_answer_record(
    *, capture_id: int, answer: Answer, actor: Actor, origin: str = ChannelFact.Origin.ANSWER
) -> Capture:
    """Records what a channel answered when it was called about a capture; repeated, it is quiet.

    Locks the payment, the capture. Emits as `capture_tell()`; nothing while the channel is at it.
    Raises NotFound `capture.unknown`; Conflict `fact.…`.
    """
    capture = lock_capture(capture_id)
    if answer.status in KIND_OF_CAPTURE_STATUS:
        kind = KIND_OF_CAPTURE_STATUS[answer.status]
        said = said_by_answer(answer, kind, key=capture.channel_key, origin=origin)
        capture_tell(capture=capture, said=said, actor=actor)
    return capture


def capture_tell(*, capture: Capture, said: Said, actor: Actor) -> None:
    """Keeps a statement about a locked capture and folds all of them anew. Part of a service.

    Money that has come is counted and booked always, also where its order was called off meanwhile:
    whoever hears `capture.succeeded` gives it back. Emits `capture.…`, `payment.captured`.
    Raises Conflict `fact.…` before anything is written.
    """
    fact = fact_insert(capture, said)
    if fact is None:
        return
    verb = capture_verb(kinds_of(capture))
    fields = {"channel_ref": said.channel_ref, "failure_code": said.failure_code}
    if verb == "succeed" and capture.status != "succeeded":
        _take(capture, fact, actor)
        fire(capture, verb=verb, actor=actor, fields=fields)
        _revive(capture, actor)
        _settle(capture.payment, actor)
    elif verb == "fail" and states.CAPTURE.may(verb, capture.status):
        fire(capture, verb=verb, actor=actor, reason=said.failure_code, fields=fields)


def _take(capture: Capture, fact: ChannelFact, actor: Actor) -> None:
    payment, amount_minor, currency = capture.payment, capture.amount_minor, capture.currency
    money_count(payment, amount_minor)
    taken = F("captured_minor") + amount_minor
    _shares(payment).filter(order_id=capture.order_id).update(
        captured_minor=taken,
        voided_minor=Least(F("voided_minor"), F("amount_minor") - taken),
    )
    post(
        shard_key=payment.shard_key,
        kind="capture",
        ref=f"fact:{fact.id}",
        legs=[
            Leg(
                code="channel_clearing",
                amount_minor=amount_minor,
                currency=currency,
                channel=capture.attempt.channel,
            ),
            Leg(
                code="escrow",
                amount_minor=-amount_minor,
                currency=currency,
                order_id=capture.order_id,
                merchant_id=capture.merchant_id,
            ),
        ],
        actor=actor,
        at=fact.at,
    )


def _revive(capture: Capture, actor: Actor) -> None:
    """Money for a payment that had ended is money all the same."""
    if capture.payment.status == "closed":
        payload = {"attempt_id": str(capture.attempt_id), "open_attempt_id": None}
        fire(capture.payment, verb="capture", actor=actor, payload=payload)


def _settle(payment: Payment, actor: Actor) -> None:
    """Ends a payment of which nothing is open any more."""
    if payment.status != "authorised" or any(share.open_minor for share in _shares(payment)):
        return
    attempt = _promise(payment)
    released = payment.captures.filter(status="succeeded", is_last=True).exists()
    rest = _shares(payment).filter(voided_minor__gt=0).exists() and not released
    fire(
        payment,
        verb="capture" if payment.captured_minor else "close",
        actor=actor,
        payload={
            "attempt_id": str(attempt.id),
            "open_attempt_id": str(attempt.id) if rest else None,
        },
    )


def _promise(payment: Payment) -> Attempt:
    attempt = promising_attempt(payment)
    if attempt is None:
        raise Conflict(
            "payment.not_authorised",
            _("No money is promised for this any more."),
            payment_id=str(payment.id),
            state=payment.status,
        )
    return attempt


def _shares(payment: Payment) -> QuerySet[PaymentShare]:
    return PaymentShare.objects.filter(payment=payment, shard_key=payment.shard_key)


def _share(payment: Payment, order_id: int) -> PaymentShare:
    return _shares(payment).get(order_id=order_id)


def _pending_minor(payment: Payment, order_id: int | None = None) -> int:
    """What the channel was asked to take and has not answered."""
    asked = payment.captures.filter(status="requested", shard_key=payment.shard_key)
    if order_id is not None:
        asked = asked.filter(order_id=order_id)
    return sum(asked.values_list("amount_minor", flat=True))


def _takes_the_rest(payment: Payment, amount_minor: int) -> bool:
    """True where nothing else is open; what was asked for and not answered may have to be retried."""
    return sum(share.open_minor for share in _shares(payment)) == amount_minor


def _exceeds(share: PaymentShare, amount_minor: int) -> Invalid:
    return Invalid(
        "capture.exceeds_authorised",
        _("More than is promised can't be taken."),
        order_id=str(share.order_id),
        amount_minor=amount_minor,
        open_minor=share.open_minor,
    )
