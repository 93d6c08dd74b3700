"""What channels say, as they said it."""

from functools import reduce
from operator import or_

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q

from core.sharding import GroupModel
from payments.models.chargeback import Chargeback
from payments.models.payment import Attempt, Capture
from payments.models.refund import Refund


def one_of(*fields: str) -> Q:
    """Just one of them is set."""
    return reduce(or_, (Q(**{f"{name}__isnull": name != one for name in fields}) for one in fields))


class ChannelFact(GroupModel):
    """One thing that a channel said: of an attempt, a capture, a refund or a chargeback. Append-only.

    States are a fold over these rows, so neither the order of arrival nor a repetition matters.
    """

    class Kind(models.TextChoices):
        """What it says."""

        AUTHORISED = "authorised"
        CAPTURED = "captured"
        CAPTURE_FAILED = "capture_failed"
        FAILED = "failed"
        CLOSED = "closed"
        REFUND_SUCCEEDED = "refund_succeeded"
        REFUND_FAILED = "refund_failed"
        CHARGEBACK_OPENED = "chargeback_opened"
        CHARGEBACK_WON = "chargeback_won"
        CHARGEBACK_LOST = "chargeback_lost"

    class Origin(models.TextChoices):
        """How we came to know."""

        ANSWER = "answer"
        WEBHOOK = "webhook"
        QUERY = "query"
        RECON = "recon"

    attempt = models.ForeignKey(Attempt, on_delete=models.PROTECT, null=True, related_name="facts")
    capture = models.ForeignKey(Capture, on_delete=models.PROTECT, null=True, related_name="facts")
    refund = models.ForeignKey(Refund, on_delete=models.PROTECT, null=True, related_name="facts")
    chargeback = models.ForeignKey(
        Chargeback, on_delete=models.PROTECT, null=True, related_name="facts"
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
                condition=one_of("attempt", "capture", "refund", "chargeback"),
                name="payments_channelfact_one_subject",
            ),
        ]
        indexes = [
            # Rows come in the order of time: a few pages are enough to find a day's.
            BrinIndex(fields=["at"], name="payments_channelfact_at", autosummarize=True),
            # A dispute may name nothing of ours but what the channel calls the payment.
            models.Index(
                fields=["channel_ref"],
                condition=Q(kind="authorised") | Q(kind="captured"),
                name="payments_channelfact_money_ref",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.channel_ref}: {self.kind}"

    @property
    def subject(self) -> Attempt | Capture | Refund | Chargeback:
        """What it is said of."""
        subject = self.attempt or self.capture or self.refund or self.chargeback
        assert subject, "payments_channelfact_one_subject holds"
        return subject


# Which statements are about a refund, and which about a dispute.
ABOUT_REFUNDS = (ChannelFact.Kind.REFUND_SUCCEEDED, ChannelFact.Kind.REFUND_FAILED)
ABOUT_DISPUTES = (
    ChannelFact.Kind.CHARGEBACK_OPENED,
    ChannelFact.Kind.CHARGEBACK_WON,
    ChannelFact.Kind.CHARGEBACK_LOST,
)
