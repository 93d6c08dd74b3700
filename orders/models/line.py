"""What was sold: the lines of an order."""

from django.db import models
from django.db.models import F, Q

from catalog.models import Sku
from core.sharding import GroupModel
from orders.models.order import Order


class OrderLine(GroupModel):
    """Some units of a SKU at the price of placing, with the words that were sold."""

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="lines")
    sku = models.ForeignKey(Sku, on_delete=models.PROTECT, db_constraint=False, related_name="+")
    sku_code = models.CharField(max_length=64)
    title = models.CharField(max_length=300)
    quantity = models.IntegerField()
    shipped_quantity = models.IntegerField(default=0)
    cancelled_quantity = models.IntegerField(default=0)
    unit_price_minor = models.BigIntegerField()
    total_minor = models.BigIntegerField()
    discount_minor = models.BigIntegerField(default=0)
    tax_ppm = models.IntegerField(default=0)
    tax_minor = models.BigIntegerField(default=0)
    added_tax_minor = models.BigIntegerField(default=0)  # what of the tax is not in the price

    class Meta:
        constraints = [
            *GroupModel.Meta.constraints,
            models.CheckConstraint(condition=Q(quantity__gte=1), name="orders_line_quantity"),
            models.CheckConstraint(
                condition=Q(shipped_quantity__gte=0)
                & Q(cancelled_quantity__gte=0)
                & Q(quantity__gte=F("shipped_quantity") + F("cancelled_quantity")),
                name="orders_line_quantity_bounds",
            ),
            models.CheckConstraint(
                condition=Q(total_minor=F("quantity") * F("unit_price_minor")),
                name="orders_line_total",
            ),
            models.CheckConstraint(
                condition=Q(discount_minor__gte=0) & Q(discount_minor__lte=F("total_minor")),
                name="orders_line_discount_bounds",
            ),
            models.CheckConstraint(
                condition=Q(tax_minor__gte=0)
                & (Q(added_tax_minor=0) | Q(added_tax_minor=F("tax_minor"))),
                name="orders_line_tax_on_top",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.title}"

    @property
    def open_quantity(self) -> int:
        """Units that have neither left nor been cancelled."""
        return self.quantity - self.shipped_quantity - self.cancelled_quantity

    @property
    def kept_quantity(self) -> int:
        """Units that have not been cancelled, at home or not."""
        return self.quantity - self.cancelled_quantity

    @property
    def payable_minor(self) -> int:
        """What its units cost the buyer, called off or not."""
        return self.total_minor - self.discount_minor + self.added_tax_minor
