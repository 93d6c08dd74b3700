"""Comparing with what a channel lists: what only it knows becomes a fact, the rest a difference.

Nothing is mended by an UPDATE. A list is read outside any transaction, and each of its rows is taken
in by one of its own, so that whatever breaks off is taken up again by the next run.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice

from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor, system
from core import clock
from core.command import command, in_savepoint
from core.errors import Conflict, DomainError, NotFound
from core.ids import gene_of
from payments.channels.base import (
    Answer,
    Channel,
    ChannelDown,
    ChannelRefused,
    Movement,
    channel_named,
    listed_with,
)
from payments.lists import facts_unlisted, matched_differences, movements_unknown
from payments.locks import lock_attempt, lock_capture, lock_refund
from payments.models import (
    Attempt,
    Capture,
    ChannelFact,
    ChannelRecord,
    Difference,
    DifferenceResolution,
    ReconciliationRun,
    Refund,
)
from payments.models.fact import ABOUT_DISPUTES, ABOUT_REFUNDS
from payments.services.capture import capture_tell
from payments.services.chargeback import chargeback_tell
from payments.services.collect import attempt_tell
from payments.services.difference import difference_find, difference_settle, fee_legs
from payments.services.facts import Said, id_in
from payments.services.ledger import post
from payments.services.refund import refund_tell

Kind = ChannelFact.Kind

WINDOW = timedelta(hours=26)
# What we have been told of may have moved that much earlier, before the list begins.
OVERLAP = timedelta(hours=2)
# A list may be behind what a channel has told.
YOUNG = timedelta(minutes=10)
AT_ONCE = 500
LONGEST_REFERENCE, LONGEST_KEY = 100, 255


def channel_reconcile(
    *, channel: str, actor: Actor, since: datetime | None = None
) -> ReconciliationRun:
    """Takes in what the channel has moved since then, in our time, and looks for what it lacks.

    Without `since` the last 26 hours. Repeated, it changes nothing. Raises ChannelDown,
    ChannelRefused, when some rows may have been taken in; Invalid `payment.channel_unknown`.
    """
    until = clock.now()
    since = since or until - WINDOW
    ahead = until - datetime.now(UTC)  # of the channel's time, in a demo and in tests
    count = 0
    for rows in _batches(channel_named(channel).movements(since - ahead)):
        count += len(rows)
        for movement in movements_unknown(channel, rows):
            movement_record(channel=channel, movement=movement, actor=actor)
    for fact in facts_unlisted(channel, since=since + OVERLAP, until=until - YOUNG):
        if (said := _asked_again(fact)) is not None:
            fact_missing_record(channel=channel, fact_id=fact.pk, said=said, actor=actor)
    for difference_id in matched_differences(channel):
        difference_settle(
            difference_id=difference_id,
            verdict=DifferenceResolution.Verdict.MATCHED,
            reason="both sides have it now",
            actor=system("reconciliation"),
        )
    return run_record(channel=channel, since=since, until=until, records=count, actor=actor)


def _batches(movements: Iterable[Movement]) -> Iterator[list[Movement]]:
    rows = iter(movements)
    while batch := list(islice(rows, AT_ONCE)):
        yield batch


def _asked_again(fact: ChannelFact) -> str | None:
    """What the channel says by our key of what its list lacks; None where it does not answer."""
    channel = channel_named(fact.channel)
    try:
        answer = _query(channel, fact)
    except ChannelRefused as refusal:
        return f"asked again: {refusal.code}"
    except ChannelDown:
        return None
    return f"asked again: {answer.status} {answer.amount_minor} {answer.currency}"


def _query(channel: Channel, fact: ChannelFact) -> Answer:
    """Of a dispute the channel tells how the payment stands that it is about."""
    if fact.refund:
        return channel.query_refund(fact.refund.channel_key)
    if fact.capture:
        payment_key = fact.capture.attempt.channel_key
        return channel.query_capture(key=fact.capture.channel_key, payment_key=payment_key)
    return channel.query(fact.subject.channel_key)


@command
def movement_record(*, channel: str, movement: Movement, actor: Actor) -> ChannelRecord:
    """Takes in one row of a channel's list: kept as it came, its fee booked once, its money a fact.

    What does not fit is a difference, and changes nothing else. Locks the payment, then the attempt,
    the capture or the refund, or the attempt and its chargeback. Emits as `attempt_tell()`,
    `capture_tell()`, `refund_tell()` and `chargeback_tell()` do.
    """
    record = _new_record(channel, movement)
    ChannelRecord.objects.bulk_create([record], ignore_conflicts=True)
    known = ChannelRecord.objects.get(
        shard_key=record.shard_key, channel=channel, kind=record.kind, ref=record.ref
    )
    if known.pk == record.pk:
        _book_fee(record, actor)
    elif _sums(known) == _sums(record):
        return known
    else:
        _differ_from_before(known, record)
    try:
        in_savepoint(lambda: _tell(record, actor), keep=lambda _: True)
    except DomainError as refusal:
        _differ(record, refusal)
    return known


def _new_record(channel: str, movement: Movement) -> ChannelRecord:
    return ChannelRecord.build(
        gene_of(id_in(movement.key)),
        channel=channel,
        kind=movement.kind,
        key=movement.key[:LONGEST_KEY],
        ref=(movement.ref or movement.key)[:LONGEST_REFERENCE],
        amount_minor=movement.amount_minor,
        currency=movement.currency,
        fee_minor=movement.fee_minor,
        at=movement.at,
        seen_at=clock.now(),
    )


def _sums(record: ChannelRecord) -> tuple[int, str, int]:
    return record.amount_minor, record.currency, record.fee_minor


def _book_fee(record: ChannelRecord, actor: Actor) -> None:
    if record.fee_minor:
        post(
            shard_key=record.shard_key,
            kind="channel_fee",
            ref=f"record:{record.id}",
            legs=fee_legs(record.fee_minor, currency=record.currency, channel=record.channel),
            actor=actor,
        )


def _tell(record: ChannelRecord, actor: Actor) -> None:
    """The same way as a notification's, so that it does not matter which of them comes first."""
    said = Said(
        kind=record.kind,
        amount_minor=record.amount_minor,
        currency=record.currency,
        channel_ref=record.ref,
        origin=ChannelFact.Origin.RECON,
    )
    object_id, model = id_in(record.key), _model_of(record)
    if model is Refund:
        refund = lock_refund(object_id)
        _require_listed(refund.channel, record)
        refund_tell(refund=refund, said=said, actor=actor)
    elif model is Capture:
        capture = lock_capture(object_id)
        _require_listed(capture.attempt.channel, record)
        capture_tell(capture=capture, said=said, actor=actor)
    else:
        attempt = lock_attempt(object_id)
        _require_listed(attempt.channel, record)
        tell = chargeback_tell if record.kind in ABOUT_DISPUTES else attempt_tell
        tell(attempt=attempt, said=said, actor=actor)


