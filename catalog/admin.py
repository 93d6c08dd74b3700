"""The catalogue in both consoles, to look at; changing it is the services' and the API's."""

from collections.abc import Sequence

from django.contrib.admin import register
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from accounts.consoles import (
    Menu,
    PlatformModelAdmin,
    TenantModelAdmin,
    merchant_site,
    platform_site,
)
from accounts.consoles.tables import ConsoleModelAdmin
from catalog.models import Product, Sku
from core.money import Money


class ProductTable(ConsoleModelAdmin):
    """The products that the console's scope lets through."""

    menu = Menu.GOODS
    icon = "category"
    list_display: Sequence[str] = ("title", "state_words", "category")
    list_select_related: Sequence[str] = ("category",)
    fields = ("title", "slug", "description", "category", "pay_within_minutes", "state_words")
    readonly_fields = ("state_words",)
    search_fields = ("slug",)
    search_help_text = _("Name in addresses, written in full")

    def found(self, rows: QuerySet[Product], term: str) -> QuerySet[Product]:
        return rows.filter(slug=term.lower())

    def state_words(self, row: Product) -> str:
        return str(row.state.label)

    state_words.short_description = _("state")  # type: ignore[attr-defined]


class SkuTable(ConsoleModelAdmin):
    """The SKUs that the console's scope lets through."""

    menu = Menu.GOODS
    icon = "barcode"
    label = "SKUs"
    list_display: Sequence[str] = ("code", "product", "title", "price", "active")
    list_select_related: Sequence[str] = ("product",)
    fields = ("code", "product", "title", "price", "weight_g", "needs_parcel", "active")
    readonly_fields = ("price",)
    search_fields = ("code",)
    search_help_text = _("SKU, written in full")

    def found(self, rows: QuerySet[Sku], term: str) -> QuerySet[Sku]:
        return rows.filter(code=term)

    def price(self, row: Sku) -> str:
        return f"{Money(row.price_minor, row.currency).decimal_text()} {row.currency}"


@register(Product, site=merchant_site)
class MerchantProducts(ProductTable, TenantModelAdmin):
    """The merchant's own."""


@register(Sku, site=merchant_site)
class MerchantSkus(SkuTable, TenantModelAdmin):
    """The merchant's own."""


@register(Product, site=platform_site)
class PlatformProducts(ProductTable, PlatformModelAdmin):
    """Everybody's."""

    list_display = (*ProductTable.list_display, "merchant")
    list_select_related = ("category", "merchant")


@register(Sku, site=platform_site)
class PlatformSkus(SkuTable, PlatformModelAdmin):
    """Everybody's."""

    list_display = (*SkuTable.list_display, "merchant")
    list_select_related = ("product", "merchant")
