"""What is read of channels' lists and of our book beside them; nothing here writes or locks."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import (
    BigIntegerField,
    Case,
    Exists,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)

from core import clock
from core.ids import decode
from core.ids.snowflake import MS_SHIFT
from payments.channels.base import Movement, listed_with, listing_channels
from payments.channels.report import bounds
from payments.models import (
    Attempt,
    ChannelFact,
    ChannelRecord,
    Difference,
    DifferenceResolution,
    ReconciliationDay,
    ReconciliationRun,
)

BRINGS_MONEY = (ChannelFact.Kind.CAPTURED, ChannelFact.Kind.CHARGEBACK_WON)
TAKES_MONEY = (ChannelFact.Kind.REFUND_SUCCEEDED, ChannelFact.Kind.CHARGEBACK_OPENED)
MOVES_MONEY = (*BRINGS_MONEY, *TAKES_MONEY)
LIST_EVERY, JUST_NOW = timedelta(hours=1), timedelta(minutes=1)
# A day is closed that long after its end, and looked for that many days back.
LATE_ROWS = timedelta(minutes=30)
DAYS_BACK = 7
NEAR = timedelta(days=1)
# Ids of one moment and of that moment a day later are so far apart.
NEAR_IDS = int(NEAR.total_seconds() * 1000) << MS_SHIFT
MOST_SUGGESTED = 3
# Why another payment may be meant.
REFERENCE, AMOUNT, AMOUNT_AND_TIME = "reference", "amount", "amount and time"

# What our book has of a channel's day, by the channel's own time where it lists the movement: what
# moved through the clearing account, and the fees booked of it.
BOOKED = """
    WITH listed AS (
        SELECT id, shard_key, kind, ref FROM payments_channelrecord
        WHERE channel = %(channel)s AND at >= %(begin)s AND at < %(end)s
    ), told AS (
        SELECT fact.id, fact.shard_key, fact.kind, fact.channel_ref AS ref, fact.chargeback_id
        FROM payments_channelfact fact
        JOIN listed ON listed.kind = fact.kind AND listed.ref = fact.channel_ref
        WHERE fact.channel = ANY (%(channels)s)
        UNION ALL
        SELECT fact.id, fact.shard_key, fact.kind, fact.channel_ref, fact.chargeback_id
        FROM payments_channelfact fact
        WHERE fact.channel = ANY (%(channels)s) AND fact.kind = ANY (%(kinds)s)
          AND fact.at >= %(begin)s AND fact.at < %(end)s
          AND NOT EXISTS (
              SELECT FROM payments_channelrecord record
              WHERE record.channel = %(channel)s AND record.kind = fact.kind
                AND record.ref = fact.channel_ref)
    ), posted AS (
        SELECT shard_key, kind, ref, id AS fact_id, 'fact:' || id AS posting_ref,
               ARRAY['capture', 'refund'] AS posting_kinds, 1 AS gross, 0 AS fee
        FROM told WHERE chargeback_id IS NULL
        UNION ALL
        SELECT shard_key, kind, ref, id, 'chargeback:' || chargeback_id,
               ARRAY[CASE kind WHEN 'chargeback_opened' THEN 'chargeback' ELSE kind END], 1, 0
        FROM told WHERE chargeback_id IS NOT NULL
        UNION ALL
        SELECT shard_key, kind, ref, NULL, 'record:' || id, ARRAY['channel_fee'], 0, -1 FROM listed
        UNION ALL
        SELECT difference.shard_key, listed.kind, listed.ref, NULL, 'difference:' || difference.id,
               ARRAY['channel_fee'], 0, -1
        FROM listed
        JOIN payments_difference difference ON difference.channel = %(channel)s
             AND difference.kind = 'fee' AND difference.about = listed.kind
             AND difference.ref = listed.ref AND difference.shard_key = listed.shard_key
    )
    SELECT posted.kind, posted.ref, entry.currency, max(posted.fact_id) AS fact_id,
           sum(entry.amount_minor * posted.gross) AS gross_minor,
           sum(entry.amount_minor * posted.fee) AS fee_minor
    FROM posted
    JOIN payments_ledgertransaction posting ON posting.shard_key = posted.shard_key
         AND posting.ref = posted.posting_ref AND posting.kind = ANY (posted.posting_kinds)
    JOIN payments_ledgerentry entry ON entry.transaction_id = posting.id
         AND entry.shard_key = posting.shard_key
         AND entry.account_id = 'channel_clearing:' || entry.currency
    GROUP BY posted.kind, posted.ref, entry.currency
