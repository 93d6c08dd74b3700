"""What is sold: categories, products, the units that a shopper buys, and their pictures."""

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.core.validators import MaxLengthValidator, MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Func, Q
from django.db.models.functions import Upper
from django.utils.translation import gettext_lazy as _
from treebeard.mp_tree import MP_Node

from accounts.models import (
    PAY_WITHIN_MINUTES,
    SHORTEST_MINUTES_TO_PAY,
    Merchant,
    country_code,
    validate_currency,
)
from core.money import PARTS_PER_MILLION, percent_text
from core.sharding import LocalModel, ReferenceModel

HIGHEST_PRICE_MINOR = 10**12
HEAVIEST_G = 10**7
# The tax class of products that name none, and the one of every delivery.
STANDARD, DELIVERY = "standard", "delivery"


class Words(Func):
    """Search vectors one behind the other; comparable, so that an index of it stays the same."""

    output_field = SearchVectorField()
    template = "(%(expressions)s)"
    arg_joiner = " || "


def words_in(*fields: str) -> Words:
    """The words of text fields, to be searched: as written, and by the English stem.

    The first serves any language; by the second who looks for sweaters finds a sweater. All of it
    is written into the SQL, for an index serves only the very expression that it holds.
    """
    vectors = (
        Func(F(field), template=f"to_tsvector('{config}'::regconfig, %(expressions)s)")
        for config in ("simple", "english")
        for field in fields
    )
    return Words(*vectors)


class Category(LocalModel, MP_Node):  # type: ignore[misc, django-manager-missing]
    """A place in the tree of what is sold."""

    name = models.CharField(_("name"), max_length=100)
    slug = models.SlugField(_("name in addresses"), max_length=100, unique=True)

    class Meta:
        verbose_name_plural = "categories"

    def __str__(self) -> str:
        return self.name


class TaxClass(ReferenceModel):
    """Things that are taxed alike. `standard` and `delivery` are always there."""

    code = models.SlugField(_("code"), max_length=40, primary_key=True)
    name = models.CharField(_("name"), max_length=100)

    class Meta:
        verbose_name = _("tax class")
        verbose_name_plural = _("tax classes")

    def __str__(self) -> str:
        return self.name


class TaxRate(ReferenceModel):
    """The tax on a class of things that go to a place: 8.875 % is 88,750 parts per million.

    The rate of the region is used before that of the whole country, whose `region` is ''. A region
    is told by its name in the address, in small letters or large.
    """

    tax_class = models.ForeignKey(
        TaxClass, models.PROTECT, related_name="rates", verbose_name=_("tax class")
    )
    country = models.CharField(_("country"), max_length=2, validators=[country_code])
    region = models.CharField(_("region, if only there"), max_length=100, blank=True)
    parts_per_million = models.PositiveIntegerField(
        _("rate in parts per million"), validators=[MaxValueValidator(PARTS_PER_MILLION)]
    )

    class Meta:
        verbose_name = _("tax rate")
        verbose_name_plural = _("tax rates")
        constraints = [
            models.UniqueConstraint(
                F("tax_class"), F("country"), Upper("region"), name="catalog_tax_rate_once"
            ),
            models.CheckConstraint(
                condition=Q(parts_per_million__lte=PARTS_PER_MILLION),
                name="catalog_tax_rate_bounds",
            ),
        ]

    def __str__(self) -> str:
        place = " ".join(filter(None, (self.country, self.region)))
        return f"{self.tax_class_id} {place}: {percent_text(self.parts_per_million)} %"


class Product(LocalModel):
    """What a page shows. Its state is derived: draft, published, archived."""

    class State(models.TextChoices):
        """Who sees the product."""

        DRAFT = "draft", _("draft")
        PUBLISHED = "published", _("published")
        ARCHIVED = "archived", _("archived")

    merchant = models.ForeignKey(Merchant, models.PROTECT, related_name="products")
    category = models.ForeignKey(
        Category, models.PROTECT, null=True, blank=True, related_name="products"
    )
    title = models.CharField(_("title"), max_length=200)
    slug = models.SlugField(_("name in addresses"), max_length=120, unique=True)
    description = models.TextField(
        _("description"), blank=True, validators=[MaxLengthValidator(20_000)]
    )
    pay_within_minutes = models.PositiveSmallIntegerField(
        _("minutes to pay"), null=True, blank=True, choices=PAY_WITHIN_MINUTES
    )
    tax_class = models.ForeignKey(
        "TaxClass",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("tax class"),
    )
    published_at = models.DateTimeField(null=True, blank=True, editable=False)
    archived_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(pay_within_minutes=None) | Q(pay_within_minutes__in=[15, 30]),
                name="catalog_product_pay_within",
            ),
        ]
        indexes = [
            models.Index(
                F("published_at").desc(),
                F("id").desc(),
                condition=Q(published_at__isnull=False, archived_at=None),
                name="catalog_product_newest",
            ),
            GinIndex(words_in("title", "description"), name="catalog_product_words"),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def state(self) -> State:
        """Archived wins over published."""
        if self.archived_at:
            return self.State.ARCHIVED
        return self.State.PUBLISHED if self.published_at else self.State.DRAFT

    @property
    def is_flash_sale(self) -> bool:
        """It asks to be paid sooner than anything else, and nobody is given more time."""
        return self.pay_within_minutes == SHORTEST_MINUTES_TO_PAY


class Sku(LocalModel):
    """What a shopper buys one or more units of. The price is in the merchant's currency."""

    product = models.ForeignKey(Product, models.PROTECT, related_name="skus")
    merchant = models.ForeignKey(Merchant, models.PROTECT, related_name="skus")
    code = models.CharField(_("code"), max_length=80)
    title = models.CharField(_("title"), max_length=200, blank=True)
    price_minor = models.BigIntegerField(
        _("price in minor units"),
        validators=[MinValueValidator(1), MaxValueValidator(HIGHEST_PRICE_MINOR)],
    )
    currency = models.CharField(_("currency"), max_length=3, validators=[validate_currency])
    weight_g = models.PositiveIntegerField(
        _("weight in grams"), default=0, validators=[MaxValueValidator(HEAVIEST_G)]
    )
    needs_parcel = models.BooleanField(_("goes into a parcel"), default=True)
    active = models.BooleanField(_("for sale"), default=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["merchant", "code"], name="catalog_sku_code_once"),
            models.CheckConstraint(
                condition=Q(price_minor__gte=1, price_minor__lte=HIGHEST_PRICE_MINOR),
                name="catalog_sku_price_bounds",
            ),
            models.CheckConstraint(
                condition=Q(weight_g__lte=HEAVIEST_G), name="catalog_sku_weight_bounds"
            ),
        ]

    def __str__(self) -> str:
        return self.code

    @property
    def for_sale(self) -> bool:
        """May be sold now: it is active, its product is published, its merchant sells."""
        return bool(
            self.active
            and self.product.published_at
            and not self.product.archived_at
            and self.merchant.state == Merchant.State.ACTIVE
        )


class ProductImage(LocalModel):
    """A picture of a product, in the order of `position`."""

    product = models.ForeignKey(Product, models.CASCADE, related_name="images")
    image = models.ImageField(_("picture"), upload_to="products/")
    alt = models.CharField(_("what it shows"), max_length=200, blank=True)
    position = models.PositiveSmallIntegerField(_("position"), default=0)

    class Meta:
        ordering = ["position", "id"]

    def __str__(self) -> str:
        return f"{self.product} {self.position}"
