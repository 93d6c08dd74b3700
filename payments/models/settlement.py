"""What a merchant is told it has earned in a period, and the money that it is sent for it."""

from typing import Any

from django.db import models
from django.db.models import F, Q

from accounts.models import Merchant
from core.fsm import Stateful
from core.sharding import GroupModel
from payments import states
from payments.models.ledger import LedgerEntry


class Statement(Stateful):
    """A merchant's account in one currency over a period; `number` counts them.

    What it shows is read from the ledger entries that are on it. Only the closing balance is kept,
    as it was told, so that the sum check has something to be checked against.
    """

    machine = states.STATEMENT

    merchant = models.ForeignKey(Merchant, on_delete=models.PROTECT, related_name="statements")
    currency = models.CharField(max_length=3)
    number = models.IntegerField()
    period_from = models.DateTimeField()
    period_to = models.DateTimeField()
    closing_minor = models.BigIntegerField(null=True)

    class Meta:
        constraints = [
            *GroupModel.Meta.constraints,
            models.UniqueConstraint(
                fields=["shard_key", "merchant", "currency", "number"],
                name="payments_statement_number_once",
            ),
            models.UniqueConstraint(
                fields=["shard_key", "merchant", "currency"],
                condition=Q(status="open"),
                name="payments_statement_one_open",
            ),
            models.CheckConstraint(
                condition=Q(period_from__lt=F("period_to")), name="payments_statement_period"
            ),
            models.CheckConstraint(
                condition=Q(status="open", closing_minor__isnull=True)
                | Q(status="closed", closing_minor__isnull=False),
                name="payments_statement_closing",
            ),
        ]
        indexes = [
            models.Index(
                fields=["period_to"], condition=Q(status="open"), name="payments_statement_due"
            )
        ]

    def __str__(self) -> str:
        return f"{self.merchant.slug}-{self.number:04}"

    def event_payload(self) -> dict[str, Any]:
        """Whose statement it is, and of when."""
        return {
            "statement_id": str(self.id),
            "merchant_id": str(self.merchant_id),
            "currency": self.currency,
            "period_from": self.period_from.isoformat(),
            "period_to": self.period_to.isoformat(),
        }

    @states.STATEMENT.transition("close")
    def close(self) -> None:
        """Its period is over and everything of it is on it."""


class StatementEntry(GroupModel):
    """A ledger entry that is on a statement; insert-only, and an entry is on one at most.

    It lives beside the entry, whose owner is another than the statement's.
    """

    statement = models.ForeignKey(
        Statement, on_delete=models.PROTECT, related_name="listed", db_constraint=False
    )
    entry = models.ForeignKey(LedgerEntry, on_delete=models.PROTECT, related_name="listed")

    class Meta:
        constraints = [
            *GroupModel.Meta.constraints,
            models.UniqueConstraint(
                fields=["shard_key", "entry"], name="payments_statemententry_once"
            ),
        ]

    def __str__(self) -> str:
        return f"entry {self.entry_id}"


class MerchantAccount(GroupModel):
    """A bank account that a merchant was paid to from then on. Append-only: the newest one counts."""

    merchant = models.ForeignKey(Merchant, on_delete=models.PROTECT, related_name="accounts")
    holder = models.CharField(max_length=70)
    iban = models.CharField(max_length=34)
    actor = models.CharField(max_length=80)
    at = models.DateTimeField()

    class Meta:
        constraints = [*GroupModel.Meta.constraints]

    def __str__(self) -> str:
        return f"{self.masked}, {self.holder}"

    @property
    def masked(self) -> str:
        """Enough of it to be recognised by whoever knows it: `DE89 … 3000`."""
        return f"{self.iban[:4]} … {self.iban[-4:]}"


