"""Our account at the bank: statements, their lines, what became of each, and transfers that we make."""

from typing import Any

from django.db import models
from django.db.models import Q

from core.fsm import Stateful
from core.sharding import GroupModel
from payments import states
from payments.models.refund import Refund
from payments.references import reference_of

# The gene of what belongs to the account and to no group.
BANK_GENE = 0


class BankStatement(GroupModel):
    """A file of the bank's that was imported; the same file is imported once."""

    name = models.CharField(max_length=200)
    sha256 = models.CharField(max_length=80)
    imported_at = models.DateTimeField()
    actor = models.CharField(max_length=80)

    class Meta:
        constraints = [
            *GroupModel.Meta.constraints,
            models.UniqueConstraint(
                fields=["shard_key", "sha256"], name="payments_bankstatement_once"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class BankLine(GroupModel):
    """One line of a statement: money that came or, below zero, left. Insert-only.

    `bank_ref` is the bank's own name for it; `party` is who sent or got it, the account masked.
    """

    statement = models.ForeignKey(BankStatement, on_delete=models.PROTECT, related_name="lines")
    account = models.CharField(max_length=34)
    bank_ref = models.CharField(max_length=120)
    booked_on = models.DateField()
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    party_name = models.CharField(max_length=140, blank=True)
    party_account = models.CharField(max_length=40, blank=True)
    text = models.CharField(max_length=1000, blank=True)

    class Meta:
        constraints = [
            *GroupModel.Meta.constraints,
            models.UniqueConstraint(
                fields=["shard_key", "account", "bank_ref"], name="payments_bankline_once"
            ),
            models.CheckConstraint(
                condition=~Q(amount_minor=0), name="payments_bankline_amount_not_zero"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.booked_on} {self.bank_ref}"


class SenderAccount(GroupModel):
    """From where a line's money came, in full: only to send it back there, and shown nowhere."""

    line = models.ForeignKey(BankLine, on_delete=models.PROTECT, related_name="senders")
    holder = models.CharField(max_length=140)
    iban = models.CharField(max_length=34)

    class Meta:
        constraints = [
            *GroupModel.Meta.constraints,
            models.UniqueConstraint(
                fields=["shard_key", "line"], name="payments_senderaccount_once"
            ),
        ]

    def __str__(self) -> str:
        return masked(self.iban)


class LineMatch(Stateful):
    """What became of a line: which attempt it is for, and how much of it has paid for that.

    `why` is the reason why nobody knew what it is for.
    """

    class Why(models.TextChoices):
        """Why a line was set aside."""

        NONE = "", "known"
        NO_REFERENCE = "no_reference", "no reference in its text"
        SEVERAL = "several", "several references in its text"
        UNKNOWN = "unknown", "the reference is none of ours"
        CURRENCY = "currency", "another currency than asked for"
        AMOUNT = "amount", "another amount than our transfer"
        DONE = "done", "that transfer had left before"

    machine = states.LINE_MATCH

    line = models.ForeignKey(BankLine, on_delete=models.PROTECT, related_name="matches")
    attempt_id = models.BigIntegerField(null=True, db_index=True)
    applied_minor = models.BigIntegerField(default=0)
    why = models.CharField(max_length=12, choices=Why, blank=True, default=Why.NONE)

    class Meta:
        constraints = [
            *GroupModel.Meta.constraints,
            models.UniqueConstraint(fields=["shard_key", "line"], name="payments_linematch_once"),
            models.CheckConstraint(
                condition=Q(applied_minor__gte=0), name="payments_linematch_applied"
            ),
        ]

    def __str__(self) -> str:
        return f"match {self.pk}"

    def event_payload(self) -> dict[str, Any]:
        """Which line, and for which attempt."""
        return {
            "line_id": str(self.line_id),
            "attempt_id": str(self.attempt_id) if self.attempt_id else None,
        }

    @states.LINE_MATCH.transition("match")
    def match(self) -> None:
        """Its text names the attempt."""

    @states.LINE_MATCH.transition("set_aside")
    def set_aside(self) -> None:
        """Somebody has to look at it."""

    @states.LINE_MATCH.transition("assign")
    def assign(self) -> None:
        """Somebody knows what it is for."""

    @states.LINE_MATCH.transition("apply")
    def apply(self) -> None:
        """It has paid, alone or with others."""

    @states.LINE_MATCH.transition("give_back")
    def give_back(self) -> None:
        """All of it goes back."""

    @states.LINE_MATCH.transition("confirm")
    def confirm(self) -> None:
        """It is a transfer of ours."""

    @states.LINE_MATCH.transition("dismiss")
    def dismiss(self) -> None:
        """It is nothing of the shop's."""


class ManualTransfer(Stateful):
    """Money that somebody sends by hand: a refund, or what of a line goes back to its sender.

    `iban` is whole until the money has left, or can't be sent as a refund, and masked from then on.
    """

    machine = states.MANUAL_TRANSFER

    refund = models.ForeignKey(
        Refund, on_delete=models.PROTECT, null=True, related_name="transfers"
    )
    line = models.ForeignKey(
        BankLine, on_delete=models.PROTECT, null=True, related_name="transfers"
    )
    request_key = models.CharField(max_length=100)
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    holder = models.CharField(max_length=140, blank=True)
    iban = models.CharField(max_length=40, blank=True)

    class Meta:
        constraints = [
            *GroupModel.Meta.constraints,
            models.UniqueConstraint(
                fields=["shard_key", "request_key"], name="payments_transfer_request_once"
            ),
            models.CheckConstraint(
                condition=Q(amount_minor__gt=0), name="payments_transfer_amount_positive"
            ),
            models.CheckConstraint(
                condition=Q(refund__isnull=True, line__isnull=False)
                | Q(refund__isnull=False, line__isnull=True),
                name="payments_transfer_one_source",
            ),
        ]

    def __str__(self) -> str:
        return self.reference

    @property
    def reference(self) -> str:
        """What has to stand in the transfer's text, and by which a statement confirms it."""
        return reference_of(self.id)

    def event_payload(self) -> dict[str, Any]:
        """What it gives back, and how much."""
        return {
            "refund_id": str(self.refund_id) if self.refund_id else None,
            "line_id": str(self.line_id) if self.line_id else None,
            "currency": self.currency,
            "amount_minor": self.amount_minor,
        }

    @states.MANUAL_TRANSFER.transition("direct")
    def direct(self) -> None:
        """Its account is named."""

    @states.MANUAL_TRANSFER.transition("send")
    def send(self) -> None:
        """The bank was told to send it."""

    @states.MANUAL_TRANSFER.transition("confirm")
    def confirm(self) -> None:
        """It has left."""

    @states.MANUAL_TRANSFER.transition("fail")
    def fail(self) -> None:
        """The bank could not."""

    @states.MANUAL_TRANSFER.transition("retry")
    def retry(self) -> None:
        """Somebody shall send it once more."""


def masked(iban: str) -> str:
    """An account number as it may be shown: its country, its check digits, its end."""
    return f"{iban[:4]}…{iban[-4:]}" if len(iban) > 8 else iban
