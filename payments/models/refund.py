"""Money back: a refund, and which order's share of the payment it takes."""

from typing import Any

from django.db import models
from django.db.models import Q

from accounts.models import Merchant
from core.fsm import Stateful
from core.sharding import GroupModel
from payments import states
from payments.models.credit import CreditAccount
from payments.models.payment import Attempt, Payment


class Refund(Stateful):
    """Money of one capture that goes back to the buyer.

    `reference` is the order, or the group when the whole payment goes back. `request_key` makes the
    request idempotent. `tries` counts how often it was sent or is to be sent. It goes where it came
    from, unless `destination` says otherwise; `account` names the other account, for channels that
    can pay to one. What was paid with store credit has no attempt.
    """

    class Destination(models.TextChoices):
        """Where the money goes."""

        ORIGINAL = "original"
        STORE_CREDIT = "store_credit"
        BANK_ACCOUNT = "bank_account"

    machine = states.REFUND

    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="refunds")
    attempt = models.ForeignKey(
        Attempt, on_delete=models.PROTECT, null=True, related_name="refunds"
    )
    destination = models.CharField(
        max_length=12,
        choices=Destination,
        default=Destination.ORIGINAL,
        db_default=Destination.ORIGINAL,
    )
    credit_account = models.ForeignKey(
        CreditAccount, on_delete=models.PROTECT, null=True, related_name="refunds"
    )
    account = models.CharField(max_length=100, blank=True, default="", db_default="")
    requested_by = models.CharField(max_length=80, blank=True, default="", db_default="")
    reference = models.BigIntegerField(db_index=True)
    request_key = models.CharField(max_length=100)
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    reason = models.CharField(max_length=200)
    tries = models.SmallIntegerField(default=1)
    channel_ref = models.CharField(max_length=100, blank=True)
    failure_code = models.CharField(max_length=100, blank=True)

    class Meta:
        constraints = [
            *GroupModel.Meta.constraints,
            models.UniqueConstraint(
                fields=["shard_key", "request_key"], name="payments_refund_request_once"
            ),
            models.CheckConstraint(
                condition=Q(amount_minor__gt=0), name="payments_refund_amount_positive"
            ),
            models.CheckConstraint(
                condition=Q(destination="original", attempt__isnull=False, account="")
                | Q(destination="store_credit", credit_account__isnull=False, account="")
                | (Q(destination="bank_account", attempt__isnull=False) & ~Q(account="")),
                name="payments_refund_destination",
            ),
        ]
        indexes = [
            models.Index(
                fields=["status_changed_at"],
                condition=Q(status="sent"),
                name="payments_refund_unknown",
            )
        ]

    def __str__(self) -> str:
        return f"refund {self.pk}"

    @property
    def is_to_credit(self) -> bool:
        """True where no channel is asked: it becomes store credit in our own transaction."""
        return self.destination == self.Destination.STORE_CREDIT

    @property
    def channel_key(self) -> str:
        """What the channel knows this try by; a retry needs a new name, or the first answers."""
        return str(self.id) if self.tries == 1 else f"{self.id}.{self.tries}"

    def event_payload(self) -> dict[str, Any]:
        """Whose money goes back, how much, on whose request."""
        return {
            "refund_id": str(self.id),
            "payment_id": str(self.payment_id),
            "payment_reference": str(self.payment.reference),
            "reference": str(self.reference),
            "request_key": self.request_key,
            "currency": self.currency,
            "amount_minor": self.amount_minor,
            "destination": self.destination,
        }

    @states.REFUND.transition("approve")
    def approve(self) -> None:
        """The money may go back."""

    @states.REFUND.transition("decline")
    def decline(self) -> None:
        """The money stays."""

    @states.REFUND.transition("send")
    def send(self) -> None:
        """The channel is being asked."""

    @states.REFUND.transition("succeed")
    def succeed(self) -> None:
        """The money is back with the buyer."""

    @states.REFUND.transition("fail")
    def fail(self) -> None:
        """The channel could not give it back."""

    @states.REFUND.transition("retry")
    def retry(self) -> None:
        """The channel shall be asked once more."""


class RefundShare(GroupModel):
    """What a refund takes from one order's share; no order where the money was one too many."""

    refund = models.ForeignKey(Refund, on_delete=models.PROTECT, related_name="shares")
    order_id = models.BigIntegerField(null=True, db_index=True)
    merchant = models.ForeignKey(
        Merchant, on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    amount_minor = models.BigIntegerField()

    class Meta:
        constraints = [
            *GroupModel.Meta.constraints,
            models.CheckConstraint(
                condition=Q(amount_minor__gt=0), name="payments_refundshare_amount_positive"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount_minor} of order {self.order_id}"
