"""Money that somebody sends by hand: listed, sent, and confirmed by a statement."""

from collections.abc import Callable
from functools import partial

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from stdnum import iban as iban_numbers

from accounts.actors import Actor, Role
from accounts.permissions import require_platform
from core.command import command
from core.errors import Conflict, Denied, Invalid
from core.fsm import fire, start
from core.locks import require_locked
from payments.channels import bank_transfer
from payments.channels.base import by_hand
from payments.locks import lock_refund, lock_transfer
from payments.models import (
    BankLine,
    ChannelFact,
    LineMatch,
    ManualTransfer,
    Refund,
    SenderAccount,
)
from payments.models.bank import BANK_GENE, masked
from payments.services.facts import Said
from payments.services.ledger import Leg, post
from payments.services.refund import refund_tell

Kind = ChannelFact.Kind
Why = LineMatch.Why


def transfer_open(*, line: BankLine, amount_minor: int, why: str, actor: Actor) -> ManualTransfer:
    """Asks for a part of a line's money to go back to its sender. Part of a service.

    The line's match is locked, and takes that step once. Emits `manual_transfer.requested`.
    """
    sender = line.senders.first()
    transfer = ManualTransfer.build(
        BANK_GENE,
        line=line,
        request_key=f"{why}:{line.id}",
        amount_minor=amount_minor,
        currency=line.currency,
        holder=line.party_name,
        iban=sender.iban if sender else "",
    )
    start([transfer], verb="request", actor=actor)
    return transfer


@command
def transfer_request(*, refund_id: int, actor: Actor) -> ManualTransfer | None:
    """Asks for a refund to be sent by hand, once per try; None where its channel sends it itself.

    Locks the payment, the refund. Emits `manual_transfer.requested`. Raises NotFound `refund.unknown`.
    """
    refund = lock_refund(refund_id)
    if refund.status != "sent" or refund.channel not in by_hand():
        return None
    key = f"refund:{refund.channel_key}"
    transfers = ManualTransfer.objects.filter(shard_key=refund.shard_key, request_key=key)
    if known := transfers.first():
        return known
    sender = _sender_of(refund)
    transfer = ManualTransfer.build(
        refund.shard_key,
        refund=refund,
        request_key=key,
        amount_minor=refund.amount_minor,
        currency=refund.currency,
        holder=sender.holder if sender else "",
        iban=sender.iban if sender else "",
    )
    start([transfer], verb="request", actor=actor)
    return transfer


def _sender_of(refund: Refund) -> SenderAccount | None:
    """Whose money paid the attempt; of several the last."""
    senders = SenderAccount.objects.filter(
        line__matches__attempt_id=refund.attempt_id, line__matches__status="applied"
    )
    return senders.order_by("-pk").first()


@command
def transfer_direct(*, transfer_id: int, holder: str, iban: str, actor: Actor) -> ManualTransfer:
    """Names the account that a transfer goes to, while it has not left.

    A buyer names it where none is known; who handles the money may also correct it.
    Locks the payment and the refund where there are any, the transfer. Raises NotFound
    `transfer.unknown`; Invalid `transfer.holder`, `transfer.iban`; Denied `transfer.known`; Conflict
    `state.conflict`.
    """
    transfer = lock_transfer(transfer_id)
    if not holder.strip() or len(holder) > 140 or not holder.isprintable():
        raise Invalid("transfer.holder", _("Enter the name of the account’s holder."))
    if not iban_numbers.is_valid(iban):
        raise Invalid("transfer.iban", _("This is no IBAN. Look whether a digit is missing."))
    if transfer.iban and actor.role is Role.BUYER:
        raise Denied("transfer.known", _("We know where to send this. Ask us to change it."))
    fire(transfer, verb="direct", actor=actor)
    # Not by the step, which keeps old and new values for good.
    transfer.holder, transfer.iban = holder.strip(), iban_numbers.compact(iban)
    _rows(transfer).update(holder=transfer.holder, iban=transfer.iban)
    return transfer


