"""What channels say, kept as they said it. States are folded from these rows, never set from a message."""

from dataclasses import dataclass

from django.utils.translation import gettext_lazy as _

from core import clock
from core.errors import Conflict
from payments.channels.base import Answer
from payments.models import Attempt, Capture, ChannelFact, Chargeback, Refund

Kind = ChannelFact.Kind
Subject = Attempt | Capture | Refund | Chargeback

KIND_OF_STATUS = {
    "authorised": Kind.AUTHORISED,
    "captured": Kind.CAPTURED,
    "failed": Kind.FAILED,
    "closed": Kind.CLOSED,
}
KIND_OF_CAPTURE_STATUS = {"succeeded": Kind.CAPTURED, "failed": Kind.CAPTURE_FAILED}
KIND_OF_REFUND_STATUS = {"succeeded": Kind.REFUND_SUCCEEDED, "failed": Kind.REFUND_FAILED}
LARGEST_ID = 2**63 - 1
MOVES_MONEY = (Kind.CAPTURED, Kind.REFUND_SUCCEEDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One statement of a channel, and how we came to know it (`ChannelFact.Origin`)."""

    kind: str
    amount_minor: int
    currency: str
    channel_ref: str
    origin: str
    failure_code: str = ""


def said_by_answer(answer: Answer, kind: str, *, key: str, origin: str) -> Said:
    """An answer as a statement. Where the channel has no reference of its own, our key stands in."""
    return Said(
        kind=kind,
        amount_minor=answer.amount_minor,
        currency=answer.currency,
        channel_ref=answer.ref or key,
        origin=origin,
        failure_code=answer.failure_code,
    )


def fact_insert(subject: Subject, said: Said) -> ChannelFact | None:
    """Keeps a statement about a locked attempt, capture, refund or chargeback; None when it was known.

    Raises Conflict, before anything is written: `fact.amount` for another amount or currency,
    `fact.reference` when the reference was another's, `fact.twice` for money moved a second time.
    """
    if (said.amount_minor, said.currency) != (subject.amount_minor, subject.currency):
        raise refusal("fact.amount", subject, said)
    role = subject.machine.noun
    attempt = subject if isinstance(subject, Attempt) else subject.attempt
    if attempt is None:  # store credit, of which no channel knows
        raise refusal("fact.reference", subject, said)
    channel = attempt.channel
    known = ChannelFact.objects.filter(
        shard_key=subject.shard_key,
        channel=channel,
        kind=said.kind,
        channel_ref=said.channel_ref,
    ).first()
    if known:
        if getattr(known, f"{role}_id") != subject.id:
            raise refusal("fact.reference", subject, said)
        return None
    if said.kind in MOVES_MONEY and subject.facts.filter(kind=said.kind).exists():
        raise refusal("fact.twice", subject, said)
    fact = ChannelFact.build(
        subject.shard_key,
        channel=channel,
        kind=said.kind,
        amount_minor=said.amount_minor,
        currency=said.currency,
        channel_ref=said.channel_ref,
        origin=said.origin,
        at=clock.now(),
        **{role: subject},
    )
    ChannelFact.objects.bulk_create([fact])
    return fact


def id_in(key: str) -> int:
    """Our id in a key that a channel names, which may count its tries; 0, nobody's, for another's key."""
    number, _dot, _try_number = key.partition(".")
    ours = number.isascii() and number.isdecimal() and len(number) <= len(str(LARGEST_ID))
    return int(number) if ours and int(number) <= LARGEST_ID else 0


def kinds_of(subject: Subject) -> set[str]:
    """What has been said of it so far."""
    return set(subject.facts.values_list("kind", flat=True))


def refusal(code: str, subject: Subject, said: Said) -> Conflict:
    """What a channel says that can't be true of what it was asked."""
    return Conflict(
        code,
        _("What the channel says does not fit what it was asked."),
        id=str(subject.id),
        kind=said.kind,
        amount_minor=said.amount_minor,
        currency=said.currency,
        channel_ref=said.channel_ref,
    )
