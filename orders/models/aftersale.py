"""What may come after placing: a buyer who asks to call off what is being packed."""

from typing import Any

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from core.fsm import Stateful
from core.sharding import GroupModel
from orders import states
from orders.models.order import Order, OrderGroup


class CancelRequest(Stateful):
    """A buyer's wish that the merchant has to answer by `deadline`; silence approves it.

    `quantities` maps line ids, as text, to units; empty: all that has not left.
    """

    machine = states.CANCEL_REQUEST

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="cancel_requests")
    quantities = models.JSONField(default=dict)
    reason = models.CharField(max_length=200)
    deadline = models.DateTimeField()
    answer = models.CharField(max_length=200, blank=True)  # the merchant's words to the buyer

    class Meta:
        constraints = [
            *GroupModel.Meta.constraints,
            models.UniqueConstraint(
                fields=["shard_key", "order"],
                condition=Q(status=states.REQUESTED),
                name="orders_cancelrequest_one_open",
            ),
        ]
        indexes = [
            models.Index(
                fields=["deadline", "id"],
                condition=Q(status=states.REQUESTED),
                name="orders_cancelrequest_due",
            )
        ]

    def __str__(self) -> str:
        return f"request to cancel {self.order_id}"

    def event_payload(self) -> dict[str, Any]:
        """Which order, whose, until when."""
        return {
            "order_id": str(self.order_id),
            "group_id": str(self.order.group_id),
            "merchant_id": str(self.order.merchant_id),
            "deadline": self.deadline.isoformat(),
        }

    @states.CANCEL_REQUEST.transition("approve")
    def approve(self) -> None:
        """What was asked for is called off."""

    @states.CANCEL_REQUEST.transition("decline")
    def decline(self) -> None:
        """The order goes on."""

    @states.CANCEL_REQUEST.transition("withdraw")
    def withdraw(self) -> None:
        """The buyer wants it after all."""


class OrderRefund(GroupModel):
    """What of an order somebody asked to give back by hand, and why. Append-only.

    `units` maps line ids, as text, to units whose price goes back; beside it a part of the delivery
    and an amount for goodwill. Its money is the refunds whose request keys begin with its own.
    """

    class ReasonCode(models.TextChoices):
        """Why money goes back though nothing is called off."""

        DAMAGED = "damaged", _("Damaged or faulty")
        NOT_RECEIVED = "not_received", _("Did not arrive")
        WRONG_ITEM = "wrong_item", _("Wrong item")
        LATE = "late", _("Arrived late")
        PRICE = "price", _("Wrong price")
        OTHER = "other", _("Other reason")

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="refund_requests")
    request_key = models.CharField(max_length=90)
    units = models.JSONField(default=dict)
    delivery_minor = models.BigIntegerField(default=0)
    goodwill_minor = models.BigIntegerField(default=0)
    amount_minor = models.BigIntegerField()
    reason_code = models.CharField(max_length=20, choices=ReasonCode)
    reason = models.CharField(max_length=200)
    actor = models.CharField(max_length=80)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            *GroupModel.Meta.constraints,
            models.UniqueConstraint(
                fields=["shard_key", "request_key"], name="orders_orderrefund_once"
            ),
            models.CheckConstraint(
                condition=Q(
                    delivery_minor__gte=0,
                    goodwill_minor__gte=0,
                    amount_minor__gt=0,
                    amount_minor__gte=F("delivery_minor") + F("goodwill_minor"),
                ),
                name="orders_orderrefund_parts",
            ),
        ]

    def __str__(self) -> str:
        return f"refund of {self.amount_minor} of order {self.order_id}"


class Note(GroupModel):
    """What somebody wrote down about a group or one of its orders. Append-only.

    A note with an order is its merchant's and the platform's to read, one without the platform's.
    """

    group = models.ForeignKey(OrderGroup, on_delete=models.PROTECT, related_name="notes")
    order = models.ForeignKey(Order, on_delete=models.PROTECT, null=True, related_name="notes")
    text = models.CharField(max_length=2000)
    actor = models.CharField(max_length=80)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            *GroupModel.Meta.constraints,
            models.CheckConstraint(condition=~Q(text=""), name="orders_note_says_something"),
        ]
        indexes = [models.Index(fields=["group", "at"], name="orders_note_of_group")]

    def __str__(self) -> str:
        return self.text
