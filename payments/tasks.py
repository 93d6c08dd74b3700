"""Celery's edges of the money: whoever owes us an outcome for too long is asked for it."""

from celery import shared_task

from accounts.actors import Actor, Role
from payments.channels.base import ChannelDown, ChannelRefused, channel_named
from payments.handlers import refund_at_channel
from payments.models import Attempt, ChannelFact, Refund
from payments.selectors import unknown_attempt_ids, unknown_refund_ids
from payments.services.collect import attempt_answer_record
from payments.services.refund import refund_answer_record

MOST_AT_ONCE = 500


@shared_task
def ask_channels() -> None:
    """Has every attempt and refund asked after whose outcome is overdue; repeated, no harm."""
    for attempt_id in unknown_attempt_ids(most=MOST_AT_ONCE):
        ask_after_attempt.delay(attempt_id)
    for refund_id in unknown_refund_ids(most=MOST_AT_ONCE):
        ask_after_refund.delay(refund_id)


@shared_task(throws=(ChannelDown, ChannelRefused))
def ask_after_attempt(attempt_id: int) -> None:
    """Asks the channel by our key and records what it says; without an answer the clock asks again."""
    attempt = Attempt.objects.get(pk=attempt_id)
    answer = channel_named(attempt.channel).query(attempt.channel_key)
    attempt_answer_record(
        attempt_id=attempt_id,
        answer=answer,
        actor=Actor(Role.CHANNEL, attempt.channel),
        origin=ChannelFact.Origin.QUERY,
    )


@shared_task(throws=(ChannelDown, ChannelRefused))
def ask_after_refund(refund_id: int) -> None:
    """Asks the channel by our key and records what it says; without an answer the clock asks again."""
    refund = Refund.objects.select_related("attempt").get(pk=refund_id)
    if refund.attempt is None:  # what becomes store credit is never on its way
        return
    channel = refund.attempt.channel
    answer = channel_named(channel).query_refund(refund.channel_key)
    refund_answer_record(
        refund_id=refund_id,
        answer=answer,
        actor=Actor(Role.CHANNEL, channel),
        origin=ChannelFact.Origin.QUERY,
    )


@shared_task(throws=(ChannelDown, ChannelRefused))
def send_refund(refund_id: int) -> None:
    """Asks the channel for a refund whose event does not get on; by the same key, so never twice."""
    refund_at_channel(refund_id)
