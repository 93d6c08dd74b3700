"""Stock: where it lies, how much there is, who was promised some, and every change of it."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from accounts.models import Merchant
from catalog.models import Sku
from core.fsm import Stateful
from core.sharding import GroupModel, ReferenceModel
from inventory import states


class Location(ReferenceModel):
    """A place where a merchant keeps goods."""

    merchant = models.ForeignKey(Merchant, models.PROTECT, related_name="locations")
    code = models.SlugField(_("code"), max_length=40)
    name = models.CharField(_("name"), max_length=200)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["merchant", "code"], name="inventory_location_once")
        ]

    def __str__(self) -> str:
        return self.name


class StockItem(GroupModel):
    """The units of one SKU at one place. Both counters move by conditional updates only."""

    sku = models.ForeignKey(Sku, models.PROTECT, related_name="stock_items", db_constraint=False)
    merchant = models.ForeignKey(Merchant, models.PROTECT, related_name="stock_items")
    location = models.ForeignKey(Location, models.PROTECT, related_name="stock_items")
    on_hand = models.IntegerField(_("on hand"), default=0)
    reserved = models.IntegerField(_("reserved"), default=0)

    class Meta:
        constraints = [
            *GroupModel.Meta.constraints,
            models.UniqueConstraint(
                fields=["shard_key", "sku", "location"], name="inventory_stockitem_once"
            ),
            models.CheckConstraint(
                condition=Q(reserved__gte=0) & Q(reserved__lte=F("on_hand")),
                name="inventory_stockitem_bounds",
            ),
        ]

    def __str__(self) -> str:
        return f"SKU {self.sku_id}: {self.on_hand} on hand, {self.reserved} reserved"


class Reservation(Stateful):
    """Units promised to one order line (`reference`), which has at most one that is not released.

    Each unit leaves, or is given up and counted as released; an ended row has no other.
    It lives on the merchant's shard, beside its stock item.
    """

    machine = states.RESERVATION

    stock_item = models.ForeignKey(StockItem, models.PROTECT, related_name="reservations")
    reference = models.BigIntegerField(db_index=True)
    quantity = models.IntegerField(_("quantity"))
    shipped_quantity = models.IntegerField(_("shipped"), default=0)
    released_quantity = models.IntegerField(_("given up"), default=0)

    class Meta:
        constraints = [
            *GroupModel.Meta.constraints,
            models.UniqueConstraint(
                fields=["shard_key", "reference"],
                condition=~Q(status="released"),
                name="inventory_reservation_live_once",
            ),
            models.CheckConstraint(
                condition=Q(quantity__gt=0), name="inventory_reservation_quantity"
            ),
            models.CheckConstraint(
                condition=Q(shipped_quantity__gte=0)
                & Q(released_quantity__gte=0)
                & Q(quantity__gte=F("shipped_quantity") + F("released_quantity")),
                name="inventory_reservation_bounds",
            ),
            models.CheckConstraint(
                condition=Q(status__in=states.RESERVATION.waiting)
                | Q(quantity=F("shipped_quantity") + F("released_quantity")),
                name="inventory_reservation_nothing_left",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} for line {self.reference}: {self.status}"

    @property
    def outstanding(self) -> int:
        """Units that are still promised and have not left; what the row adds to `reserved`."""
        return self.quantity - self.shipped_quantity - self.released_quantity

    @states.RESERVATION.transition("commit")
    def commit(self) -> None:
        """The line is paid. No counter moves."""

    @states.RESERVATION.transition("ship")
    def ship(self) -> None:
        """The last unit has left."""

    @states.RESERVATION.transition("release")
    def release(self) -> None:
        """The units that have not left go back on sale."""


class StockMovement(GroupModel):
    """One change of the counters of a stock item. Append-only: the counters are its sum."""

    class Reason(models.TextChoices):
        """Why stock moved."""

        RECEIVE = "receive", _("received")
        ADJUST = "adjust", _("adjusted")
        RESERVE = "reserve", _("reserved")
        RELEASE = "release", _("released")
        WRITE_OFF = "write_off", _("written off")
        SHIP = "ship", _("shipped")
        RESTOCK = "restock", _("restocked")
        TRANSFER = "transfer", _("transferred")

    stock_item = models.ForeignKey(StockItem, models.PROTECT, related_name="movements")
    on_hand_change = models.IntegerField(_("change on hand"), default=0)
    reserved_change = models.IntegerField(_("change reserved"), default=0)
    reason = models.CharField(_("reason"), max_length=10, choices=Reason.choices)
    note = models.CharField(_("note"), max_length=200, blank=True)
    # What may happen once only; callers' keys stand behind their merchant's id.
    dedup_key = models.CharField(max_length=130)
    reference = models.BigIntegerField(null=True)
    actor = models.CharField(max_length=80)
    at = models.DateTimeField(_("at"))

    class Meta:
        constraints = [
            *GroupModel.Meta.constraints,
            models.UniqueConstraint(
                fields=["shard_key", "dedup_key"], name="inventory_stockmovement_once"
            ),
            models.CheckConstraint(
                condition=~Q(on_hand_change=0) | ~Q(reserved_change=0),
                name="inventory_stockmovement_moves",
            ),
        ]
        indexes = [
            models.Index(
                fields=["reference"],
                condition=Q(reference__isnull=False),
                name="inventory_movement_reference",
            )
        ]

    def __str__(self) -> str:
        return f"{self.reason} {self.on_hand_change:+} / {self.reserved_change:+}"
