"""Who buys, who sells, who may look."""

from typing import Any
from zoneinfo import available_timezones

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from core.ids import gene
from core.money import BASIS_POINTS, PARTS_PER_MILLION, UnknownCurrency, exponent
from core.sharding import LocalModel, ReferenceModel

# How long a merchant or a product may give the shopper to pay; None leaves it to the others.
SHORTEST_MINUTES_TO_PAY = 15
PAY_WITHIN_MINUTES = ((SHORTEST_MINUTES_TO_PAY, _("15 minutes")), (30, _("30 minutes")))
LONGEST_RETURN_WINDOW_DAYS = 365
# A working week: nobody waits longer for a merchant's answer.
MOST_ANSWER_HOURS = 40

country_code = RegexValidator(r"\A[A-Z]{2}\Z", _("Enter a country code of two capital letters."))


def validate_currency(code: str) -> None:
    """Refuses what is not the code of a currency that people pay with."""
    try:
        exponent(code)
    except UnknownCurrency:
        raise ValidationError(_("Enter the code of a currency, such as EUR.")) from None


def validate_time_zone(name: str) -> None:
    """Refuses what is not the name of a time zone."""
    if name not in available_timezones():
        raise ValidationError(_("Enter the name of a time zone, such as Europe/Berlin."))


class UserManager(BaseUserManager["User"]):
    """Makes and finds users by their e-mail address, in lower case: there is no other name."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=email.lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email=(username or "").lower())


class User(LocalModel, AbstractBaseUser, PermissionsMixin):
    """Somebody who can log in."""

    email = models.EmailField(_("e-mail address"), unique=True)
    name = models.CharField(_("name"), max_length=200, blank=True)
    is_staff = models.BooleanField(_("may enter the consoles"), default=False)
    is_active = models.BooleanField(_("may log in"), default=True)
    is_demo = models.BooleanField(_("made by the demo"), default=False)

    USERNAME_FIELD = "email"

    objects = UserManager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(email=Lower("email")), name="accounts_user_lower")
        ]

    def __str__(self) -> str:
        return self.email


class Customer(LocalModel):
    """Who owns orders: one per e-mail address, a guest's too. It routes and never authorises."""

    email = models.EmailField(_("e-mail address"), unique=True)
    name = models.CharField(_("name"), max_length=200, blank=True)
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="customer"
    )
    accepts_mail = models.BooleanField(_("gets mail"), default=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(email=Lower("email")), name="accounts_customer_lower"
            )
        ]

    def __str__(self) -> str:
        return self.email

    @property
    def shard_key(self) -> int:
        """The gene of everything that this customer owns."""
        return gene(self.pk)


class Address(LocalModel):
    """Where a customer had something sent; an order keeps its own copy."""

    customer = models.ForeignKey(Customer, models.CASCADE, related_name="addresses")
    name = models.CharField(_("name"), max_length=200)
    line1 = models.CharField(_("street and number"), max_length=200)
    line2 = models.CharField(_("more of the address"), max_length=200, blank=True)
    postcode = models.CharField(_("postcode"), max_length=20, blank=True)
    city = models.CharField(_("town or city"), max_length=100)
    region = models.CharField(_("region"), max_length=100, blank=True)
    country = models.CharField(_("country"), max_length=2, validators=[country_code])
    phone = models.CharField(_("phone"), max_length=40, blank=True)
    is_default = models.BooleanField(_("use first"), default=False)

    class Meta:
        verbose_name_plural = "addresses"
        constraints = [
            models.UniqueConstraint(
                fields=["customer"],
                condition=Q(is_default=True),
                name="accounts_address_one_default",
            )
        ]

    def __str__(self) -> str:
        return f"{self.name}, {self.line1}, {self.postcode} {self.city}, {self.country}"


