"""Processing what channels notify: parse to a fact, fold it, or say why not."""

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor, Role
from core import clock
from core.command import command
from core.errors import DomainError, Invalid, NotFound
from core.hooks import hook_settle
from core.models import Hook
from core.outbox import Postpone
from payments.locks import lock_attempt, lock_refund
from payments.models import ChannelFact
from payments.services.chargeback import chargeback_tell
from payments.services.collect import attempt_tell
from payments.services.facts import Said
from payments.services.refund import refund_tell

Kind = ChannelFact.Kind

KINDS = {
    "payment.authorised": Kind.AUTHORISED,
    "payment.captured": Kind.CAPTURED,
    "payment.failed": Kind.FAILED,
    "payment.closed": Kind.CLOSED,
    "refund.succeeded": Kind.REFUND_SUCCEEDED,
    "refund.failed": Kind.REFUND_FAILED,
    "chargeback.opened": Kind.CHARGEBACK_OPENED,
    "chargeback.won": Kind.CHARGEBACK_WON,
    "chargeback.lost": Kind.CHARGEBACK_LOST,
}
# A dispute's key is that of the payment that it is about; its reference names the dispute.
DISPUTES = (Kind.CHARGEBACK_OPENED, Kind.CHARGEBACK_WON, Kind.CHARGEBACK_LOST)
# A notice may be faster than our own commit; after this it is about nothing of ours.
PATIENCE = timedelta(minutes=10)
PAUSE_SECONDS = 5
LARGEST_ID = 2**63 - 1
LONGEST_REFERENCE = 100


@dataclass(frozen=True, slots=True)
class Notice:
    """A notification, understood: which of our keys it is about and what it says of it."""

    key: str
    said: Said

    @property
    def is_about_refund(self) -> bool:
        """True for a refund, False for an attempt."""
        return self.said.kind in (Kind.REFUND_SUCCEEDED, Kind.REFUND_FAILED)

    @property
    def object_id(self) -> int:
        """Our id in the key; 0, which is nobody's, for a key that we never gave."""
        number, _, try_number = self.key.partition(".")
        ours = number.isascii() and number.isdecimal() and int(number) <= LARGEST_ID
        return int(number) if ours and (self.is_about_refund or not try_number) else 0


@command
def hook_process(*, hook_id: int, actor: Actor) -> Hook:
    """Takes in a stored notification once: what it says becomes a fact, or the hook says why not.

    `ignored`: a kind that says nothing to us. `review`: it does not fit what was asked; nothing is
    changed. `unmatched`: about nothing of ours, after ten minutes of patience, during which this
    raises Postpone. Locks the payment, then the attempt or the refund. Emits as `attempt_tell()`
    and `refund_tell()` do.
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
    notice = _parse(bytes(hook.payload))
    if notice is None:
        return Hook.State.IGNORED
    actor = Actor(Role.CHANNEL, hook.channel)
    if notice.is_about_refund:
        refund_tell(refund=lock_refund(notice.object_id), said=notice.said, actor=actor)
    elif notice.said.kind in DISPUTES:
        chargeback_tell(attempt=lock_attempt(notice.object_id), said=notice.said, actor=actor)
    else:
        attempt_tell(attempt=lock_attempt(notice.object_id), said=notice.said, actor=actor)
    return Hook.State.PROCESSED


def _parse(body: bytes) -> Notice | None:
    """None for a kind that we do not know. Raises Invalid `hook.malformed`."""
    document = json.loads(body)
    if not isinstance(document, dict):
        raise _malformed("body")
    kind = KINDS.get(str(document.get("kind")))
    if kind is None:
        return None
    said = Said(
        kind=kind,
        amount_minor=_member(document, "amount_minor", int),
        currency=_member(document, "currency", str),
        channel_ref=_member(document, "ref", str)[:LONGEST_REFERENCE],
        origin=ChannelFact.Origin.WEBHOOK,
    )
    return Notice(_member(document, "key", str), said)


def _member(document: dict[str, Any], name: str, kind: type) -> Any:
    value = document.get(name)
    if type(value) is not kind or not value:  # JSON's true is an int to Python
        raise _malformed(name)
    return value


def _malformed(name: str) -> Invalid:
    return Invalid("hook.malformed", _("The notification can't be read."), member=name)