"""


@dataclass(frozen=True, slots=True)
class Row:
    """A movement on one side of a day, in minor units: what came counts up, what left down."""

    kind: str
    ref: str
    currency: str
    gross_minor: int
    fee_minor: int
    key: str = ""
    fact_id: int | None = None

    @property
    def name(self) -> tuple[str, str]:
        """By which the other side's row is found."""
        return self.kind, self.ref


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What a difference may be about, and why that is thought."""

    why: str
    ref: str
    payment_id: int | None


def signed(kind: str, amount_minor: int) -> int:
    """What a movement does to the channel's account."""
    return amount_minor if kind in BRINGS_MONEY else -amount_minor


def booked_rows(channel: str, day: date) -> list[Row]:
    """What our book has of a channel's day, in UTC."""
    begin, end = bounds(day)
    named: dict[str, Any] = {"channel": channel, "channels": listed_with(channel)}
    with connection.cursor() as cursor:
        kinds = [str(kind) for kind in MOVES_MONEY]
        cursor.execute(BOOKED, {**named, "kinds": kinds, "begin": begin, "end": end})
        found = cursor.fetchall()
    return [
        Row(kind, ref, currency, int(gross_minor), int(fee_minor), fact_id=fact_id)
        for kind, ref, currency, fact_id, gross_minor, fee_minor in found
    ]


def movements_unknown(channel: str, movements: Sequence[Movement]) -> list[Movement]:
    """Those of a list's rows that have not been taken in, just as they are."""
    refs = [movement.ref for movement in movements]
    rows = ChannelRecord.objects.filter(channel=channel, ref__in=refs)
    known = set(rows.values_list("kind", "ref", "key", "amount_minor", "currency", "fee_minor"))
    return [m for m in movements if _values(m) not in known]


def _values(movement: Movement) -> tuple[Any, ...]:
    sums = movement.amount_minor, movement.currency, movement.fee_minor
    return movement.kind, movement.ref, movement.key, *sums


def facts_unlisted(channel: str, *, since: datetime, until: datetime) -> QuerySet[ChannelFact]:
    """Money that we have booked between these, and that neither the list nor the queue knows.

    Nothing from before the channel was first listed: a shop may have lived without it, a demo has.
    """
    first = ReconciliationRun.objects.filter(channel=channel).order_by("until").first()
    if first is None:
        return ChannelFact.objects.none()
    same = {
        "shard_key": OuterRef("shard_key"),
        "channel": channel,
        "ref": OuterRef("channel_ref"),
    }
    rows = ChannelFact.objects.filter(
        channel__in=listed_with(channel),
        kind__in=MOVES_MONEY,
        at__gte=max(since, first.until),
        at__lt=until,
    )
    return (
        rows.exclude(Exists(ChannelRecord.objects.filter(kind=OuterRef("kind"), **same)))
        .exclude(Exists(Difference.objects.filter(about=OuterRef("kind"), **same)))
        .select_related("attempt", "capture__attempt", "refund", "chargeback__attempt")
        .order_by("pk")
    )


def open_differences() -> QuerySet[Difference]:
    """Those that nobody has settled."""
    return Difference.objects.filter(resolutions__isnull=True)


def matched_differences(channel: str) -> list[int]:
    """Differences that have gone by themselves: the side that lacked it has heard of it since."""
    same = {"shard_key": OuterRef("shard_key"), "kind": OuterRef("about")}
    listed = ChannelRecord.objects.filter(
        channel=channel, ref=OuterRef("ref"), seen_at__gt=OuterRef("found_at"), **same
    )
    told = ChannelFact.objects.filter(
        channel__in=listed_with(channel),
        channel_ref=OuterRef("ref"),
        at__gt=OuterRef("found_at"),
        **same,
    )
    here = Q(kind=Difference.Kind.ONLY_HERE) & Exists(listed)
    there = Q(kind=Difference.Kind.ONLY_THERE) & Exists(told)
    rows = open_differences().filter(here | there, channel=channel)
    return list(rows.order_by("pk").values_list("pk", flat=True))


def channels_due() -> list[str]:
    """The channels whose list has not been taken in for an hour."""
    recent = ReconciliationRun.objects.filter(until__gt=clock.now() - LIST_EVERY)
    listed = set(recent.values_list("channel", flat=True))
    return [channel for channel in listing_channels() if channel not in listed]


def listed_just_now(channel: str) -> bool:
    """True where the channel's list was taken in within the last minute."""
    recent = ReconciliationRun.objects.filter(until__gt=clock.now() - JUST_NOW)
    return recent.filter(channel=channel).exists()


def days_due(channel: str, *, now: datetime | None = None) -> list[date]:
    """Days that are over and have no certificate, and those whose differences are settled by now.

    By the channel's time; none from before it was first listed.
    """
    first = ReconciliationRun.objects.filter(channel=channel).order_by("pk").first()
    if first is None:
        return []
    now = now or datetime.now(UTC)
    since = max(decode(first.pk).at.date(), (now - timedelta(days=DAYS_BACK)).date())
    last = (now - LATE_ROWS).date() - timedelta(days=1)
    over = [since + timedelta(days=n) for n in range((last - since).days + 1)]
    level = {row.day: row.is_level for row in latest_days(channel).filter(day__in=over)}
    settled = not open_differences().filter(channel=channel).exists()
    return [day for day in over if day not in level or (not level[day] and settled)]


