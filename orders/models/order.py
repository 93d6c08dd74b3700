"""What is placed: the group that is paid once, its orders per merchant."""

from typing import Any

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Q

from accounts.actors import Role
from accounts.models import Customer, Merchant
from core.fsm import Stateful
from core.sharding import GroupModel
from orders import states

# How often a shopper may ask for more time to pay; never in a flash sale.
MOST_EXTENSIONS = 10


class OrderGroup(Stateful):
    """What a shopper places once and pays once. `number` identifies it and permits nothing."""

    class PaymentSummary(models.TextChoices):
        """How paid it is, for lists; derived from payments and refunds."""

        UNPAID = "unpaid"
        AUTHORISED = "authorised"
        PARTLY_PAID = "partly_paid"
        PAID = "paid"
        PARTLY_REFUNDED = "partly_refunded"
        REFUNDED = "refunded"

    class FulfilmentSummary(models.TextChoices):
        """How shipped it is, for lists; derived from its orders."""

        NONE = "none"
        PARTLY_SHIPPED = "partly_shipped"
        SHIPPED = "shipped"
        DELIVERED = "delivered"
        RETURNED = "returned"

    machine = states.GROUP
    told = (
        *("email", "shipping_address", "pay_before", "extensions_left", "called_off_minor"),
        *("link_version", "payment_summary", "fulfilment_summary"),
    )

    number = models.CharField(max_length=40)
    checkout_token = models.CharField(max_length=64)
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, db_constraint=False)
    cart_id = models.BigIntegerField()
    email = models.CharField(max_length=254)
    language = models.CharField(max_length=10)
    shipping_address = models.JSONField(default=dict)
    currency = models.CharField(max_length=3)
    items_minor = models.BigIntegerField()
    delivery_minor = models.BigIntegerField()
    discount_minor = models.BigIntegerField(default=0)
    tax_minor = models.BigIntegerField(default=0)
    added_tax_minor = models.BigIntegerField(default=0)  # what of the tax is not in the prices
    total_minor = models.BigIntegerField()
    placed_at = models.DateTimeField()
    # Called off before it was paid, so never to be paid: the total stays what was placed.
    called_off_minor = models.BigIntegerField(default=0)
    pay_before = models.DateTimeField()
    extensions_left = models.SmallIntegerField(default=MOST_EXTENSIONS)
    link_version = models.SmallIntegerField(default=1)  # raising it ends the links given so far
    session_key = models.CharField(max_length=64, blank=True)  # the visit's, for figures alone
    payment_summary = models.CharField(
        max_length=16, choices=PaymentSummary.choices, default=PaymentSummary.UNPAID
    )
    fulfilment_summary = models.CharField(
        max_length=16, choices=FulfilmentSummary.choices, default=FulfilmentSummary.NONE
    )

    class Meta:
        constraints = [
            *GroupModel.Meta.constraints,
            models.UniqueConstraint(fields=["shard_key", "number"], name="orders_group_number"),
            models.UniqueConstraint(
                fields=["shard_key", "checkout_token"], name="orders_group_checkout_token"
            ),
            models.CheckConstraint(
                condition=Q(
                    total_minor=F("items_minor")
                    + F("delivery_minor")
                    - F("discount_minor")
                    + F("added_tax_minor")
                ),
                name="orders_group_total",
            ),
            models.CheckConstraint(
                condition=Q(added_tax_minor__gte=0) & Q(added_tax_minor__lte=F("tax_minor")),
                name="orders_group_tax_bounds",
            ),
            models.CheckConstraint(
                condition=Q(discount_minor__gte=0), name="orders_group_discount_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(total_minor__gte=0), name="orders_group_total_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(called_off_minor__gte=0) & Q(called_off_minor__lte=F("total_minor")),
                name="orders_group_called_off_bounds",
            ),
            models.CheckConstraint(
                condition=Q(extensions_left__gte=0), name="orders_group_extensions_left"
            ),
        ]
        indexes = [
            models.Index(
                fields=["pay_before", "id"],
                condition=Q(status=states.PENDING_PAYMENT),
                name="orders_group_unpaid",
            ),
            models.Index(
                fields=["pay_before", "id"],
                condition=Q(status=states.EXPIRING),
                name="orders_group_expiring",
            ),
            models.Index(fields=["customer", "-id"], name="orders_group_customer"),
            models.Index(fields=["number"], name="orders_group_by_number"),
            models.Index(fields=["status", "-id"], name="orders_group_by_status"),
            BrinIndex(fields=["placed_at"], name="orders_group_by_day"),  # placed in its order
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def payable_minor(self) -> int:
        """What is to be paid for it, or was."""
        return self.total_minor - self.called_off_minor

    def event_payload(self) -> dict[str, Any]:
        """Number, amount, buyer, and the visit that it came from."""
        return {
            "session_key": self.session_key,
            "number": self.number,
            "customer_id": str(self.customer_id),
            "currency": self.currency,
            "total_minor": self.total_minor,
        }

    @states.GROUP.transition("pay")
    def pay(self) -> None:
        """The money is secured."""

    @states.GROUP.transition("extend")
    def extend(self) -> None:
        """The shopper needs more time."""

    @states.GROUP.transition("prolong")
    def prolong(self) -> None:
        """The chosen way to pay takes longer."""

    @states.GROUP.transition("start_expiring")
    def start_expiring(self) -> None:
        """Out of time, but the channel has an open attempt."""

    @states.GROUP.transition("expire")
    def expire(self) -> None:
        """Out of time for good."""

    @states.GROUP.transition("cancel")
    def cancel(self) -> None:
        """Called off before it was paid."""

    @states.GROUP.transition("reinstate")
    def reinstate(self) -> None:
        """The money came late and all stock could be had again."""

    @states.GROUP.transition("amend")
    def amend(self) -> None:
        """Fields change beside its life."""


class Order(Stateful):
    """One merchant's part of a group, with its own life from payment to completion."""

    machine = states.ORDER
    told = ("called_off_minor", "return_until", "first_left_at", "cancel_requested_until")

    group = models.ForeignKey(OrderGroup, on_delete=models.PROTECT, related_name="orders")
    merchant = models.ForeignKey(Merchant, on_delete=models.PROTECT, related_name="+")
    number = models.CharField(max_length=44)
    currency = models.CharField(max_length=3)
    items_minor = models.BigIntegerField()
    delivery_minor = models.BigIntegerField()
    delivery_discount_minor = models.BigIntegerField(default=0)
    delivery_tax_ppm = models.IntegerField(default=0)
    delivery_tax_minor = models.BigIntegerField(default=0)
    discount_minor = models.BigIntegerField(default=0)  # of goods and delivery
    subsidy_minor = models.BigIntegerField(default=0)  # what of the discount the platform pays
    tax_minor = models.BigIntegerField(default=0)  # of goods and delivery
    added_tax_minor = models.BigIntegerField(default=0)  # what of the tax is not in the prices
    total_minor = models.BigIntegerField()
    commission_basis_points = models.IntegerField()
    commission_minor = models.BigIntegerField()
    commission_tax_minor = models.BigIntegerField(default=0)
    delivery_method_id = models.BigIntegerField()
    delivery_name = models.CharField(max_length=100)
    return_window_days = models.SmallIntegerField()
    return_until = models.DateTimeField(null=True)
    called_off_minor = models.BigIntegerField(default=0)  # before it was paid, as of the group
    first_left_at = models.DateTimeField(null=True)
    # Until when the merchant may answer the buyer, who wants to call off what is being packed.
    cancel_requested_until = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            *GroupModel.Meta.constraints,
            models.UniqueConstraint(
                fields=["shard_key", "group", "merchant"], name="orders_order_merchant_once"
            ),
            models.CheckConstraint(
                condition=Q(
                    total_minor=F("items_minor")
                    + F("delivery_minor")
                    - F("discount_minor")
                    + F("added_tax_minor")
                ),
                name="orders_order_total",
            ),
            models.CheckConstraint(
                condition=Q(delivery_discount_minor__gte=0)
                & Q(delivery_discount_minor__lte=F("delivery_minor"))
                & Q(delivery_discount_minor__lte=F("discount_minor")),
                name="orders_order_delivery_discount",
            ),
            models.CheckConstraint(
                condition=Q(subsidy_minor__gte=0) & Q(subsidy_minor__lte=F("discount_minor")),
                name="orders_order_subsidy_bounds",
            ),
            # Tax is contained in the prices, all of it, or comes on top, all of it.
            models.CheckConstraint(
                condition=Q(added_tax_minor=0) | Q(added_tax_minor=F("tax_minor")),
                name="orders_order_tax_on_top",
            ),
            models.CheckConstraint(
                condition=Q(delivery_tax_minor__gte=0) & Q(delivery_tax_minor__lte=F("tax_minor")),
                name="orders_order_delivery_tax",
            ),
            models.CheckConstraint(
                condition=Q(commission_tax_minor__gte=0)
                & Q(commission_tax_minor__lte=F("commission_minor")),
                name="orders_order_commission_tax",
            ),
            models.CheckConstraint(
                condition=Q(commission_minor__gte=0) & Q(commission_minor__lte=F("items_minor")),
                name="orders_order_commission_bounds",
            ),
            models.CheckConstraint(
                condition=Q(called_off_minor__gte=0) & Q(called_off_minor__lte=F("total_minor")),
                name="orders_order_called_off_bounds",
            ),
        ]
        indexes = [
            models.Index(fields=["merchant", "-id"], name="orders_order_merchant"),
            models.Index(
                fields=["merchant", "status"],
                condition=Q(status__in=list(states.ORDER.driven_by(Role.MERCHANT))),
                name="orders_order_to_do",
            ),
            models.Index(
                fields=["return_until", "id"],
                condition=Q(status=states.DELIVERED),
                name="orders_order_window_open",
            ),
            models.Index(
                fields=["status_changed_at", "id"],
                condition=Q(status=states.SHIPPED),
                name="orders_order_on_its_way",
            ),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def payable_minor(self) -> int:
        """What is to be paid for it, or was."""
        return self.total_minor - self.called_off_minor

    @property
    def delivery_payable_minor(self) -> int:
        """What of the total is for the delivery, with its tax."""
        added_minor = self.delivery_tax_minor if self.added_tax_minor else 0
        return self.delivery_minor - self.delivery_discount_minor + added_minor

    def event_payload(self) -> dict[str, Any]:
        """Whose it is, what it is a part of, what it is worth."""
        return {
            "number": self.number,
            "group_id": str(self.group_id),
            "merchant_id": str(self.merchant_id),
            "currency": self.currency,
            "total_minor": self.total_minor,
        }

    @states.ORDER.transition("pay")
    def pay(self) -> None:
        """The group's money is secured."""

    @states.ORDER.transition("acknowledge")
    def acknowledge(self) -> None:
        """The merchant has seen it and will fulfil it."""

    @states.ORDER.transition("start_packing")
    def start_packing(self) -> None:
        """The goods are being taken from the shelf."""

    @states.ORDER.transition("ship")
    def ship(self) -> None:
        """The last unit has left."""

    @states.ORDER.transition("ship_part")
    def ship_part(self) -> None:
        """Some units have left, others have not."""

    @states.ORDER.transition("deliver")
    def deliver(self) -> None:
        """The buyer has it."""

    @states.ORDER.transition("complete")
    def complete(self) -> None:
        """The return window is over."""

    @states.ORDER.transition("cancel")
    def cancel(self) -> None:
        """Called off."""

    @states.ORDER.transition("come_back")
    def come_back(self) -> None:
        """All its parcels are back with the merchant: nothing has left any more."""

    @states.ORDER.transition("reduce")
    def reduce(self) -> None:
        """Some units are called off."""

    @states.ORDER.transition("request_cancel")
    def request_cancel(self) -> None:
        """The buyer asks to call off what is being packed."""

    @states.ORDER.transition("settle_request")
    def settle_request(self) -> None:
        """The buyer's request has its answer."""

    @states.ORDER.transition("reinstate")
    def reinstate(self) -> None:
        """The group's money came late and was taken."""

    @states.ORDER.transition("amend")
    def amend(self) -> None:
        """Fields change beside its life."""
