"""Tables of the kernel: state changes, outbox, idempotency, hooks, leases, heartbeats, the clock."""

from datetime import UTC, datetime, timedelta

from django.db import models
from django.db.models import F, Q
from django.utils.timezone import now as machine_now

from core.ids import uuid7
from core.sharding import GroupModel, Kind, LocalModel, ReferenceModel

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

__all__ = [
    "Alarm",
    "BusinessClock",
    "Heartbeat",
    "Hook",
    "IdLease",
    "IdempotencyKey",
    "InboxEffect",
    "OutboxEvent",
    "OutboxIntervention",
    "OutboxRoute",
    "OutboxStream",
    "StateChange",
    "StateEdge",
    "StateRule",
]


class StateChange(GroupModel):
    """One step of one row through its machine. Append-only; `seq` counts 1, 2, 3 per row.

    `changes` keeps {field: [old, new]}, so that the row can be shown as it was at any instant;
    `source` and `request_id` say where the step came from (`core.origin`).
    """

    noun = models.CharField(max_length=20)
    object_id = models.BigIntegerField()
    seq = models.IntegerField()
    from_state = models.CharField(max_length=20, blank=True)
    to_state = models.CharField(max_length=20)
    verb = models.CharField(max_length=20)
    actor = models.CharField(max_length=80)
    reason = models.CharField(max_length=200, blank=True)
    event_id = models.UUIDField(null=True)
    changes = models.JSONField(default=dict)
    source = models.CharField(max_length=10, blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            *GroupModel.Meta.constraints,
            models.UniqueConstraint(
                fields=["shard_key", "noun", "object_id", "seq"], name="core_statechange_seq"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.noun} {self.object_id} #{self.seq}: {self.verb} → {self.to_state}"


class StateRule(ReferenceModel):
    """What a state of a machine means to the auditor; written from the machines by `migrate`."""

    noun = models.CharField(max_length=20)
    state = models.CharField(max_length=20)
    may_rest = models.BooleanField()
    longest_age = models.DurationField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["noun", "state"], name="core_staterule_once")
        ]

    def __str__(self) -> str:
        return f"{self.noun}: {self.state}"


class StateEdge(ReferenceModel):
    """An allowed step of a machine; written from the machines by `migrate`. Births start at ''."""

    noun = models.CharField(max_length=20)
    verb = models.CharField(max_length=20)
    from_state = models.CharField(max_length=20, blank=True)
    to_state = models.CharField(max_length=20)
    emits = models.BooleanField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["noun", "verb", "from_state"], name="core_stateedge_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.noun}: {self.from_state} –{self.verb}→ {self.to_state}"


class OutboxStream(GroupModel):
    """The events of one row, in order. Its row lock makes sequence order equal commit order."""

    aggregate_type = models.CharField(max_length=20)
    aggregate_id = models.BigIntegerField()
    external = models.BooleanField(default=False)
    last_seq = models.IntegerField(default=0)
    delivered_seq = models.IntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    lease_token = models.UUIDField(null=True)
    attempts = models.SmallIntegerField(default=0)
    available_at = models.DateTimeField(default=EPOCH)
    handed_over = models.SmallIntegerField(default=0, db_default=0)  # times since it last moved
    parked = models.BooleanField(default=False)
    last_error = models.TextField(blank=True)

    class Meta:
        constraints = [
            *GroupModel.Meta.constraints,
            models.UniqueConstraint(
                fields=["shard_key", "aggregate_type", "aggregate_id"], name="core_stream_once"
            ),
            models.CheckConstraint(
                condition=Q(delivered_seq__gte=0) & Q(delivered_seq__lte=F("last_seq")),
                name="core_stream_delivered_bounds",
            ),
        ]
        indexes = [
            models.Index(
                fields=["available_at"],
                condition=Q(last_seq__gt=F("delivered_seq"), parked=False),
                name="core_stream_waiting",
            ),
            models.Index(fields=["id"], condition=Q(parked=True), name="core_stream_parked"),
        ]

    def __str__(self) -> str:
        return f"{self.aggregate_type} {self.aggregate_id}"


class OutboxEvent(models.Model):
    """A fact that has happened, recorded by the transaction that made it true."""

    shard_kind = Kind.GROUP

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    shard_key = models.SmallIntegerField(editable=False)
    stream = models.ForeignKey(OutboxStream, on_delete=models.PROTECT, related_name="events")
    seq = models.IntegerField()
    type = models.CharField(max_length=40)
    object_id = models.BigIntegerField()
    payload = models.JSONField(default=dict)
    schema_version = models.SmallIntegerField(default=1)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["shard_key", "stream", "seq"], name="core_event_seq_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.object_id}"


