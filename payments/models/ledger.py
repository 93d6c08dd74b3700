"""The book: accounts, transactions, entries. Append-only; what was wrong is reversed, not edited."""

from django.db import models
from django.db.models import Q

from accounts.models import Merchant
from core.sharding import GroupModel, ReferenceModel


class LedgerAccount(ReferenceModel):
    """An account of the chart in one currency: `escrow:EUR`.

    `min_balance_minor` is a floor under the balance in the account's normal direction: debit for
    assets and expenses, credit for liabilities and income.
    """

    class Kind(models.TextChoices):
        """What it stands for."""

        ASSET = "asset"
        LIABILITY = "liability"
        INCOME = "income"
        EXPENSE = "expense"

    id = models.CharField(max_length=40, primary_key=True)
    code = models.CharField(max_length=30)
    currency = models.CharField(max_length=3)
    kind = models.CharField(max_length=10, choices=Kind)
    min_balance_minor = models.BigIntegerField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["code", "currency"], name="payments_account_once")
        ]

    def __str__(self) -> str:
        return self.id


class LedgerTransaction(GroupModel):
    """A posting: entries that sum to zero. `kind` and `ref` name the fact it books, once."""

    kind = models.CharField(max_length=20)
    ref = models.CharField(max_length=60)
    actor = models.CharField(max_length=80)
    posted_at = models.DateTimeField()
    reverses = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="+")

    class Meta:
        constraints = [
            *GroupModel.Meta.constraints,
            models.UniqueConstraint(
                fields=["shard_key", "kind", "ref"], name="payments_posting_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.ref}"


class LedgerEntry(GroupModel):
    """One leg of a posting: debit positive, credit negative."""

    transaction = models.ForeignKey(
        LedgerTransaction, on_delete=models.PROTECT, related_name="entries"
    )
    account = models.ForeignKey(LedgerAccount, on_delete=models.PROTECT, related_name="entries")
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    channel = models.CharField(max_length=30, blank=True)
    order_id = models.BigIntegerField(null=True, db_index=True)
    merchant = models.ForeignKey(Merchant, on_delete=models.PROTECT, null=True, related_name="+")

    class Meta:
        constraints = [
            *GroupModel.Meta.constraints,
            models.CheckConstraint(
                condition=~Q(amount_minor=0), name="payments_entry_amount_not_zero"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account_id} {self.amount_minor:+}"
