"""What channels list of the money they moved, and where that differs from our book. Append-only."""

from django.db import models
from django.db.models import F

from core.sharding import GroupModel
from payments.models.payment import Payment


class ChannelRecord(GroupModel):
    """One row of a channel's list, as it came first. `key` is ours by its word, `at` its own time.

    `kind` is one of `ChannelFact.Kind`. `channel` is the one with the list; the movement may be of
    another that is listed with it.
    """

    channel = models.CharField(max_length=30)
    kind = models.CharField(max_length=20)
    key = models.CharField(max_length=255)
    ref = models.CharField(max_length=100)
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    fee_minor = models.BigIntegerField()
    at = models.DateTimeField()
    seen_at = models.DateTimeField()

    class Meta:
        constraints = [
            *GroupModel.Meta.constraints,
            models.UniqueConstraint(
                fields=["shard_key", "channel", "kind", "ref"], name="payments_channelrecord_once"
            ),
        ]
        indexes = [
            models.Index(fields=["channel", "at"], name="payments_channelrecord_of_day"),
            models.Index(fields=["ref"], name="payments_channelrecord_ref"),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.ref}: {self.kind}"


class ReconciliationRun(GroupModel):
    """A list that was taken in to its end: all that the channel moved from `since` to `until`."""

    channel = models.CharField(max_length=30)
    since = models.DateTimeField()
    until = models.DateTimeField()
    records = models.IntegerField()
    actor = models.CharField(max_length=80)

    class Meta:
        constraints = [*GroupModel.Meta.constraints]
        indexes = [models.Index(fields=["channel", "-until"], name="payments_run_latest")]

    def __str__(self) -> str:
        return f"{self.channel} until {self.until}"


class Difference(GroupModel):
    """A movement of which a channel says one thing and our book another; found once.

    `about` is the movement's kind, one of `ChannelFact.Kind`. Each side's amount is 0 where that side
    knows nothing of it; of a fee they are the fees.
    """

    class Kind(models.TextChoices):
        """What differs."""

        ONLY_HERE = "only_here"
        ONLY_THERE = "only_there"
        AMOUNT = "amount"
        CURRENCY = "currency"
        FEE = "fee"

    channel = models.CharField(max_length=30)
    kind = models.CharField(max_length=10, choices=Kind)
    about = models.CharField(max_length=20)
    ref = models.CharField(max_length=100)
    key = models.CharField(max_length=255, blank=True)
    ours_minor = models.BigIntegerField()
    theirs_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    payment = models.ForeignKey(
        Payment, on_delete=models.PROTECT, null=True, related_name="differences"
    )
    note = models.CharField(max_length=200, blank=True)
    found_at = models.DateTimeField()

    class Meta:
        constraints = [
            *GroupModel.Meta.constraints,
            models.UniqueConstraint(
                fields=["shard_key", "channel", "kind", "about", "ref"],
                name="payments_difference_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.ref}: {self.kind}"


class DifferenceResolution(GroupModel):
    """How a difference was settled, by whom and why."""

    class Verdict(models.TextChoices):
        """Whose word stands."""

        OURS = "ours"
        THEIRS = "theirs"
        MATCHED = "matched"

    difference = models.ForeignKey(Difference, on_delete=models.PROTECT, related_name="resolutions")
    verdict = models.CharField(max_length=10, choices=Verdict)
    reason = models.CharField(max_length=200)
    actor = models.CharField(max_length=80)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            *GroupModel.Meta.constraints,
            models.UniqueConstraint(
                fields=["shard_key", "difference"], name="payments_difference_settled_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.verdict}: {self.reason}"


class ReconciliationDay(GroupModel):
    """The certificate of a channel's day. `sha256` is over the text of all rows of both sides.

    Level: each row of the channel's report is a movement in our book and the other way round, or
    their difference has been settled. A later version does not change an earlier one.
    """

    channel = models.CharField(max_length=30)
    day = models.DateField()
    number = models.IntegerField()
    is_level = models.BooleanField()
    rows = models.IntegerField()
    sha256 = models.CharField(max_length=64)
    actor = models.CharField(max_length=80)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            *GroupModel.Meta.constraints,
            models.UniqueConstraint(
                fields=["shard_key", "channel", "day", "number"], name="payments_day_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.day} no. {self.number}"


class ReconciliationTotal(GroupModel):
    """The sums of a certified day in one currency: captures less refunds, fees, what is left."""

    certificate = models.ForeignKey(
        ReconciliationDay, on_delete=models.PROTECT, related_name="totals"
    )
    currency = models.CharField(max_length=3)
    channel_gross_minor = models.BigIntegerField()
    channel_fee_minor = models.BigIntegerField()
    book_gross_minor = models.BigIntegerField()
    book_fee_minor = models.BigIntegerField()
    settled_minor = models.BigIntegerField()
    difference_minor = models.BigIntegerField()

    class Meta:
        constraints = [
            *GroupModel.Meta.constraints,
            models.UniqueConstraint(
                fields=["shard_key", "certificate", "currency"], name="payments_daytotal_once"
            ),
            models.CheckConstraint(
                condition=models.Q(
                    difference_minor=F("channel_gross_minor")
                    - F("channel_fee_minor")
                    - F("book_gross_minor")
                    + F("book_fee_minor")
                    - F("settled_minor")
                ),
                name="payments_daytotal_difference",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.currency} {self.difference_minor:+}"

    @property
    def channel_net_minor(self) -> int:
        """What the channel owes for the day by its own account."""
        return self.channel_gross_minor - self.channel_fee_minor

    @property
    def book_net_minor(self) -> int:
        """What it owes by ours."""
        return self.book_gross_minor - self.book_fee_minor
