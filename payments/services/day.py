"""The certificate of a channel's day: its report row by row against our book, and what is left."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from hashlib import sha256

from django.db.models import Max
from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor
from core import clock
from core.command import command
from core.errors import Invalid
from core.ids import gene_of
from payments.channels.base import Movement
from payments.channels.report import bounds, report_of
from payments.lists import Row, booked_rows, settled_names, signed
from payments.models import (
    ChannelFact,
    Difference,
    Payment,
    ReconciliationDay,
    ReconciliationTotal,
)
from payments.services.difference import difference_find
from payments.services.facts import id_in
from payments.services.reconcile import channel_reconcile

Kind = Difference.Kind


@dataclass(frozen=True, slots=True)
class Pair:
    """What the channel and our book have of one movement; None where that side has nothing."""

    theirs: Row | None
    ours: Row | None

    @property
    def row(self) -> Row:
        """Either of them, for what they have in common."""
        row = self.theirs or self.ours
        assert row, "a pair has a side"
        return row

    def explained(self) -> Counter[str]:
        """What the channel has more of it than our book, after fees, per currency."""
        more: Counter[str] = Counter()
        for side, sign in ((self.theirs, +1), (self.ours, -1)):
            if side:
                more[side.currency] += sign * (side.gross_minor - side.fee_minor)
        return more

    @property
    def kinds(self) -> list[Kind]:
        """All that differs of it."""
        if self.ours is None or (
            self.theirs and self.theirs.gross_minor and not self.ours.gross_minor
        ):
            return [Kind.ONLY_THERE]
        if self.theirs is None:
            return [Kind.ONLY_HERE]
        if self.theirs.currency != self.ours.currency:
            return [Kind.CURRENCY]
        differs = {
            Kind.AMOUNT: self.theirs.gross_minor != self.ours.gross_minor,
            Kind.FEE: self.theirs.fee_minor != self.ours.fee_minor,
        }
        return [kind for kind, it_does in differs.items() if it_does]


def settlement_day_close(*, channel: str, day: date, actor: Actor) -> ReconciliationDay:
    """Compares a day's report with our book and certifies what came of it.

    What only the channel knows of the day is taken in before. No transaction is open while the
    channel is asked. Raises Invalid `reconciliation.day_not_over`, `payment.channel_unknown`;
    ChannelDown, ChannelRefused.
    """
    begin, end = bounds(day)
    now = datetime.now(UTC)
    if now < end:
        raise Invalid(
            "reconciliation.day_not_over", _("This day is not over yet."), day=day.isoformat()
        )
    channel_reconcile(channel=channel, since=clock.now() - (now - begin), actor=actor)
    return day_certify(channel=channel, day=day, report=report_of(channel, day), actor=actor)


@command
def day_certify(
    *, channel: str, day: date, report: Sequence[Movement], actor: Actor
) -> ReconciliationDay:
    """Writes the next version of a day's certificate; the same rows and outcome again are quiet.

    Whatever differs is in the queue afterwards. What has been settled there counts as explained.
    """
    theirs, ours = [_row(movement) for movement in report], booked_rows(channel, day)
    unequal = [pair for pair in _pairs(theirs, ours) if pair.kinds]
    for pair in unequal:
        _put_into_queue(channel, pair)
    settled = settled_names(channel, [pair.row.name for pair in unequal])
    explained: Counter[str] = Counter()
    for pair in unequal:
        if settled[pair.row.name]:
            explained.update(pair.explained())
    certificate = _next_version(
        ReconciliationDay.build(
            0,
            channel=channel,
            day=day,
            is_level=all(settled[pair.row.name] for pair in unequal),
            rows=len(theirs),
            sha256=sha256(_canonical_text(theirs, ours).encode()).hexdigest(),
            actor=str(actor)[:80],
            at=clock.now(),
        )
    )
    if not certificate.totals.exists():
        ReconciliationTotal.objects.bulk_create(_totals(certificate, theirs, ours, explained))
    return certificate


def _row(movement: Movement) -> Row:
    return Row(
        movement.kind,
        movement.ref,
        movement.currency,
        signed(movement.kind, movement.amount_minor),
        movement.fee_minor,
        key=movement.key,
    )


def _pairs(theirs: Iterable[Row], ours: Iterable[Row]) -> list[Pair]:
    """Each movement once. Of one in two currencies on our side the money's counts."""
    here: dict[tuple[str, str], Row] = {}
    for row in sorted(ours, key=lambda row: abs(row.gross_minor)):
        here[row.name] = row
    there = {row.name: row for row in theirs}
    return [Pair(there.get(name), here.get(name)) for name in sorted({*here, *there})]


