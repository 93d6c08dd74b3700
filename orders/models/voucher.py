"""Vouchers, and the groups that use them."""

from datetime import datetime
from typing import Any, cast

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Upper
from django.utils.translation import gettext_lazy as _

from accounts.models import Customer, Merchant
from core.money import BASIS_POINTS, LARGEST_MINOR
from core.sharding import GroupModel, LocalModel
from orders.models.order import OrderGroup
from orders.pricing import VoucherTerms

LONGEST_CODE = 40
MOST_USES = 1_000_000_000


class Voucher(LocalModel):
    """A code that takes something off a basket, as often as its limits allow.

    Local: `used_count` moves with every order that carries the code, and one place must decide the
    last use. A reference row would be written to every copy then, and a group row lives with one
    customer, while a voucher is everybody's.
    """

    class Kind(models.TextChoices):
        """What is taken off."""

        PERCENTAGE = "percentage", _("a part of the goods")
        FIXED = "fixed", _("an amount")
        FREE_DELIVERY = "free_delivery", _("the delivery")

    class Funder(models.TextChoices):
        """Who goes without the money."""

        PLATFORM = "platform", _("the platform")
        MERCHANT = "merchant", _("the merchant")

    code = models.CharField(
        _("code"),
        max_length=LONGEST_CODE,
        unique=True,
        validators=[
            RegexValidator(
                r"\A[A-Z0-9-]{3,40}\Z", _("Use 3 to 40 letters from A to Z, digits and hyphens.")
            )
        ],
    )
    kind = models.CharField(_("what it takes off"), max_length=13, choices=Kind.choices)
    basis_points = models.IntegerField(
        _("basis points"),
        default=0,
        validators=[MinValueValidator(0), MaxValueValidator(BASIS_POINTS)],
    )
    # Of a free delivery the most that it may cost; 0: whatever it costs.
    amount_minor = models.BigIntegerField(
        default=0, validators=[MinValueValidator(0), MaxValueValidator(LARGEST_MINOR)]
    )
    # '' where no amount is given: then it is for baskets in any currency.
    currency = models.CharField(_("currency"), max_length=3, blank=True)
    funded_by = models.CharField(_("who pays"), max_length=8, choices=Funder.choices)
    merchant = models.ForeignKey(
        Merchant, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    minimum_minor = models.BigIntegerField(
        default=0, validators=[MinValueValidator(0), MaxValueValidator(LARGEST_MINOR)]
    )
    starts_at = models.DateTimeField(_("from"))
    ends_at = models.DateTimeField(_("until"), null=True, blank=True)
    per_customer_limit = models.IntegerField(
        _("times per customer"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_USES)],
    )
    total_limit = models.IntegerField(
        _("times in all"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_USES)],
    )
    used_count = models.IntegerField(_("used"), default=0)
    active = models.BooleanField(_("may be used"), default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(code=Upper("code")) & ~Q(code=""), name="orders_voucher_code_upper"
            ),
            models.CheckConstraint(
                condition=Q(
                    kind="percentage",
                    basis_points__gte=1,
                    basis_points__lte=BASIS_POINTS,
                    amount_minor=0,
                )
                | (Q(kind="fixed", basis_points=0, amount_minor__gte=1) & ~Q(currency=""))
                | Q(kind="free_delivery", basis_points=0, amount_minor=0)
                | (Q(kind="free_delivery", basis_points=0, amount_minor__gte=1) & ~Q(currency="")),
                name="orders_voucher_terms",
            ),
            models.CheckConstraint(
                condition=Q(funded_by="platform") | Q(funded_by="merchant", merchant__isnull=False),
                name="orders_voucher_funder",
            ),
            models.CheckConstraint(
                condition=Q(minimum_minor=0) | (Q(minimum_minor__gte=1) & ~Q(currency="")),
                name="orders_voucher_minimum",
            ),
            models.CheckConstraint(
                condition=Q(ends_at=None) | Q(ends_at__gt=F("starts_at")),
                name="orders_voucher_dates",
            ),
            models.CheckConstraint(
                condition=(Q(per_customer_limit=None) | Q(per_customer_limit__gte=1))
                & (Q(total_limit=None) | Q(total_limit__gte=1)),
                name="orders_voucher_limits",
            ),
            models.CheckConstraint(
                condition=Q(used_count__gte=0)
                & (Q(total_limit=None) | Q(used_count__lte=F("total_limit"))),
                name="orders_voucher_used_bounds",
            ),
        ]

    def __str__(self) -> str:
        return self.code

    @property
    def terms(self) -> VoucherTerms:
        """What it takes off, and who pays for that."""
        return VoucherTerms(
            code=self.code,
            kind=cast("Any", self.kind),
            basis_points=self.basis_points,
            amount_minor=self.amount_minor,
            funded_by=cast("Any", self.funded_by),
            merchant_id=self.merchant_id,
            minimum_minor=self.minimum_minor,
        )

    def is_over(self, moment: datetime) -> bool:
        """True from its end on."""
        return self.ends_at is not None and moment >= self.ends_at

    @property
    def is_used_up(self) -> bool:
        """Nobody can use it until somebody gives a use back."""
        return self.total_limit is not None and self.used_count >= self.total_limit


class VoucherUse(GroupModel):
    """A group that carries a voucher. It counts while it is not given back.

    It lives with its group, and changes behind the group's lock.
    """

    group = models.ForeignKey(OrderGroup, on_delete=models.PROTECT, related_name="voucher_uses")
    voucher = models.ForeignKey(
        Voucher, on_delete=models.PROTECT, db_constraint=False, related_name="uses"
    )
    customer = models.ForeignKey(
        Customer, on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="+"
    )
    discount_minor = models.BigIntegerField()
    taken_at = models.DateTimeField()
    given_back_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            *GroupModel.Meta.constraints,
            models.UniqueConstraint(
                fields=["shard_key", "group"], name="orders_voucheruse_group_once"
            ),
            models.CheckConstraint(
                condition=Q(discount_minor__gte=1), name="orders_voucheruse_discount"
            ),
        ]
        indexes = [
            models.Index(
                fields=["customer", "voucher"],
                condition=Q(given_back_at=None),
                name="orders_voucheruse_counts",
            )
        ]

    def __str__(self) -> str:
        return f"{self.voucher_id} in group {self.group_id}"
