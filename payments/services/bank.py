"""Our account at the bank: lines matched, what came applied or given back.

A line that came is booked as received and not applied; when what an attempt asked for is complete the
ordinary capture follows, and the money counts there instead. `payments/services/transfer.py` holds the
way back.
"""

from collections.abc import Sequence

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor, Role
from accounts.permissions import require_platform
from core.command import command
from core.errors import Conflict, Invalid
from core.fsm import fire
from core.outbox import Fact, emit
from payments.channels import bank_transfer
from payments.locks import lock_attempt, lock_line_match, lock_resting
from payments.models import (
    Attempt,
    BankLine,
    ChannelFact,
    LedgerTransaction,
    LineMatch,
    ManualTransfer,
)
from payments.models.bank import BANK_GENE
from payments.references import ids_in, reference_of
from payments.services.collect import attempt_tell
from payments.services.facts import Said
from payments.services.ledger import Leg, post, reverse
from payments.services.transfer import transfer_of_debit, transfer_open

Why = LineMatch.Why
RECEIPT = "receipt"
BANK = Actor(Role.CHANNEL, bank_transfer.NAME)


@command
def line_match(*, match_id: int, actor: Actor) -> LineMatch:
    """Finds what a new line is for, by the one reference in its text; quiet where that was done.

    Money that came is booked as received. It rests for the attempt that its text names until that is
    complete, see `_settle()`; without one it is set aside. What left confirms our transfer.
    Locks the payment, the attempt or the refund, the transfer, the lines. Emits `line_match.…`,
    `attempt.part_received`, and as `attempt_tell()` and `refund_tell()` do.
    """
    line = BankLine.objects.get(matches=match_id, matches__shard_key=BANK_GENE)
    ids = ids_in(line.text)
    if line.amount_minor < 0:
        return _match_debit(match_id, line, ids, actor)
    attempt_id, why = _attempt_of(line, ids)
    attempt = lock_attempt(attempt_id) if attempt_id else None
    match = lock_line_match(match_id)
    if match.status != "received":
        return match
    _book_receipt(line, actor)
    if attempt is None:
        fire(match, verb="set_aside", actor=actor, fields={"why": why})
    else:
        fire(match, verb="match", actor=actor, fields={"attempt_id": attempt.id})
        _settle(attempt)
    return match


def _attempt_of(line: BankLine, ids: Sequence[int]) -> tuple[int, str]:
    """The attempt that a line is for; or 0, and why none is."""
    if len(ids) != 1:
        return 0, Why.SEVERAL if ids else Why.NO_REFERENCE
    attempts = Attempt.objects.filter(pk=ids[0], channel=bank_transfer.NAME)
    for attempt in attempts:
        return (attempt.pk, "") if attempt.currency == line.currency else (0, Why.CURRENCY)
    return 0, Why.UNKNOWN


def _match_debit(match_id: int, line: BankLine, ids: Sequence[int], actor: Actor) -> LineMatch:
    transfers = ManualTransfer.objects.filter(pk__in=ids).values_list("pk", flat=True)
    transfer_id = transfers[0] if len(transfers) == 1 else None
    confirm = transfer_of_debit(transfer_id, line) if transfer_id else None
    match = lock_line_match(match_id)
    if match.status != "received":
        return match
    why = confirm(actor) if confirm else (Why.SEVERAL if transfers else Why.NO_REFERENCE)
    if why:
        fire(match, verb="set_aside", actor=actor, fields={"why": why})
    else:
        fire(match, verb="confirm", actor=actor)
    return match


def _book_receipt(line: BankLine, actor: Actor) -> LedgerTransaction:
    return post(
        shard_key=BANK_GENE,
        kind=RECEIPT,
        ref=f"line:{line.id}",
        legs=[
            _clearing(line.amount_minor, line.currency),
            Leg(code="unapplied_receipts", amount_minor=-line.amount_minor, currency=line.currency),
        ],
        actor=actor,
    )


def _clearing(amount_minor: int, currency: str) -> Leg:
    return Leg(
        code="channel_clearing",
        amount_minor=amount_minor,
        currency=currency,
        channel=bank_transfer.NAME,
    )


def _settle(attempt: Attempt) -> None:
    """Decides on all that rests for a locked attempt: it pays, it goes back, or it waits for more."""
    resting = lock_resting(attempt.id)
    total_minor = sum(match.line.amount_minor for match in resting)
    missing_minor = attempt.amount_minor - total_minor
    if not resting:
        return
    if attempt.status == "succeeded":
        _give_back(resting, "over", BANK)
    elif missing_minor <= settings.BANK_TRANSFER_TOLERANCE_MINOR:
        _apply(attempt, resting, max(0, missing_minor))
    elif not attempt.is_live:
        _give_back(resting, "part", BANK)
    else:
        _tell_missing(attempt, total_minor)


def _apply(attempt: Attempt, resting: Sequence[LineMatch], short_minor: int) -> None:
    """What rests pays the attempt; what of it is too much goes back to whom it came from last."""
    left_minor = attempt.amount_minor - short_minor
    for match in resting:
        line = match.line
        applied_minor = min(left_minor, line.amount_minor)
        left_minor -= applied_minor
        fire(match, verb="apply", actor=BANK, fields={"applied_minor": applied_minor})
        if rest_minor := line.amount_minor - applied_minor:
            transfer_open(line=line, amount_minor=rest_minor, why="over", actor=BANK)
    post(
        shard_key=attempt.shard_key,
        kind="receipt_applied",
        ref=f"attempt:{attempt.id}",
        legs=_applied_legs(attempt, short_minor),
        actor=BANK,
    )
    said = Said(
        kind=ChannelFact.Kind.CAPTURED,
        amount_minor=attempt.amount_minor,
        currency=attempt.currency,
        channel_ref=reference_of(attempt.id),
        origin=ChannelFact.Origin.RECON,
    )
    attempt_tell(attempt=attempt, said=said, actor=BANK)


