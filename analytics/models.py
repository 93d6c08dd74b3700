"""What has been seen of visits and orders, for figures alone: nothing decides by it."""

from django.contrib.postgres.indexes import BrinIndex
from django.db import models

from core.sharding import LocalModel


class Event(LocalModel):
    """One thing that happened, at the server's business time. Append-only; told twice, kept once.

    No address, no name and no free text stands in it: `props` takes the keys of `record.PROPS`.
    `session_key` is a visit under this month's key, '' where nobody may be followed; only then, and
    only for a visit, is `user_id` kept. One plain table: its key holds the time already, so it can
    be cut by month when there is enough of it to drop.
    """

    pk = models.CompositePrimaryKey("event_id", "occurred_at")
    event_id = models.UUIDField()
    occurred_at = models.DateTimeField()
    received_at = models.DateTimeField(auto_now_add=True)
    name = models.CharField(max_length=30)
    session_key = models.CharField(max_length=64, blank=True)
    user_id = models.BigIntegerField(null=True)
    order_group_id = models.BigIntegerField(null=True)
    order_id = models.BigIntegerField(null=True)
    merchant_id = models.BigIntegerField(null=True)
    product_id = models.BigIntegerField(null=True)
    sku_id = models.BigIntegerField(null=True)
    value_minor = models.BigIntegerField(null=True)
    currency = models.CharField(max_length=3, blank=True)
    channel = models.CharField(max_length=10, blank=True)
    device = models.CharField(max_length=10, blank=True)
    props = models.JSONField(default=dict)
    schema_version = models.SmallIntegerField(default=1)

    class Meta:
        indexes = [
            BrinIndex(fields=["occurred_at"], name="analytics_event_age"),
            models.Index(
                fields=["name", "occurred_at"],
                include=["session_key"],
                name="analytics_event_by_name",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.occurred_at}"


class DailyCount(LocalModel):
    """How often something was done that day by those who asked not to be followed."""

    day = models.DateField()
    name = models.CharField(max_length=30)
    count = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["day", "name"], name="analytics_dailycount_once")
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.name}: {self.count}"