@command
def transfer_send(*, transfer_id: int, actor: Actor) -> ManualTransfer:
    """Somebody has told the bank to send it; quiet where that was said or it has left.

    Locks the payment and the refund where there are any, the transfer. Emits `manual_transfer.sent`.
    Raises Denied; NotFound `transfer.unknown`; Conflict `transfer.no_account`, `state.conflict`.
    """
    require_platform(actor)
    transfer = lock_transfer(transfer_id)
    if transfer.status == "sent" or transfer.status == "done":
        return transfer
    if not transfer.iban:
        raise Conflict("transfer.no_account", _("Nobody has said yet where to send this."))
    fire(transfer, verb="send", actor=actor)
    return transfer


@command
def transfer_fail(*, transfer_id: int, reason: str, actor: Actor) -> ManualTransfer:
    """The bank could not send it; a refund has failed with it. Quiet where that was said.

    Locks the payment and the refund where there are any, the transfer. Emits `manual_transfer.failed`,
    `refund.failed`. Raises Denied; NotFound `transfer.unknown`; Invalid `bank.reason_missing`;
    Conflict `state.conflict`.
    """
    require_platform(actor)
    if not reason.strip():
        raise Invalid("bank.reason_missing", _("Say why."))
    transfer = lock_transfer(transfer_id)
    if transfer.status == "failed":
        return transfer
    fire(transfer, verb="fail", actor=actor, reason=reason)
    if transfer.refund:  # its next try is a transfer of its own
        _rows(transfer).update(iban=masked(transfer.iban))
        said = _said(transfer, Kind.REFUND_FAILED)
        refund_tell(refund=transfer.refund, said=said, actor=_channel(transfer))
    return transfer


@command
def transfer_retry(*, transfer_id: int, actor: Actor) -> ManualTransfer:
    """A line's money that could not be sent shall be sent once more; quiet where it is to be.

    Locks the transfer. Emits `manual_transfer.retried`. Raises Denied; NotFound `transfer.unknown`;
    Conflict `state.conflict`, also for a refund, which `refund_retry()` tries again.
    """
    require_platform(actor)
    transfer = lock_transfer(transfer_id)
    if transfer.status != "to_do":
        fire(transfer, verb="retry", actor=actor)
    return transfer


def transfer_of_debit(transfer_id: int, line: BankLine) -> Callable[[Actor], str]:
    """Locks a transfer whose reference a debit bears; answers what confirms it. Part of a service.

    Calling that answers why it can't, or '' once it is done.
    """
    return partial(_confirm, lock_transfer(transfer_id), line)


def _confirm(transfer: ManualTransfer, line: BankLine, actor: Actor) -> str:
    """Emits `manual_transfer.confirmed`, `refund.succeeded`."""
    require_locked(transfer)
    if (-line.amount_minor, line.currency) != (transfer.amount_minor, transfer.currency):
        return Why.AMOUNT
    if transfer.status == "done" or (transfer.refund and transfer.refund.status == "succeeded"):
        return Why.DONE
    fire(transfer, verb="confirm", actor=actor)
    _rows(transfer).update(iban=masked(transfer.iban))
    if transfer.refund:
        said = _said(transfer, Kind.REFUND_SUCCEEDED)
        refund_tell(refund=transfer.refund, said=said, actor=_channel(transfer))
    else:
        _book_return(transfer, actor)
    return ""


def _book_return(transfer: ManualTransfer, actor: Actor) -> None:
    amount_minor, currency = transfer.amount_minor, transfer.currency
    post(
        shard_key=transfer.shard_key,
        kind="receipt_returned",
        ref=f"transfer:{transfer.id}",
        legs=[
            Leg(code="unapplied_receipts", amount_minor=amount_minor, currency=currency),
            Leg(
                code="channel_clearing",
                amount_minor=-amount_minor,
                currency=currency,
                channel=bank_transfer.NAME,
            ),
        ],
        actor=actor,
    )


def _said(transfer: ManualTransfer, kind: str) -> Said:
    return Said(
        kind=kind,
        amount_minor=transfer.amount_minor,
        currency=transfer.currency,
        channel_ref=transfer.reference,
        origin=ChannelFact.Origin.RECON,
        failure_code="not_sent" if kind == Kind.REFUND_FAILED else "",
    )


def _channel(transfer: ManualTransfer) -> Actor:
    assert transfer.refund, "asked of refunds only"
    return Actor(Role.CHANNEL, transfer.refund.channel)


def _rows(transfer: ManualTransfer) -> QuerySet[ManualTransfer]:
    return ManualTransfer.objects.filter(pk=transfer.pk, shard_key=transfer.shard_key)
