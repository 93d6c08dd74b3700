"""What money does about events: asks channels, one stream per payment, and takes in their notices."""

import logging
from collections.abc import Callable
from dataclasses import replace

from django.conf import settings

from accounts.actors import Actor, Role, system
from core.crash import crash_point
from core.errors import Conflict
from core.outbox import Event, Fact, emit, external, on, on_batch
from payments.channels import cash_on_delivery, sandbox  # noqa: F401 they register themselves
from payments.channels import payout as payout_channel
from payments.channels.base import NOT_FOUND, Answer, ChannelRefused, Charge, channel_named
from payments.models import Attempt, Capture, Payout, Refund
from payments.services.capture import capture_answer_record
from payments.services.collect import attempt_answer_record
from payments.services.hooks import hook_process
from payments.services.payout import payout_answer_record, payout_send
from payments.services.refund import refund_answer_record, refund_send
from payments.states import PAYMENT

if settings.STRIPE_API_KEY:
    from payments.channels import stripe  # noqa: F401 it registers itself, and takes its time

logger = logging.getLogger(__name__)

# What happened → what to ask the channel for, and which member of the payload names the object.
REQUESTS = {
    "attempt.started": ("channel.create_requested", "attempt_id"),
    "attempt.close_requested": ("channel.close_requested", "attempt_id"),
    "payment.closed": ("channel.close_requested", "open_attempt_id"),
    "payment.captured": ("channel.close_requested", "open_attempt_id"),
    "capture.requested": ("channel.capture_requested", "capture_id"),
    "refund.approved": ("channel.refund_requested", "refund_id"),
}


@on_batch(*REQUESTS)
def ask_channel(events: list[Event]) -> None:
    """Puts what to ask into the payment's own stream to its channel, in the order it happened.

    No channel is asked for what becomes store credit.
    """
    asked = [event for event in events if event.payload.get(REQUESTS[event.type][1])]
    emit([_request(e) for e in asked if e.payload.get("destination") != "store_credit"])


def _request(event: Event) -> Fact:
    request, named_by = REQUESTS[event.type]
    return Fact(
        stream=("channel", int(event.payload["payment_id"])),
        shard_key=event.shard_key,
        type=request,
        object_id=int(event.payload[named_by]),
        external=True,
    )


@on("payment_hook.received")
def take_notice(event: Event) -> None:
    """A channel has told something."""
    hook_process(hook_id=event.object_id, actor=system("payment hook"))


@external("channel")
def call_channel(event: Event) -> None:
    """Calls the channel outside any transaction and records the answer in one of its own."""
    CALLS[event.type](event.object_id)


def create_at_channel(attempt_id: int) -> None:
    """Asks for the money, unless the payment has ended before the channel knew of it.

    Its end has asked for the close that takes such an attempt out of the way.
    """
    attempt = _attempt(attempt_id)
    if attempt.status != "created" or attempt.payment.status not in PAYMENT.waiting:
        return
    charge = Charge(
        key=attempt.channel_key,
        amount_minor=attempt.amount_minor,
        currency=attempt.currency,
        token=attempt.token,
        return_url=attempt.return_url,
        expires_at=attempt.expires_at,
        capture_later=attempt.captures_later,
    )
    try:
        answer = channel_named(attempt.channel).create(charge)
    except ChannelRefused as refusal:
        answer = _refused(attempt, "failed", refusal)
    _record(attempt, answer)


def close_at_channel(attempt_id: int) -> None:
    """Asks that nobody can pay any more; what was captured before comes back as just that."""
    attempt = _attempt(attempt_id)
    if not attempt.may_still_pay:
        return
    try:
        answer = about(attempt, channel_named(attempt.channel).close(attempt.channel_key))
    except ChannelRefused as refusal:
        if refusal.code != NOT_FOUND:
            raise
        answer = _refused(attempt, "closed", refusal)
    _record(attempt, answer)


