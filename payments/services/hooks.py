"""Processing what channels notify: the channel reads it, we fold it, or say why not."""

from datetime import timedelta

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor, Role
from core import clock
from core.command import command
from core.errors import Conflict, DomainError, NotFound
from core.hooks import hook_settle
from core.models import Hook
from core.outbox import Postpone
from payments.channels.base import Notice, channel_named, told_by, told_with
from payments.locks import lock_attempt, lock_capture, lock_payout, lock_refund
from payments.models import ChannelFact, PayoutFact
from payments.models.fact import ABOUT_DISPUTES, ABOUT_REFUNDS
from payments.selectors import attempt_id_of_ref
from payments.services.capture import capture_tell
from payments.services.chargeback import chargeback_tell
from payments.services.collect import attempt_tell
from payments.services.facts import Said, id_in
from payments.services.payout import PayoutSaid, payout_tell
from payments.services.refund import refund_tell

Kind = ChannelFact.Kind

ABOUT_PAYOUTS = {"payout_paid": PayoutFact.Kind.PAID, "payout_failed": PayoutFact.Kind.FAILED}
# A notice may be faster than our own commit; after this it is about nothing of ours.
PATIENCE = timedelta(minutes=10)
PAUSE_SECONDS = 5
LONGEST_REFERENCE = 100


@command
def hook_process(*, hook_id: int, actor: Actor) -> Hook:
    """Takes in a stored notification once: what it says becomes a fact, or the hook says why not.

    `ignored`: a kind that says nothing to us. `review`: it does not fit what was asked; nothing is
    changed. `unmatched`: about nothing of ours, after ten minutes of patience, during which this
    raises Postpone. Locks the payment, then the attempt, the capture or the refund, or the attempt
    and its chargeback; or the merchant, then the payout. Emits as `attempt_tell()`,
    `capture_tell()`, `refund_tell()`, `chargeback_tell()` and `payout_tell()` do.
    """
    hook = Hook.objects.get(pk=hook_id)
    if hook.state != Hook.State.RECEIVED:
        return hook
    try:
        with transaction.atomic():
            hook.state, hook.note = _take(hook), ""
    except NotFound as unknown:
        if clock.now() - hook.received_at < PATIENCE:
            raise Postpone(PAUSE_SECONDS) from unknown
        hook.state, hook.note = Hook.State.UNMATCHED, str(unknown)
    except DomainError as refusal:
        hook.state, hook.note = Hook.State.REVIEW, f"{refusal} {refusal.facts}"
    hook_settle(hook, Hook.State(hook.state), hook.note)
    return hook


def _take(hook: Hook) -> Hook.State:
    notice = channel_named(hook.channel).notice(bytes(hook.payload))
    actor = Actor(Role.CHANNEL, hook.channel)
    if notice and notice.kind in ABOUT_PAYOUTS:
        return _take_payout(notice, actor)
    if notice is None or notice.kind not in Kind.values:
        return Hook.State.IGNORED
    if notice.kind in ABOUT_REFUNDS:
        refund = lock_refund(_object_id(notice))
        _require_own(refund.channel, hook)
        refund_tell(refund=refund, said=_said(notice), actor=actor)
    elif notice.kind in ABOUT_DISPUTES:
        attempt = lock_attempt(_disputed_id(notice, hook.channel))
        _require_own(attempt.channel, hook)
        chargeback_tell(attempt=attempt, said=_said(notice), actor=actor)
    elif notice.payment_key:
        capture = lock_capture(_object_id(notice))
        _require_own(capture.attempt.channel, hook)
        capture_tell(capture=capture, said=_said(notice), actor=actor)
    else:
        attempt = lock_attempt(_object_id(notice))
        _require_own(attempt.channel, hook)
        attempt_tell(attempt=attempt, said=_said(notice), actor=actor)
    return Hook.State.PROCESSED


def _take_payout(notice: Notice, actor: Actor) -> Hook.State:
    """Our key of a payout's try is its id, from the second on with the number of the try."""
    _number, _dot, try_number = notice.key.partition(".")
    said = PayoutSaid(
        kind=ABOUT_PAYOUTS[notice.kind],
        try_number=id_in(try_number) if try_number else 1,
        amount_minor=notice.amount_minor,
        currency=notice.currency,
        channel_ref=notice.ref[:LONGEST_REFERENCE],
        origin=ChannelFact.Origin.WEBHOOK,
        failure_code=notice.failure_code[:LONGEST_REFERENCE],
    )
    payout_tell(payout=lock_payout(id_in(notice.key)), said=said, actor=actor)
    return Hook.State.PROCESSED


def _object_id(notice: Notice) -> int:
    """Our id in the key; 0, which is nobody's, for a key that we never gave.

    An attempt is tried once; captures and refunds, which name their payment too, again and again.
    """
    _, _, try_number = notice.key.partition(".")
    has_tries = notice.kind in ABOUT_REFUNDS or notice.payment_key
    return id_in(notice.key) if has_tries or not try_number else 0


def _disputed_id(notice: Notice, channel: str) -> int:
    """The attempt whose money is disputed: its key, or what the channel itself calls the payment."""
    if notice.key:
        return _object_id(notice)
    return attempt_id_of_ref(channels=told_with(channel), channel_ref=notice.payment_ref) or 0


def _require_own(channel: str, hook: Hook) -> None:
    """A channel that knows another's key has no say in it. Raises Conflict `hook.other_channel`."""
    if told_by(channel) != hook.channel:
        raise Conflict(
            "hook.other_channel",
            _("The notification is about a payment at another channel."),
            channel=channel,
        )


def _said(notice: Notice) -> Said:
    return Said(
        kind=notice.kind,
        amount_minor=notice.amount_minor,
        currency=notice.currency,
        channel_ref=notice.ref[:LONGEST_REFERENCE],
        origin=ChannelFact.Origin.WEBHOOK,
        failure_code=notice.failure_code,
    )