class Merchant(ReferenceModel):
    """Who sells. `currency` is that of all its prices and never changes."""

    class State(models.TextChoices):
        """Whether the merchant may sell."""

        ONBOARDING = "onboarding", _("onboarding")
        ACTIVE = "active", _("active")
        SUSPENDED = "suspended", _("suspended")
        CLOSED = "closed", _("closed")

    class PayoutSchedule(models.TextChoices):
        """When a statement ends: at midnight in the merchant's zone."""

        DAILY = "daily", _("each day")
        WEEKLY = "weekly", _("each Monday")
        MONTHLY = "monthly", _("on the first of the month")

    name = models.CharField(_("name"), max_length=200)
    slug = models.SlugField(_("name in addresses"), max_length=80, unique=True)
    currency = models.CharField(_("currency"), max_length=3, validators=[validate_currency])
    country = models.CharField(_("country"), max_length=2, validators=[country_code])
    state = models.CharField(
        _("state"), max_length=10, choices=State.choices, default=State.ONBOARDING
    )
    commission_basis_points = models.PositiveSmallIntegerField(
        _("commission in basis points"), validators=[MaxValueValidator(BASIS_POINTS)]
    )
    commission_tax_ppm = models.PositiveIntegerField(
        _("tax on commission in parts per million"),
        default=0,
        validators=[MaxValueValidator(PARTS_PER_MILLION)],
    )
    prices_include_tax = models.BooleanField(_("prices include tax"), default=True)
    return_window_days = models.PositiveSmallIntegerField(
        _("days in which goods may come back"),
        default=14,
        validators=[MaxValueValidator(LONGEST_RETURN_WINDOW_DAYS)],
    )
    pay_within_minutes = models.PositiveSmallIntegerField(
        _("minutes to pay"), null=True, blank=True, choices=PAY_WITHIN_MINUTES
    )
    accepts_cash = models.BooleanField(
        _("may be paid at the door"), default=False, db_default=False
    )
    # Working hours, Monday to Friday from 9 to 17 in this zone.
    cancel_answer_hours = models.PositiveSmallIntegerField(
        _("working hours to answer who wants to cancel"),
        default=4,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_ANSWER_HOURS)],
    )
    time_zone = models.CharField(
        _("time zone"), max_length=64, default="UTC", validators=[validate_time_zone]
    )
    payout_schedule = models.CharField(
        _("paid out"),
        max_length=7,
        choices=PayoutSchedule.choices,
        default=PayoutSchedule.WEEKLY,
        db_default="weekly",
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["onboarding", "active", "suspended", "closed"]),
                name="accounts_merchant_state",
            ),
            models.CheckConstraint(
                condition=Q(commission_basis_points__lte=BASIS_POINTS),
                name="accounts_merchant_commission",
            ),
            models.CheckConstraint(
                condition=Q(commission_tax_ppm__lte=PARTS_PER_MILLION),
                name="accounts_merchant_commission_tax",
            ),
            models.CheckConstraint(
                condition=Q(return_window_days__lte=LONGEST_RETURN_WINDOW_DAYS),
                name="accounts_merchant_return_window",
            ),
            models.CheckConstraint(
                condition=Q(pay_within_minutes=None) | Q(pay_within_minutes__in=[15, 30]),
                name="accounts_merchant_pay_within",
            ),
            models.CheckConstraint(
                condition=Q(cancel_answer_hours__gte=1)
                & Q(cancel_answer_hours__lte=MOST_ANSWER_HOURS),
                name="accounts_merchant_answer_hours",
            ),
            models.CheckConstraint(
                condition=Q(payout_schedule__in=["daily", "weekly", "monthly"]),
                name="accounts_merchant_payout_schedule",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def shard_key(self) -> int:
        """The gene of everything that this merchant owns."""
        return gene(self.pk)


class ApiKey(LocalModel):
    """A program's way in: bound to a merchant, or to the platform where it names none.

    Of the secret only the digest is kept; it is shown once. `prefix` finds the row.
    """

    merchant = models.ForeignKey(
        Merchant, models.PROTECT, null=True, blank=True, related_name="api_keys"
    )
    name = models.CharField(_("name"), max_length=100)
    prefix = models.CharField(_("begins with"), max_length=16, unique=True)
    digest = models.BinaryField(max_length=32)
    scopes = models.JSONField(_("scopes"), default=list)
    created_at = models.DateTimeField(_("made"), auto_now_add=True)
    expires_at = models.DateTimeField(_("works until"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True)
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True)

    class Meta:
        verbose_name = "API key"

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


class MerchantMember(LocalModel):
    """A user who works for a merchant, and what as."""

    class Role(models.TextChoices):
        """What a member may do; the permissions are the consoles' and the API's."""

        OWNER = "owner", _("owner")
        MANAGER = "manager", _("manager")
        FULFILMENT = "fulfilment", _("fulfilment")
        FINANCE = "finance", _("finance")
        READ_ONLY = "read_only", _("may only look")

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="memberships")
    merchant = models.ForeignKey(Merchant, models.PROTECT, related_name="members")
    role = models.CharField(_("role"), max_length=10, choices=Role.choices)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "merchant"], name="accounts_member_once"),
            models.CheckConstraint(
                condition=Q(role__in=["owner", "manager", "fulfilment", "finance", "read_only"]),
                name="accounts_member_role",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.role} of {self.merchant}"
