"""Money that a bank takes back from us because its customer disputes the charge."""

from typing import Any

from django.db import models
from django.db.models import Q

from accounts.models import Merchant
from core.fsm import Stateful
from core.sharding import GroupModel
from payments import states
from payments.models.payment import Attempt, Payment


class Chargeback(Stateful):
    """A dispute about an attempt's money. The channel takes it at once, and gives it back when won.

    `loss_minor` of it is more than was left of the orders' shares, for it had gone back before.
    """

    machine = states.CHARGEBACK

    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="chargebacks")
    attempt = models.ForeignKey(Attempt, on_delete=models.PROTECT, related_name="chargebacks")
    channel = models.CharField(max_length=30)
    channel_ref = models.CharField(max_length=100)
    amount_minor = models.BigIntegerField()
    loss_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)

    class Meta:
        constraints = [
            *GroupModel.Meta.constraints,
            models.UniqueConstraint(
                fields=["shard_key", "channel", "channel_ref"], name="payments_chargeback_once"
            ),
            models.CheckConstraint(
                condition=Q(amount_minor__gt=0)
                & Q(loss_minor__gte=0)
                & Q(loss_minor__lte=models.F("amount_minor")),
                name="payments_chargeback_amounts",
            ),
        ]

    def __str__(self) -> str:
        return f"chargeback {self.pk}"

    @property
    def channel_key(self) -> str:
        """The channel knows it by the payment that it is about; its own reference names it."""
        return self.attempt.channel_key

    def event_payload(self) -> dict[str, Any]:
        """Whose money it is about, how much."""
        return {
            "chargeback_id": str(self.id),
            "payment_id": str(self.payment_id),
            "payment_reference": str(self.payment.reference),
            "currency": self.currency,
            "amount_minor": self.amount_minor,
            "loss_minor": self.loss_minor,
        }

    @states.CHARGEBACK.transition("win")
    def win(self) -> None:
        """The bank gives the money back to us."""

    @states.CHARGEBACK.transition("lose")
    def lose(self) -> None:
        """The money stays with the bank's customer."""


class ChargebackShare(GroupModel):
    """What a chargeback takes from one order's share."""

    chargeback = models.ForeignKey(Chargeback, on_delete=models.PROTECT, related_name="shares")
    order_id = models.BigIntegerField(db_index=True)
    merchant = models.ForeignKey(
        Merchant, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    amount_minor = models.BigIntegerField()

    class Meta:
        constraints = [
            *GroupModel.Meta.constraints,
            models.CheckConstraint(
                condition=Q(amount_minor__gt=0), name="payments_chargebackshare_amount_positive"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount_minor} of order {self.order_id}"
