"""Store credit: what the house owes a customer in a currency, and every change of it."""

from django.db import models
from django.db.models import Q

from accounts.models import Customer
from core.sharding import GroupModel


class CreditAccount(GroupModel):
    """A customer's credit in one currency. `balance_minor` is the sum of its entries."""

    customer = models.ForeignKey(
        Customer, on_delete=models.PROTECT, related_name="credit_accounts", db_constraint=False
    )
    currency = models.CharField(max_length=3)
    balance_minor = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            *GroupModel.Meta.constraints,
            models.UniqueConstraint(
                fields=["shard_key", "customer", "currency"], name="payments_credit_account_once"
            ),
            models.CheckConstraint(
                condition=Q(balance_minor__gte=0), name="payments_credit_balance_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return f"credit of customer {self.customer_id} in {self.currency}"


class CreditEntry(GroupModel):
    """One change of a customer's credit, append-only. `ref` names what it was for, once.

    `payment` was paid with it, or released it; `refund` has brought it.
    """

    class Kind(models.TextChoices):
        """Why it changed."""

        ISSUED = "issued"
        SPENT = "spent"
        RETURNED = "returned"

    account = models.ForeignKey(CreditAccount, on_delete=models.PROTECT, related_name="entries")
    kind = models.CharField(max_length=10, choices=Kind)
    amount_minor = models.BigIntegerField()
    ref = models.CharField(max_length=100)
    payment = models.ForeignKey(
        "payments.Payment", on_delete=models.PROTECT, null=True, related_name="credit_entries"
    )
    refund = models.ForeignKey(
        "payments.Refund", on_delete=models.PROTECT, null=True, related_name="credit_entries"
    )
    reason = models.CharField(max_length=200, blank=True)
    actor = models.CharField(max_length=80)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            *GroupModel.Meta.constraints,
            models.UniqueConstraint(fields=["shard_key", "ref"], name="payments_credit_entry_once"),
            models.CheckConstraint(
                condition=Q(kind="spent", amount_minor__lt=0)
                | Q(kind__in=["issued", "returned"], amount_minor__gt=0),
                name="payments_credit_entry_sign",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.amount_minor:+}"