def capture_at_channel(capture_id: int) -> None:
    """Asks for promised money; repeated, by the same key."""
    capture = Capture.objects.select_related("attempt").get(pk=capture_id)
    if capture.status != "requested":
        return
    attempt = capture.attempt
    try:
        said = channel_named(attempt.channel).capture(
            key=capture.channel_key,
            payment_key=attempt.channel_key,
            amount_minor=capture.amount_minor,
            is_last=capture.is_last,
        )
        answer = about(capture, said)
    except ChannelRefused as refusal:
        answer = _refused(capture, "failed", refusal)
    crash_point("after_channel_before_commit")
    capture_answer_record(capture_id=capture.id, answer=answer, actor=_actor(attempt))


def refund_at_channel(refund_id: int) -> None:
    """Says that the channel is asked, then asks."""
    refund = refund_send(refund_id=refund_id, actor=system("channel"))
    if refund.status != "sent":
        return
    attempt = refund.attempt
    if attempt is None:  # nobody sends store credit
        return
    try:
        answer = channel_named(attempt.channel).refund(
            key=refund.channel_key,
            payment_key=attempt.channel_key,
            amount_minor=refund.amount_minor,
            **({"account": refund.account} if refund.account else {}),
        )
    except ChannelRefused as refusal:
        answer = _refused(refund, "failed", refusal)
    crash_point("after_channel_before_commit")
    refund_answer_record(refund_id=refund.id, answer=answer, actor=_actor(attempt))


CALLS: dict[str, Callable[[int], None]] = {
    "channel.create_requested": create_at_channel,
    "channel.close_requested": close_at_channel,
    "channel.capture_requested": capture_at_channel,
    "channel.refund_requested": refund_at_channel,
}


@on_batch("payout.approved")
def pay_merchant(events: list[Event]) -> None:
    """Puts what to pay out into a stream of the payout's own to its channel."""
    emit(
        [
            Fact(
                stream=("payout_channel", event.object_id),
                shard_key=event.shard_key,
                type="channel.payout_requested",
                object_id=event.object_id,
                external=True,
            )
            for event in events
        ]
    )


@external("payout_channel")
def call_payout_channel(event: Event) -> None:
    """Calls the channel outside any transaction and records the answer in one of its own."""
    pay_at_channel(event.object_id)


def pay_at_channel(payout_id: int) -> None:
    """Says that the channel is asked, then asks. What is held back the monitor has sent later."""
    try:
        payout = payout_send(payout_id=payout_id, actor=system("channel"))
    except Conflict as refusal:
        logger.warning("payout %s is not sent: %s", payout_id, refusal)
        return
    if payout.status != "sent" or payout.account is None:
        return
    try:
        answer = payout_channel.create(
            key=payout.channel_key,
            amount_minor=payout.amount_minor,
            currency=payout.currency,
            holder=payout.account.holder,
            iban=payout.account.iban,
        )
    except ChannelRefused as refusal:
        answer = _refused(payout, "failed", refusal)
    crash_point("after_channel_before_commit")
    payout_answer_record(
        payout_id=payout.id,
        try_number=payout.tries,
        answer=answer,
        actor=Actor(Role.CHANNEL, payout_channel.NAME),
    )


def _attempt(attempt_id: int) -> Attempt:
    return Attempt.objects.select_related("payment").get(pk=attempt_id)


def _record(attempt: Attempt, answer: Answer) -> None:
    crash_point("after_channel_before_commit")
    attempt_answer_record(attempt_id=attempt.id, answer=answer, actor=_actor(attempt))


def _refused(
    subject: Attempt | Capture | Refund | Payout, status: str, refusal: ChannelRefused
) -> Answer:
    """A refusal says nothing of money, so the answer is about what was asked."""
    return Answer(
        status=status,
        amount_minor=subject.amount_minor,
        currency=subject.currency,
        failure_code=refusal.code[:100],
    )


def about(subject: Attempt | Capture, answer: Answer) -> Answer:
    """A channel that keeps no book says yes or no, and that to just what it was asked."""
    if answer.currency:
        return answer
    return replace(answer, amount_minor=subject.amount_minor, currency=subject.currency)


def _actor(attempt: Attempt) -> Actor:
    return Actor(Role.CHANNEL, attempt.channel)