def latest_days(channel: str) -> QuerySet[ReconciliationDay]:
    """The last certificate of each of a channel's days."""
    later = ReconciliationDay.objects.filter(
        channel=OuterRef("channel"), day=OuterRef("day"), number__gt=OuterRef("number")
    )
    return ReconciliationDay.objects.filter(channel=channel).exclude(Exists(later))


def settled_names(channel: str, names: Iterable[tuple[str, str]]) -> dict[tuple[str, str], bool]:
    """Of movements with a difference: whether all that differs of them has been settled."""
    refs = [ref for _, ref in names]
    verdicts = DifferenceResolution.objects.filter(difference=OuterRef("pk"))
    rows = Difference.objects.filter(channel=channel, ref__in=refs).annotate(
        verdict=Subquery(verdicts.values("verdict")[:1])
    )
    settled: dict[tuple[str, str], bool] = {}
    for about, ref, verdict in rows.values_list("about", "ref", "verdict"):
        settled[about, ref] = settled.get((about, ref), True) and verdict is not None
    return settled


def with_suggestion(rows: QuerySet[Difference]) -> QuerySet[Difference]:
    """With `suggested`: why another payment may be meant, as the first of `suggestions()` has it."""
    kinds = Difference.Kind
    near = Value(NEAR_IDS, output_field=BigIntegerField())  # else it would be cut to 32 bits
    recent = Attempt.objects.filter(pk__gte=OuterRef("pk") - near)
    known = recent.filter(channel_ref=OuterRef("ref"))
    awaited = recent.filter(
        amount_minor=OuterRef("theirs_minor"),
        currency=OuterRef("currency"),
        payment__captured_minor=0,
    )
    opposite = open_differences().filter(
        kind__in=(kinds.ONLY_HERE, kinds.ONLY_THERE),
        channel=OuterRef("channel"),
        about=OuterRef("about"),
        currency=OuterRef("currency"),
        ours_minor=OuterRef("theirs_minor"),
        theirs_minor=OuterRef("ours_minor"),
    )
    alone = Q(kind__in=(kinds.ONLY_HERE, kinds.ONLY_THERE))
    unknown = Q(kind=kinds.ONLY_THERE, payment=None)
    return rows.annotate(
        suggested=Case(
            When(unknown & Exists(known), then=Value(REFERENCE)),
            When(alone & Exists(opposite), then=Value(AMOUNT)),
            When(unknown & Exists(awaited), then=Value(AMOUNT_AND_TIME)),
            default=Value(""),
        )
    )


def suggestions(difference: Difference) -> list[Suggestion]:
    """What a difference may be about: the same reference, or the same amount at about that time."""
    found = [*_by_reference(difference), *_opposite(difference), *_by_amount(difference)]
    others = [each for each in found if each.payment_id != difference.payment_id]
    return others[:MOST_SUGGESTED]


def _recent(difference: Difference) -> QuerySet[Attempt]:
    """The attempts that a movement of no payment of ours may be about."""
    if difference.kind != Difference.Kind.ONLY_THERE or difference.payment_id:
        return Attempt.objects.none()
    return Attempt.objects.filter(
        pk__gte=difference.pk - NEAR_IDS, channel__in=listed_with(difference.channel)
    ).order_by("-pk")


def _by_reference(difference: Difference) -> list[Suggestion]:
    rows = _recent(difference).filter(channel_ref=difference.ref)
    return [Suggestion(REFERENCE, row.channel_ref, row.payment_id) for row in rows[:2]]


def _opposite(difference: Difference) -> list[Suggestion]:
    """What only the other side has, of the same amount."""
    kinds = Difference.Kind
    other = {kinds.ONLY_HERE: kinds.ONLY_THERE, kinds.ONLY_THERE: kinds.ONLY_HERE}
    kind = other.get(kinds(difference.kind))
    rows = open_differences().filter(
        kind=kind,
        channel=difference.channel,
        about=difference.about,
        currency=difference.currency,
        ours_minor=difference.theirs_minor,
        theirs_minor=difference.ours_minor,
    )
    return [Suggestion(AMOUNT, row.ref, row.payment_id) for row in rows[:2] if kind]


def _by_amount(difference: Difference) -> list[Suggestion]:
    """Attempts of that amount whose money has not come, from about the time of the movement."""
    rows = _recent(difference).filter(
        amount_minor=difference.theirs_minor,
        currency=difference.currency,
        payment__captured_minor=0,
    )
    return [Suggestion(AMOUNT_AND_TIME, row.channel_ref, row.payment_id) for row in rows[:2]]
