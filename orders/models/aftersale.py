"""What may come after placing: a buyer who asks to call off what is being packed."""

from typing import Any

from django.db import models
from django.db.models import Q

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
