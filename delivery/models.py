"""What delivery costs, the parcels of an order, and what carriers say of them."""

from typing import Any

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.models import Merchant
from core.fsm import Stateful
from core.sharding import GroupModel, LocalModel, ReferenceModel
from delivery import states


class DeliveryMethod(ReferenceModel):
    """A way in which a merchant delivers, and how its price is found."""

    class Kind(models.TextChoices):
        """Where the price comes from."""

        FLAT = "flat", _("one price")
        BY_WEIGHT = "by_weight", _("by weight")
        QUOTED = "quoted", _("quoted per cart")

    merchant = models.ForeignKey(Merchant, models.PROTECT, related_name="delivery_methods")
    code = models.SlugField(_("code"), max_length=40)
    name = models.CharField(_("name"), max_length=100)
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    currency = models.CharField(_("currency"), max_length=3)
    price_minor = models.BigIntegerField(_("price of a flat method, in minor units"), default=0)
    active = models.BooleanField(_("offered"), default=True)
    position = models.PositiveSmallIntegerField(_("position"), default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["merchant", "code"], name="delivery_method_once"),
            models.CheckConstraint(condition=Q(price_minor__gte=0), name="delivery_method_price"),
        ]

    def __str__(self) -> str:
        return self.name


class DeliveryRate(ReferenceModel):
    """The price of a by-weight method for parcels up to a weight."""

    method = models.ForeignKey(DeliveryMethod, models.CASCADE, related_name="rates")
    up_to_weight_g = models.PositiveIntegerField(_("up to, in grams"))
    price_minor = models.BigIntegerField(_("price in minor units"))

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["method", "up_to_weight_g"], name="delivery_rate_once"),
            models.CheckConstraint(condition=Q(price_minor__gte=0), name="delivery_rate_price"),
        ]

    def __str__(self) -> str:
        return f"up to {self.up_to_weight_g} g: {self.price_minor}"


class DeliveryQuote(LocalModel):
    """What a quoted method costs for one cart, as the carrier said, until when."""

    cart_id = models.BigIntegerField()
    merchant = models.ForeignKey(Merchant, models.CASCADE, related_name="+")
    method = models.ForeignKey(DeliveryMethod, models.CASCADE, related_name="quotes")
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    valid_until = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["cart_id", "merchant", "method"], name="delivery_quote_once"
            ),
            models.CheckConstraint(condition=Q(amount_minor__gte=0), name="delivery_quote_amount"),
        ]

    def __str__(self) -> str:
        return f"cart {self.cart_id}: {self.amount_minor} {self.currency}"


class Shipment(Stateful):
    """A parcel of one order (`reference`). It lives on the customer's shard."""

    machine = states.SHIPMENT

    reference = models.BigIntegerField(db_index=True)
    merchant = models.ForeignKey(Merchant, models.PROTECT, related_name="shipments")
    carrier = models.CharField(_("carrier"), max_length=20)
    tracking_number = models.CharField(_("tracking number"), max_length=60, blank=True)
    label_url = models.URLField(_("label"), max_length=500, blank=True)

    class Meta:
        constraints = [*GroupModel.Meta.constraints]
        indexes = [models.Index(fields=["merchant", "-id"], name="delivery_shipment_merchant")]

    def __str__(self) -> str:
        return f"{self.carrier} {self.tracking_number or self.pk}: {self.status}"

    def event_payload(self) -> dict[str, Any]:
        return {
            "reference": str(self.reference),
            "merchant_id": str(self.merchant_id),
            "carrier": self.carrier,
        }

    @states.SHIPMENT.transition("hand_over")
    def hand_over(self) -> None:
        """The carrier has taken it."""

    @states.SHIPMENT.transition("move")
    def move(self) -> None:
        """It is on its way."""

    @states.SHIPMENT.transition("deliver")
    def deliver(self) -> None:
        """The recipient has it."""

    @states.SHIPMENT.transition("void")
    def void(self) -> None:
        """It will not be handed over."""

    @states.SHIPMENT.transition("lose")
    def lose(self) -> None:
        """The carrier gives it up."""

    @states.SHIPMENT.transition("return")
    def return_(self) -> None:
        """It has come back to the sender."""


setattr(Shipment, "return", Shipment.return_)  # the verb is a word of Python's own


class ShipmentLine(GroupModel):
    """Units of one order line (`reference`) in a parcel."""

    shipment = models.ForeignKey(Shipment, models.PROTECT, related_name="lines")
    reference = models.BigIntegerField(db_index=True)
    quantity = models.IntegerField(_("quantity"))

    class Meta:
        constraints = [
            *GroupModel.Meta.constraints,
            models.UniqueConstraint(
                fields=["shard_key", "shipment", "reference"], name="delivery_shipmentline_once"
            ),
            models.CheckConstraint(
                condition=Q(quantity__gt=0), name="delivery_shipmentline_quantity"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} of line {self.reference}"


class ParcelEvent(GroupModel):
    """What a carrier said of a parcel. Insert-only: the shipment's state is the furthest of them."""

    shipment = models.ForeignKey(Shipment, models.PROTECT, related_name="parcel_events")
    code = models.CharField(_("code"), max_length=20)
    note = models.CharField(_("note"), max_length=200, blank=True)
    at = models.DateTimeField(_("at"))
    event_id = models.CharField(max_length=100)

    class Meta:
        constraints = [
            *GroupModel.Meta.constraints,
            models.UniqueConstraint(
                fields=["shard_key", "shipment", "event_id"], name="delivery_parcelevent_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code} at {self.at:%Y-%m-%d %H:%M}"
