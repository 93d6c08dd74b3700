"""A payment, whose money it is, the attempts to get it, and what channels say."""

from typing import Any

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Q

from accounts.models import Merchant
from core.fsm import Stateful
from core.sharding import GroupModel
from payments import states


class Payment(Stateful):
    """One tender of an order group. `reference` is the group's id.

    `captured_minor` counts every capture, also one too many; `refunded_minor` every refund that has
    not failed.
    """

    machine = states.PAYMENT

    reference = models.BigIntegerField(db_index=True)
    currency = models.CharField(max_length=3)
    amount_minor = models.BigIntegerField()
    captured_minor = models.BigIntegerField(default=0)
    refunded_minor = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            *GroupModel.Meta.constraints,
            models.CheckConstraint(
                condition=Q(amount_minor__gt=0), name="payments_payment_amount_positive"
            ),
            models.CheckConstraint(
                condition=Q(refunded_minor__gte=0) & Q(refunded_minor__lte=F("captured_minor")),
                name="payments_payment_refund_bounds",
            ),
        ]

    def __str__(self) -> str:
        return f"payment {self.pk}"

    def event_payload(self) -> dict[str, Any]:
        """Whose payment it is and what it holds."""
        return {
            "payment_id": str(self.id),
            "reference": str(self.reference),
            "currency": self.currency,
            "amount_minor": self.amount_minor,
            "captured_minor": self.captured_minor,
        }

    @states.PAYMENT.transition("authorise")
    def authorise(self) -> None:
        """The channel promised the money."""

    @states.PAYMENT.transition("capture")
    def capture(self) -> None:
        """The money is here, be it late."""

    @states.PAYMENT.transition("close")
    def close(self) -> None:
        """Nobody shall pay it any more."""


class PaymentShare(GroupModel):
    """How much of a payment belongs to one order, and how much of that has gone back.

    0 where the whole order was called off before the payment.
    """

    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="shares")
    order_id = models.BigIntegerField(db_index=True)
    merchant = models.ForeignKey(
        Merchant, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    amount_minor = models.BigIntegerField()
    refunded_minor = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            *GroupModel.Meta.constraints,
            models.UniqueConstraint(
                fields=["shard_key", "payment", "order_id"], name="payments_share_once"
            ),
            models.CheckConstraint(
                condition=Q(amount_minor__gte=0), name="payments_share_amount_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(refunded_minor__gte=0) & Q(refunded_minor__lte=F("amount_minor")),
                name="payments_share_refund_bounds",
            ),
        ]

    def __str__(self) -> str:
        return f"share of order {self.order_id}"


class Attempt(Stateful):
    """One try at a channel; its id as text is the key towards the channel.

    `is_excess` says that its money came on top of a capture and goes back.
    """

    machine = states.ATTEMPT

    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="attempts")
    channel = models.CharField(max_length=30)
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    token = models.CharField(max_length=100, blank=True)
    return_url = models.CharField(max_length=500)
    expires_at = models.DateTimeField()
    channel_ref = models.CharField(max_length=100, blank=True)
    action_url = models.CharField(max_length=500, blank=True)
    failure_code = models.CharField(max_length=100, blank=True)
    is_excess = models.BooleanField(default=False)

    class Meta:
        constraints = [
            *GroupModel.Meta.constraints,
            models.CheckConstraint(
                condition=Q(amount_minor__gt=0), name="payments_attempt_amount_positive"
            ),
            models.UniqueConstraint(
                fields=["shard_key", "payment"],
                condition=Q(status__in=states.ATTEMPT.waiting),
                name="payments_attempt_one_open",
            ),
        ]
        indexes = [
            models.Index(
                fields=["status_changed_at"],
                condition=Q(status="processing"),
                name="payments_attempt_unknown",
            )
        ]

    def __str__(self) -> str:
        return f"attempt {self.pk}"

    @property
    def is_live(self) -> bool:
        """True until its outcome is known."""
        return self.status in states.ATTEMPT.waiting

    @property
    def channel_key(self) -> str:
        """What the channel knows it by."""
        return str(self.id)

    def stream(self) -> tuple[str, int]:
        """The payment's: what happens to an attempt is a chapter of the payment."""
        return "payment", self.payment_id

    def event_payload(self) -> dict[str, Any]:
        """Whose attempt it is, where, for how much."""
        return {
            "attempt_id": str(self.id),
            "payment_id": str(self.payment_id),
            "reference": str(self.payment.reference),
            "channel": self.channel,
            "currency": self.currency,
            "amount_minor": self.amount_minor,
        }

    @states.ATTEMPT.transition("require_action")
    def require_action(self) -> None:
        """The shopper has a step to do at the channel."""

    @states.ATTEMPT.transition("process")
    def process(self) -> None:
        """The channel has it in hand."""

    @states.ATTEMPT.transition("succeed")
    def succeed(self) -> None:
        """The channel took the money."""

    @states.ATTEMPT.transition("fail")
    def fail(self) -> None:
        """The channel refused."""

    @states.ATTEMPT.transition("close")
    def close(self) -> None:
        """The channel takes no money for it any more."""


class ChannelFact(GroupModel):
    """One thing that a channel said about an attempt or a refund. Append-only.

    States are a fold over these rows, so neither the order of arrival nor a repetition matters.
    """

    class Kind(models.TextChoices):
        """What it says."""

        AUTHORISED = "authorised"
        CAPTURED = "captured"
        FAILED = "failed"
        CLOSED = "closed"
        REFUND_SUCCEEDED = "refund_succeeded"
        REFUND_FAILED = "refund_failed"

    class Origin(models.TextChoices):
        """How we came to know."""

        ANSWER = "answer"
        WEBHOOK = "webhook"
        QUERY = "query"
        RECON = "recon"

    attempt = models.ForeignKey(Attempt, on_delete=models.PROTECT, null=True, related_name="facts")
    refund = models.ForeignKey(
        "payments.Refund", on_delete=models.PROTECT, null=True, related_name="facts"
    )
    channel = models.CharField(max_length=30)
    kind = models.CharField(max_length=20, choices=Kind)
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    channel_ref = models.CharField(max_length=100)
    origin = models.CharField(max_length=10, choices=Origin)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            *GroupModel.Meta.constraints,
            models.UniqueConstraint(
                fields=["shard_key", "channel", "kind", "channel_ref"],
                name="payments_channelfact_once",
            ),
            models.CheckConstraint(
                condition=Q(attempt__isnull=False, refund__isnull=True)
                | Q(attempt__isnull=True, refund__isnull=False),
                name="payments_channelfact_one_subject",
            ),
        ]
        indexes = [
            # Rows come in the order of time: a few pages are enough to find a day's.
            BrinIndex(fields=["at"], name="payments_channelfact_at", autosummarize=True)
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.channel_ref}: {self.kind}"