def _put_into_queue(channel: str, pair: Pair) -> None:
    row, payment = pair.row, _payment_of(pair)
    object_id = id_in(row.key)
    for kind in pair.kinds:
        ours, theirs = (
            (side.fee_minor if kind == Kind.FEE else abs(side.gross_minor)) if side else 0
            for side in (pair.ours, pair.theirs)
        )
        difference_find(
            shard_key=gene_of(payment.id if payment else object_id),
            channel=channel,
            kind=kind,
            about=row.kind,
            ref=row.ref,
            payment=payment,
            key=row.key,
            ours_minor=ours,
            theirs_minor=theirs,
            currency=row.currency,
            note="found in the report of the day",
        )


def _payment_of(pair: Pair) -> Payment | None:
    if pair.ours is None or pair.ours.fact_id is None:
        return None
    return ChannelFact.objects.get(pk=pair.ours.fact_id).subject.payment


def _canonical_text(theirs: Iterable[Row], ours: Iterable[Row]) -> str:
    """A line per row: what a certificate's fingerprint is taken of."""
    sides = (("channel", theirs), ("book", ours))
    return "\n".join(
        sorted(
            f"{side}|{row.kind}|{row.ref}|{row.currency}|{row.gross_minor}|{row.fee_minor}"
            for side, rows in sides
            for row in rows
        )
    )


def _next_version(certificate: ReconciliationDay) -> ReconciliationDay:
    """The stored one: who loses a race, or says nothing new, gets the one that is there."""
    versions = ReconciliationDay.objects.filter(
        shard_key=0, channel=certificate.channel, day=certificate.day
    )
    last = versions.order_by("-number").first()
    if last and (last.sha256, last.is_level) == (certificate.sha256, certificate.is_level):
        return last
    certificate.number = (versions.aggregate(last=Max("number"))["last"] or 0) + 1
    ReconciliationDay.objects.bulk_create([certificate], ignore_conflicts=True)
    return versions.get(number=certificate.number)


def _totals(
    certificate: ReconciliationDay,
    theirs: Iterable[Row],
    ours: Iterable[Row],
    explained: Counter[str],
) -> list[ReconciliationTotal]:
    sums: dict[str, Counter[str]] = defaultdict(Counter)
    for side, rows in (("channel", theirs), ("book", ours)):
        for row in rows:
            sums[row.currency][f"{side}_gross_minor"] += row.gross_minor
            sums[row.currency][f"{side}_fee_minor"] += row.fee_minor
    return [
        _total(certificate, currency, sides, explained[currency])
        for currency, sides in sorted(sums.items())
    ]


def _total(
    certificate: ReconciliationDay, currency: str, sides: Counter[str], settled_minor: int
) -> ReconciliationTotal:
    channel_net = sides["channel_gross_minor"] - sides["channel_fee_minor"]
    book_net = sides["book_gross_minor"] - sides["book_fee_minor"]
    return ReconciliationTotal.build(
        0,
        certificate=certificate,
        currency=currency,
        channel_gross_minor=sides["channel_gross_minor"],
        channel_fee_minor=sides["channel_fee_minor"],
        book_gross_minor=sides["book_gross_minor"],
        book_fee_minor=sides["book_fee_minor"],
        settled_minor=settled_minor,
        difference_minor=channel_net - book_net - settled_minor,
    )
