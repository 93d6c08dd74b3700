"""Celery's edges of the money: who owes us an outcome is asked for it, and channels are reconciled with."""

from datetime import date

from celery import shared_task

from accounts.actors import Actor, Role, system
from core.sweep import sweep
from payments.channels import payout as payout_channel
from payments.channels.base import (
    NOT_FOUND,
    ChannelDown,
    ChannelRefused,
    channel_named,
    listing_channels,
)
from payments.handlers import about, capture_at_channel, pay_at_channel, refund_at_channel
from payments.lists import channels_due, days_due, listed_just_now
from payments.models import Attempt, Capture, ChannelFact, Payout, Refund
from payments.selectors import (
    promised_attempt_ids,
    retriable_capture_ids,
    unknown_attempt_ids,
    unknown_capture_ids,
    unknown_refund_ids,
)
from payments.services.capture import capture_answer_record, capture_retry
from payments.services.collect import attempt_answer_record
from payments.services.day import settlement_day_close
from payments.services.payout import payout_answer_record
from payments.services.reconcile import channel_reconcile
from payments.services.refund import refund_answer_record
from payments.services.statement import settle_due
from payments.statements import unknown_payout_ids

MOST_AT_ONCE = 500


@shared_task
def ask_channels() -> None:
    """Has all asked after whose outcome is overdue: attempts, captures, refunds, payouts.

    What is only promised is asked after, too, now and then: the channel may have let it go.
    """
    for attempt_id in unknown_attempt_ids(most=MOST_AT_ONCE):
        ask_after_attempt.delay(attempt_id)
    for attempt_id in promised_attempt_ids(most=MOST_AT_ONCE):
        ask_after_attempt.delay(attempt_id)
    for capture_id in unknown_capture_ids(most=MOST_AT_ONCE):
        ask_after_capture.delay(capture_id)
    for refund_id in unknown_refund_ids(most=MOST_AT_ONCE):
        ask_after_refund.delay(refund_id)
    for payout_id in unknown_payout_ids(most=MOST_AT_ONCE):
        ask_after_payout.delay(payout_id)


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
def ask_after_capture(capture_id: int) -> None:
    """Asks the channel by our key and records what it says.

    One that does not know of it was never asked: its event is stuck, and the ask stands in for it.
    """
    capture = Capture.objects.select_related("attempt").get(pk=capture_id)
    channel = capture.attempt.channel
    try:
        said = channel_named(channel).query_capture(
            key=capture.channel_key, payment_key=capture.attempt.channel_key
        )
    except ChannelRefused as refusal:
        if refusal.code != NOT_FOUND:
            raise
        capture_at_channel(capture_id)
        return
    capture_answer_record(
        capture_id=capture_id,
        answer=about(capture, said),
        actor=Actor(Role.CHANNEL, channel),
        origin=ChannelFact.Origin.QUERY,
    )


@shared_task
def retry_captures() -> int:
    """Asks again for what a channel would not take, while its promise stands; answers how many."""
    return sweep(
        retriable_capture_ids(most=MOST_AT_ONCE),
        lambda capture_id: capture_retry(capture_id=capture_id, actor=system("capture clock")),
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


@shared_task(throws=(ChannelDown, ChannelRefused))
def ask_after_payout(payout_id: int) -> None:
    """Asks the channel by our key and records what it says; without an answer the clock asks again."""
    payout = Payout.objects.get(pk=payout_id)
    payout_answer_record(
        payout_id=payout_id,
        try_number=payout.tries,
        answer=payout_channel.query(payout.channel_key),
        actor=Actor(Role.CHANNEL, payout_channel.NAME),
        origin=ChannelFact.Origin.QUERY,
    )


@shared_task(throws=(ChannelDown, ChannelRefused))
def send_payout(payout_id: int) -> None:
    """Sends an approved payout that was held back or got stuck; by the same key, so never twice."""
    pay_at_channel(payout_id)


@shared_task
def close_due_statements() -> None:
    """Opens the statements that are missing and closes those whose period is over."""
    settle_due()


@shared_task
def reconcile_due() -> None:
    """Has every channel listed that has not been for an hour, and every day closed that is over."""
    for channel in channels_due():
        reconcile_channel.delay(channel)
    for channel in listing_channels():
        for day in days_due(channel):
            close_day.delay(channel, day.isoformat())


@shared_task(throws=(ChannelDown, ChannelRefused))
def reconcile_channel(channel: str) -> None:
    """Takes in what the channel lists, unless somebody has done so within the last minute."""
    if not listed_just_now(channel):
        channel_reconcile(channel=channel, actor=system("reconciliation"))


@shared_task(throws=(ChannelDown, ChannelRefused))
def close_day(channel: str, day: str) -> None:
    """Certifies a day; while the channel does not answer the clock asks again."""
    settlement_day_close(
        channel=channel, day=date.fromisoformat(day), actor=system("reconciliation")
    )