def _applied_legs(attempt: Attempt, short_minor: int) -> list[Leg]:
    """Takes the money off what is not applied; the capture puts it into clearing once more."""
    amount_minor, currency = attempt.amount_minor, attempt.currency
    return [
        Leg(code="unapplied_receipts", amount_minor=amount_minor - short_minor, currency=currency),
        Leg(code="rounding", amount_minor=short_minor, currency=currency),
        _clearing(-amount_minor, currency),
    ]


def _give_back(matches: Sequence[LineMatch], why: str, actor: Actor, reason: str = "") -> None:
    for match in matches:
        fire(match, verb="give_back", actor=actor, reason=reason or why)
        amount_minor = match.line.amount_minor
        transfer_open(line=match.line, amount_minor=amount_minor, why=why, actor=actor)


def _tell_missing(attempt: Attempt, total_minor: int) -> None:
    payload = {
        **attempt.event_payload(),
        "received_minor": total_minor,
        "missing_minor": attempt.amount_minor - total_minor,
    }
    emit(
        [
            Fact(
                stream=attempt.stream(),
                shard_key=attempt.shard_key,
                type="attempt.part_received",
                object_id=attempt.id,
                payload=payload,
            )
        ]
    )


@command
def receipts_settle(*, attempt_id: int, actor: Actor) -> Attempt:
    """Gives back what rests for an attempt that has ended without it; quiet where nothing does.

    Locks the payment, the attempt, the lines. Emits `line_match.given_back`,
    `manual_transfer.requested`. Raises NotFound `attempt.unknown`.
    """
    attempt = lock_attempt(attempt_id)
    if not attempt.is_live:
        _settle(attempt)
    return attempt


@command
def line_assign(*, match_id: int, attempt_id: int, reason: str, actor: Actor) -> LineMatch:
    """Somebody of the staff says what a line that was set aside is for; then as `line_match()`.

    Locks the payment, the attempt, the lines. Emits as `line_match()` does. Raises Denied; NotFound
    `attempt.unknown`; Invalid `bank.reason_missing`, `bank.currency`, `bank.channel`; Conflict
    `state.conflict`.
    """
    _require_reason(reason, actor)
    attempt = lock_attempt(attempt_id)
    match = lock_line_match(match_id)
    if attempt.channel != bank_transfer.NAME:
        raise Invalid("bank.channel", _("This was not to be paid by bank transfer."))
    if attempt.currency != match.line.currency:
        raise Invalid("bank.currency", _("This was to be paid in another currency."))
    if match.attempt_id == attempt.id:
        return match
    _require_receipt(match)
    fields = {"attempt_id": attempt.id, "why": Why.NONE.value}
    fire(match, verb="assign", actor=actor, reason=reason, fields=fields)
    _settle(attempt)
    match.refresh_from_db()
    return match


@command
def line_give_back(*, match_id: int, reason: str, actor: Actor) -> LineMatch:
    """Sends a line that nobody knows back to where it came from; quiet where it goes back.

    Locks the line. Emits `line_match.given_back`, `manual_transfer.requested`. Raises Denied; NotFound
    `line_match.unknown`; Invalid `bank.reason_missing`, `bank.no_receipt`; Conflict `state.conflict`.
    """
    _require_reason(reason, actor)
    match = lock_line_match(match_id)
    if match.status == "returned":
        return match
    _require_receipt(match)
    if match.status != "unmatched":
        raise _not_waiting(match)
    _give_back([match], "back", actor, reason)
    return match


@command
def line_dismiss(*, match_id: int, reason: str, actor: Actor) -> LineMatch:
    """Says that a line is nothing of the shop's; what was booked of it is reversed.

    Quiet where that was said. Locks the line. Emits `line_match.dismissed`. Raises Denied; NotFound
    `line_match.unknown`; Invalid `bank.reason_missing`; Conflict `state.conflict`.
    """
    _require_reason(reason, actor)
    match = lock_line_match(match_id)
    if match.status == "dismissed":
        return match
    fire(match, verb="dismiss", actor=actor, reason=reason)
    if match.line.amount_minor > 0:
        reverse(
            posting=_book_receipt(match.line, actor),
            kind="receipt_dismissed",
            ref=f"line:{match.line_id}",
            actor=actor,
        )
    return match


def _require_reason(reason: str, actor: Actor) -> None:
    require_platform(actor)
    if not reason.strip():
        raise Invalid("bank.reason_missing", _("Say why."))


def _require_receipt(match: LineMatch) -> None:
    if match.line.amount_minor < 0:
        raise Invalid("bank.no_receipt", _("This line is money that left."))


def _not_waiting(match: LineMatch) -> Conflict:
    return Conflict(
        "state.conflict",
        _("This line waits for nobody."),
        noun="line_match",
        id=str(match.id),
        state=match.status,
        verb="give_back",
    )