class Payout(Stateful):
    """The money that a statement says a merchant is sent; `tries` counts how often it was tried.

    `account` is where it was approved to go to.
    """

    machine = states.PAYOUT

    merchant = models.ForeignKey(Merchant, on_delete=models.PROTECT, related_name="payouts")
    statement = models.ForeignKey(Statement, on_delete=models.PROTECT, related_name="payouts")
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    account = models.ForeignKey(
        MerchantAccount, on_delete=models.PROTECT, null=True, related_name="payouts"
    )
    tries = models.SmallIntegerField(default=1)
    channel_ref = models.CharField(max_length=100, blank=True)
    failure_code = models.CharField(max_length=100, blank=True)

    class Meta:
        constraints = [
            *GroupModel.Meta.constraints,
            models.UniqueConstraint(
                fields=["shard_key", "statement"], name="payments_payout_one_per_statement"
            ),
            models.CheckConstraint(
                condition=Q(amount_minor__gt=0), name="payments_payout_amount_positive"
            ),
        ]
        indexes = [
            models.Index(
                fields=["status_changed_at"],
                condition=Q(status="sent"),
                name="payments_payout_unknown",
            )
        ]

    def __str__(self) -> str:
        return f"payout {self.pk}"

    @property
    def channel_key(self) -> str:
        """What the channel knows this try by; a retry needs a new name, or the first answers."""
        return str(self.id) if self.tries == 1 else f"{self.id}.{self.tries}"

    def event_payload(self) -> dict[str, Any]:
        """Who is paid how much, and by which statement."""
        return {
            "payout_id": str(self.id),
            "merchant_id": str(self.merchant_id),
            "statement_id": str(self.statement_id),
            "currency": self.currency,
            "amount_minor": self.amount_minor,
        }

    @states.PAYOUT.transition("approve")
    def approve(self) -> None:
        """The money may leave."""

    @states.PAYOUT.transition("send")
    def send(self) -> None:
        """The channel is being asked."""

    @states.PAYOUT.transition("confirm")
    def confirm(self) -> None:
        """The money is with the merchant."""

    @states.PAYOUT.transition("fail")
    def fail(self) -> None:
        """The account took no money."""

    @states.PAYOUT.transition("retry")
    def retry(self) -> None:
        """It shall be sent once more, if it is approved anew."""


class PayoutApproval(GroupModel):
    """Somebody's word that a payout may be sent to that account, at that try. Insert-only."""

    payout = models.ForeignKey(Payout, on_delete=models.PROTECT, related_name="approvals")
    account = models.ForeignKey(MerchantAccount, on_delete=models.PROTECT, related_name="+")
    try_number = models.SmallIntegerField()
    approver = models.CharField(max_length=80)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            *GroupModel.Meta.constraints,
            models.UniqueConstraint(
                fields=["shard_key", "payout", "account", "try_number", "approver"],
                name="payments_payoutapproval_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.approver} for {self.payout}"


class PayoutFact(GroupModel):
    """One thing that the channel said about a try of a payout. Append-only; the state is its fold."""

    class Kind(models.TextChoices):
        """What it says."""

        PAID = "paid"
        FAILED = "failed"

    payout = models.ForeignKey(Payout, on_delete=models.PROTECT, related_name="facts")
    try_number = models.SmallIntegerField()
    kind = models.CharField(max_length=10, choices=Kind)
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    channel_ref = models.CharField(max_length=100)
    origin = models.CharField(max_length=10)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            *GroupModel.Meta.constraints,
            models.UniqueConstraint(
                fields=["shard_key", "payout", "try_number", "kind"],
                name="payments_payoutfact_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.payout}: {self.kind}"


class PayoutHold(GroupModel):
    """Why a merchant is paid nothing for now; until a moment, or until it is released."""

    merchant = models.ForeignKey(Merchant, on_delete=models.PROTECT, related_name="holds")
    reason = models.CharField(max_length=200)
    until = models.DateTimeField(null=True, blank=True)
    held_by = models.CharField(max_length=80)
    held_at = models.DateTimeField()
    released_by = models.CharField(max_length=80, blank=True)
    released_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            *GroupModel.Meta.constraints,
            models.UniqueConstraint(
                fields=["shard_key", "merchant"],
                condition=Q(released_at__isnull=True),
                name="payments_payouthold_one",
            ),
        ]

    def __str__(self) -> str:
        return self.reason