class OutboxRoute(ReferenceModel):
    """Which local consumer takes which event type; written from the registry by `migrate`."""

    type = models.CharField(max_length=40)
    consumer = models.CharField(max_length=60)
    since = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["type", "consumer"], name="core_route_once")]

    def __str__(self) -> str:
        return f"{self.type} → {self.consumer}"


class InboxEffect(models.Model):
    """Proof that a consumer has done its work for an event; the primary key forbids twice."""

    shard_kind = Kind.GROUP

    pk = models.CompositePrimaryKey("shard_key", "consumer", "event_id")
    shard_key = models.SmallIntegerField(editable=False)
    consumer = models.CharField(max_length=60)
    event_id = models.UUIDField()
    stream_id = models.BigIntegerField()
    seq = models.IntegerField()
    applied_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.consumer}: {self.event_id}"


class OutboxIntervention(LocalModel):
    """What a person did about a stream that stood still, or had done once more, and why."""

    class Action(models.TextChoices):
        """What was done."""

        RETRY = "retry"
        SKIP = "skip"
        REPLAY = "replay"

    stream_id = models.BigIntegerField(db_index=True)
    event_id = models.UUIDField(null=True)
    action = models.CharField(max_length=6, choices=Action.choices)
    reason = models.CharField(max_length=200)
    actor = models.CharField(max_length=80)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.action} {self.stream_id}: {self.reason}"


class IdempotencyKey(LocalModel):
    """The stored answer to a keyed request; committed together with the request's effects."""

    scope = models.CharField(max_length=200)
    key = models.CharField(max_length=255)
    fingerprint = models.BinaryField(max_length=32)
    status = models.SmallIntegerField()
    body = models.JSONField(null=True)
    location = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(default=machine_now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["scope", "key"], name="core_idempotencykey_once")
        ]
        indexes = [models.Index(fields=["created_at"], name="core_idempotencykey_age")]

    def __str__(self) -> str:
        return f"{self.scope} {self.key}"


class Hook(LocalModel):
    """A notification from outside, stored as it came before it was answered."""

    class State(models.TextChoices):
        """What became of it."""

        RECEIVED = "received"
        PROCESSED = "processed"
        IGNORED = "ignored"
        REVIEW = "review"
        UNMATCHED = "unmatched"

    id = models.BigIntegerField(primary_key=True, editable=False)
    channel = models.CharField(max_length=30)
    event_id = models.CharField(max_length=100)
    headers = models.JSONField(default=dict)
    payload = models.BinaryField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.RECEIVED)
    note = models.CharField(max_length=200, blank=True)
    received_at = models.DateTimeField()
    processed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["channel", "event_id"], name="core_hook_once")
        ]
        indexes = [
            models.Index(
                fields=["received_at"], condition=Q(state="received"), name="core_hook_waiting"
            ),
            models.Index(
                fields=["id"],
                condition=Q(state__in=["review", "unmatched"]),
                name="core_hook_to_look_at",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.event_id}"


class IdLease(LocalModel):
    """The right to use one of 256 node numbers in ids for a while; see `core.ids.Lease`."""

    node_id = models.SmallIntegerField(primary_key=True)
    holder = models.CharField(max_length=200, blank=True)
    expires_at = models.DateTimeField(null=True)
    high_water_ms = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"node {self.node_id}"


class Heartbeat(LocalModel):
    """When a process last proved that it makes progress. Machine time."""

    name = models.CharField(max_length=40, primary_key=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class Alarm(LocalModel):
    """A condition of the monitor that does not hold: from the first reading that found it to the first
    that did not. Machine time, but for `oldest`.

    `level` is the worst since it opened; `notified_at` is when the last mail of it left.
    """

    class Level(models.TextChoices):
        """How urgent it is."""

        WARN = "warn"
        PAGE = "page"

    condition = models.CharField(max_length=10)
    level = models.CharField(max_length=4, choices=Level.choices)
    count = models.IntegerField()
    oldest = models.DateTimeField(null=True)
    note = models.CharField(max_length=200, blank=True)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    notified_at = models.DateTimeField(null=True)
    resolved_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["condition"],
                condition=Q(resolved_at=None),
                name="core_alarm_open_once",
            )
        ]
        indexes = [models.Index(fields=["condition", "-id"], name="core_alarm_latest")]

    def __str__(self) -> str:
        return f"{self.condition}: {self.level}"


class BusinessClock(LocalModel):
    """One row: how far business time runs ahead of the database's clock; behind it below zero."""

    offset = models.DurationField(default=timedelta)

    def __str__(self) -> str:
        return f"+{self.offset}"
