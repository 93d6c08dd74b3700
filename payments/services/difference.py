"""Where a channel and our book differ: found once, and settled by somebody who says why."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor, Role
from core import clock
from core.command import command, running
from core.errors import Conflict, Denied, Invalid
from payments.locks import lock_difference
from payments.models import Difference, DifferenceResolution, Payment
from payments.services.ledger import Leg, post

Kind, Verdict = Difference.Kind, DifferenceResolution.Verdict
LONGEST_TEXT = 200


def difference_find(
    *,
    shard_key: int,
    channel: str,
    kind: str,
    about: str,
    ref: str,
    payment: Payment | None,
    **told: Any,
) -> Difference:
    """Puts a difference into the queue of the unmatched, once. Part of a service.

    `told`: key, ours_minor, theirs_minor, currency, note; those of the first finding stay.
    """
    running()
    named = {"channel": channel, "kind": kind, "about": about, "ref": ref}
    told["note"] = str(told.get("note", ""))[:LONGEST_TEXT]
    row = Difference.build(shard_key, payment=payment, found_at=clock.now(), **named, **told)
    Difference.objects.bulk_create([row], ignore_conflicts=True)
    return Difference.objects.get(shard_key=shard_key, **named)


@command
def difference_settle(
    *, difference_id: int, verdict: str, reason: str, actor: Actor
) -> DifferenceResolution:
    """Settles a difference with a reason; the same again is quiet.

    `ours`: our book is right. `theirs`: the channel is, which can be booked of a fee alone. `matched`:
    it has gone by itself. Locks the difference. Raises NotFound `difference.unknown`; Denied
    `difference.not_yours`; Invalid `difference.reason_missing`, `difference.verdict`,
    `difference.not_bookable`; Conflict `difference.settled`.
    """
    _refuse_request(verdict, reason, actor)
    difference = lock_difference(difference_id)
    if known := difference.resolutions.first():
        return _same(known, verdict)
    if verdict == Verdict.THEIRS:
        _accept(difference, actor)
    resolution = DifferenceResolution.build(
        difference.shard_key,
        difference=difference,
        verdict=verdict,
        reason=reason.strip()[:LONGEST_TEXT],
        actor=str(actor)[:80],
        at=clock.now(),
    )
    DifferenceResolution.objects.bulk_create([resolution])
    return resolution


def _refuse_request(verdict: str, reason: str, actor: Actor) -> None:
    if actor.role not in (Role.STAFF, Role.SYSTEM):
        raise Denied("difference.not_yours", _("Only the platform’s finance settles differences."))
    if not reason.strip():
        raise Invalid("difference.reason_missing", _("Say why."))
    if verdict not in Verdict.values or (verdict == Verdict.MATCHED) != (actor.role == Role.SYSTEM):
        raise Invalid("difference.verdict", _("Say whose word stands."), verdict=verdict)


def _same(known: DifferenceResolution, verdict: str) -> DifferenceResolution:
    if known.verdict != verdict:
        raise Conflict(
            "difference.settled",
            _("This difference has been settled in another way."),
            verdict=known.verdict,
        )
    return known


def _accept(difference: Difference, actor: Actor) -> None:
    """The channel's fee stands: what it took more, or less, is booked."""
    if difference.kind != Kind.FEE:
        raise Invalid(
            "difference.not_bookable",
            _("Only a fee can be taken over; money is booked when the channel tells of it."),
            kind=difference.kind,
        )
    post(
        shard_key=difference.shard_key,
        kind="channel_fee",
        ref=f"difference:{difference.id}",
        legs=fee_legs(
            difference.theirs_minor - difference.ours_minor,
            currency=difference.currency,
            channel=difference.channel,
        ),
        actor=actor,
    )


def fee_legs(fee_minor: int, *, currency: str, channel: str) -> list[Leg]:
    """What the channel keeps of our money there."""
    return [
        Leg(code="channel_fees", amount_minor=fee_minor, currency=currency),
        Leg(
            code="channel_clearing",
            amount_minor=-fee_minor,
            currency=currency,
            channel=channel,
        ),
    ]
