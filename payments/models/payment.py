"""A payment, whose money it is, the attempts to get it, and its captures."""

from typing import Any

from django.db import models
from django.db.models import F, Q

from accounts.models import Merchant
from core.fsm import Stateful
from core.sharding import GroupModel
from payments import states
from payments.channels.base import CaptureAt
from payments.models.credit import CreditAccount


class Payment(Stateful):
    """One tender of an order group. `reference` is the group's id.

    `captured_minor` counts every capture, also one too many; `refunded_minor` every refund that has
    not failed. Store credit is of an account, and spent beside the attempt that is to bring the
    rest (None: it pays all); one that was released again is closed and has captured nothing.
    """

    class Tender(models.TextChoices):
        """What it is paid with."""

        CHANNEL = "channel"
        STORE_CREDIT = "store_credit"

    machine = states.PAYMENT

    reference = models.BigIntegerField(db_index=True)
    tender = models.CharField(max_length=12, choices=Tender, default=Tender.CHANNEL)
    currency = models.CharField(max_length=3)
    amount_minor = models.BigIntegerField()
    captured_minor = models.BigIntegerField(default=0)
    refunded_minor = models.BigIntegerField(default=0)
    charged_back_minor = models.BigIntegerField(default=0, db_default=0)
    credit_account = models.ForeignKey(
        CreditAccount, on_delete=models.PROTECT, null=True, related_name="payments"
    )
    beside = models.ForeignKey(
        "payments.Attempt", on_delete=models.PROTECT, null=True, related_name="credit_payments"
    )

    class Meta:
        constraints = [
            *GroupModel.Meta.constraints,
            # Nothing is left for a channel where store credit pays all.
            models.CheckConstraint(
                condition=Q(amount_minor__gt=0)
                | (Q(amount_minor=0, tender="channel") & ~Q(status__in=states.PAYMENT.waiting)),
                name="payments_payment_amount_positive",
            ),
            models.CheckConstraint(
                condition=Q(tender="channel", credit_account=None)
                | Q(tender="store_credit", credit_account__isnull=False),
                name="payments_payment_credit_account",
            ),
            models.CheckConstraint(
                condition=Q(refunded_minor__gte=0)
                & Q(charged_back_minor__gte=0)
                & Q(captured_minor__gte=F("refunded_minor") + F("charged_back_minor")),
                name="payments_payment_refund_bounds",
            ),
        ]

    def __str__(self) -> str:
        return f"payment {self.pk}"

    @property
    def is_credit(self) -> bool:
        """True where it is paid with store credit."""
        return self.tender == self.Tender.STORE_CREDIT

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

    @states.PAYMENT.transition("release")
    def release(self) -> None:
        """The store credit is the customer's again."""


class PaymentShare(GroupModel):
    """How much of a payment belongs to one order, and what became of that, in minor units.

    The amount is 0 where the whole order was called off before the payment. What was promised
    (`authorised_minor`) is taken (`captured_minor`) or let go (`voided_minor`), in parts or at once;
    `refunded_minor` of what was taken has gone back, `charged_back_minor` a bank has taken back.
    """

    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="shares")
    order_id = models.BigIntegerField(db_index=True)
    merchant = models.ForeignKey(
        Merchant, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    amount_minor = models.BigIntegerField()
    authorised_minor = models.BigIntegerField(default=0, db_default=0)
    captured_minor = models.BigIntegerField(default=0, db_default=0)
    voided_minor = models.BigIntegerField(default=0, db_default=0)
    refunded_minor = models.BigIntegerField(default=0)
    charged_back_minor = models.BigIntegerField(default=0, db_default=0)

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
                condition=Q(refunded_minor__gte=0)
                & Q(charged_back_minor__gte=0)
                & Q(captured_minor__gte=F("refunded_minor") + F("charged_back_minor")),
                name="payments_share_refund_bounds",
            ),
            models.CheckConstraint(
                condition=Q(captured_minor__gte=0)
                & Q(voided_minor__gte=0)
                & Q(amount_minor__gte=F("captured_minor") + F("voided_minor")),
                name="payments_share_capture_bounds",
            ),
            models.CheckConstraint(
                condition=Q(authorised_minor__gte=0) & Q(authorised_minor__lte=F("amount_minor")),
                name="payments_share_authorised_bounds",
            ),
        ]

    def __str__(self) -> str:
        return f"share of order {self.order_id}"

    @property
    def left_minor(self) -> int:
        """What of it we still have."""
        return self.captured_minor - self.refunded_minor - self.charged_back_minor

    @property
    def open_minor(self) -> int:
        """What has been neither taken nor let go."""
        return self.amount_minor - self.captured_minor - self.voided_minor