def _require_listed(channel: str, record: ChannelRecord) -> None:
    """A channel that knows another's key has no say in it."""
    if channel not in listed_with(record.channel):
        raise Conflict(
            "record.other_channel",
            _("The list names a payment at another channel."),
            channel=channel,
        )


def _differ(record: ChannelRecord, refusal: DomainError) -> None:
    """What could not be taken in waits for somebody to look at it."""
    subject = None if isinstance(refusal, NotFound) else _subject(record)
    kind, ours_minor = Difference.Kind.ONLY_THERE, 0
    if subject and refusal.code == "fact.amount":
        is_other = subject.currency != record.currency
        kind = Difference.Kind.CURRENCY if is_other else Difference.Kind.AMOUNT
        ours_minor = subject.amount_minor
    difference_find(
        shard_key=record.shard_key,
        channel=record.channel,
        kind=kind,
        about=record.kind,
        ref=record.ref,
        payment=subject.payment if subject else None,
        key=record.key,
        ours_minor=ours_minor,
        theirs_minor=record.amount_minor,
        currency=record.currency,
        note=refusal,
    )


def _model_of(record: ChannelRecord) -> type[Attempt] | type[Capture] | type[Refund]:
    """What the row's key names; a dispute's is that of the payment that it is about.

    An attempt is tried once; a capture is stored before its channel hears of it, and stays.
    """
    if record.kind in ABOUT_REFUNDS:
        return Refund
    captures = Capture.objects.filter(pk=id_in(record.key), shard_key=record.shard_key)
    return Capture if "." in record.key or captures.exists() else Attempt


def _subject(record: ChannelRecord) -> Attempt | Capture | Refund | None:
    """What of ours the row is about."""
    rows = _model_of(record)._default_manager.select_related("payment")
    return rows.filter(pk=id_in(record.key), shard_key=record.shard_key).first()


def _differ_from_before(known: ChannelRecord, record: ChannelRecord) -> None:
    """A list that says another thing than before; what it says now is heard all the same."""
    subject = _subject(record)
    if known.currency != record.currency:
        kind, ours, theirs = Difference.Kind.CURRENCY, known.amount_minor, record.amount_minor
    elif known.amount_minor != record.amount_minor:
        kind, ours, theirs = Difference.Kind.AMOUNT, known.amount_minor, record.amount_minor
    else:
        kind, ours, theirs = Difference.Kind.FEE, known.fee_minor, record.fee_minor
    difference_find(
        shard_key=record.shard_key,
        channel=record.channel,
        kind=kind,
        about=record.kind,
        ref=record.ref,
        payment=subject.payment if subject else None,
        key=record.key,
        ours_minor=ours,
        theirs_minor=theirs,
        currency=record.currency,
        note="the list says another thing than before",
    )


@command
def fact_missing_record(
    *, channel: str, fact_id: int, said: str, actor: Actor
) -> Difference | None:
    """What we have booked and the list lacks, although the channel was asked again, is a difference.

    None where the list has it by now.
    """
    fact = ChannelFact.objects.get(pk=fact_id)
    named = {"channel": channel, "ref": fact.channel_ref}
    if ChannelRecord.objects.filter(shard_key=fact.shard_key, kind=fact.kind, **named).exists():
        return None
    subject = fact.subject
    return difference_find(
        shard_key=fact.shard_key,
        kind=Difference.Kind.ONLY_HERE,
        about=fact.kind,
        payment=subject.payment,
        key=subject.channel_key,
        ours_minor=fact.amount_minor,
        theirs_minor=0,
        currency=fact.currency,
        note=f"{said} ({actor})",
        **named,
    )


@command
def run_record(
    *, channel: str, since: datetime, until: datetime, records: int, actor: Actor
) -> ReconciliationRun:
    """Says that a list was taken in to its end."""
    run = ReconciliationRun.build(
        0, channel=channel, since=since, until=until, records=records, actor=str(actor)[:80]
    )
    ReconciliationRun.objects.bulk_create([run])
    return run
