"""Mails that tell of an order: what was said to whom, and when it left."""

from django.db import models

from core.sharding import GroupModel
from orders.models.order import Order, OrderGroup


class Mail(GroupModel):
    """One mail for one event: written with its words, sent after that, shown in the timeline."""

    group = models.ForeignKey(OrderGroup, on_delete=models.PROTECT, related_name="mails")
    order = models.ForeignKey(Order, on_delete=models.PROTECT, null=True, related_name="mails")
    event_id = models.UUIDField()
    template = models.CharField(max_length=40)
    recipient = models.CharField(max_length=254)
    language = models.CharField(max_length=10)
    subject = models.CharField(max_length=200)
    text = models.TextField()
    html = models.TextField()
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            *GroupModel.Meta.constraints,
            models.UniqueConstraint(
                fields=["shard_key", "event_id", "template", "recipient"], name="orders_mail_once"
            ),
        ]
        indexes = [models.Index(fields=["group", "created_at"], name="orders_mail_of_group")]

    def __str__(self) -> str:
        return f"{self.template} to {self.recipient}"