class Attempt(Stateful):
    """One try at a channel; its id as text is the key towards the channel.

    `is_excess` says that its money came on top of a capture and goes back. `capture_at` says when
    the money is taken that the channel has promised.
    """

    machine = states.ATTEMPT

    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="attempts")
    channel = models.CharField(max_length=30)
    capture_at = models.CharField(
        max_length=8, default=CaptureAt.ONCE.value, db_default=CaptureAt.ONCE.value
    )
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    token = models.CharField(max_length=100, blank=True)
    return_url = models.CharField(max_length=500)
    expires_at = models.DateTimeField()
    channel_ref = models.CharField(max_length=100, blank=True)
    action_url = models.CharField(max_length=5000, blank=True)  # hosted pages have long addresses
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
    def captures_later(self) -> bool:
        """True where its money is taken per order, as the goods move."""
        return self.capture_at != CaptureAt.ONCE

    @property
    def may_still_pay(self) -> bool:
        """True while it can bring money: its outcome is not known, or what it promised not taken."""
        return self.is_live or (self.status == "succeeded" and self.captures_later)

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


class Capture(Stateful):
    """Taking one order's part of money that was promised. `tries` counts how often it was asked for.

    `is_last`: the channel may let go of the rest.
    """

    machine = states.CAPTURE

    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="captures")
    attempt = models.ForeignKey(Attempt, on_delete=models.PROTECT, related_name="captures")
    order_id = models.BigIntegerField(db_index=True)
    merchant = models.ForeignKey(
        Merchant, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    request_key = models.CharField(max_length=100)
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    is_last = models.BooleanField(default=False)
    tries = models.SmallIntegerField(default=1)
    channel_ref = models.CharField(max_length=100, blank=True)
    failure_code = models.CharField(max_length=100, blank=True)

    class Meta:
        constraints = [
            *GroupModel.Meta.constraints,
            models.UniqueConstraint(
                fields=["shard_key", "request_key"], name="payments_capture_request_once"
            ),
            models.CheckConstraint(
                condition=Q(amount_minor__gt=0), name="payments_capture_amount_positive"
            ),
        ]
        indexes = [
            models.Index(
                fields=["status_changed_at"],
                condition=Q(status="requested"),
                name="payments_capture_unknown",
            )
        ]

    def __str__(self) -> str:
        return f"capture {self.pk}"

    @property
    def channel_key(self) -> str:
        """What the channel knows this try by; a retry needs a new name, or the first answers."""
        return str(self.id) if self.tries == 1 else f"{self.id}.{self.tries}"

    def stream(self) -> tuple[str, int]:
        """The payment's, as its attempts'."""
        return "payment", self.payment_id

    def event_payload(self) -> dict[str, Any]:
        """Whose money is taken, how much."""
        return {
            "capture_id": str(self.id),
            "payment_id": str(self.payment_id),
            "reference": str(self.payment.reference),
            "order_id": str(self.order_id),
            "currency": self.currency,
            "amount_minor": self.amount_minor,
        }

    @states.CAPTURE.transition("succeed")
    def succeed(self) -> None:
        """The channel took it."""

    @states.CAPTURE.transition("fail")
    def fail(self) -> None:
        """The channel would not take it."""

    @states.CAPTURE.transition("retry")
    def retry(self) -> None:
        """The channel shall be asked once more."""
