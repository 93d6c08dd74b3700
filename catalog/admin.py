"""The catalogue in both consoles: to look at, and what is taxed how, to change as well."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.contrib.admin import register
from django.db.models import QuerySet
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from accounts.actors import Actor
from accounts.consoles import (
    Act,
    ActForm,
    Menu,
    PlatformModelAdmin,
    TenantModelAdmin,
    merchant_site,
    platform_site,
)
from accounts.consoles.tables import ConsoleModelAdmin
from catalog.models import STANDARD, Product, Sku, TaxClass, TaxRate
from catalog.taxes import (
    product_tax_class_set,
    tax_class_create,
    tax_rate_remove,
    tax_rate_set,
)
from core.money import PARTS_PER_MILLION, Money, percent_text

KEPT = _("What is placed already keeps its tax.")


class TaxClassForm(ActForm):
    """Which class a product is of."""

    tax_class = forms.ChoiceField(label=_("Tax class"), widget=UnfoldAdminSelectWidget)

    def __init__(self, row: Product, *args: Any, **kwargs: Any) -> None:
        super().__init__(row, *args, **kwargs)
        field = self.fields["tax_class"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = list(TaxClass.objects.order_by("name").values_list("code", "name"))
        field.initial = row.tax_class_id or STANDARD


class SetTaxClass(Act):
    verb = "set_tax_class"
    title = _("Set the tax class")
    form_class = TaxClassForm
    moves_on = False

    def preview(self, row: Product) -> list[str]:
        return [str(KEPT)]

    def do(self, row: Product, *, actor: Actor, token: str, fields: Mapping[str, Any]) -> str:
        chosen = fields["tax_class"]
        tax_class = None if chosen == STANDARD else chosen
        product_tax_class_set(product_id=row.pk, tax_class=tax_class, actor=actor)
        return gettext("The product is taxed so from now on.")


class ProductTable(ConsoleModelAdmin):
    """The products that the console's scope lets through."""

    acts = (SetTaxClass,)
    menu = Menu.GOODS
    icon = "category"
    list_display: Sequence[str] = ("title", "state_words", "category")
    list_select_related: Sequence[str] = ("category",)
    fields = (
        *("title", "slug", "description", "category", "pay_within_minutes"),
        *("tax_words", "state_words"),
    )
    readonly_fields = ("tax_words", "state_words")
    search_fields = ("slug",)
    search_help_text = _("Name in addresses, written in full")

    def found(self, rows: QuerySet[Product], term: str) -> QuerySet[Product]:
        return rows.filter(slug=term.lower())

    def state_words(self, row: Product) -> str:
        return str(row.state.label)

    state_words.short_description = _("state")  # type: ignore[attr-defined]

    def tax_words(self, row: Product) -> str:
        return str(row.tax_class) if row.tax_class else gettext("the standard one")

    tax_words.short_description = _("tax class")  # type: ignore[attr-defined]


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


class NewTaxClassForm(ActForm):
    """What another class starts with."""

    code = forms.SlugField(
        label=_("Code"),
        max_length=40,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
    )
    name = forms.CharField(
        label=_("Name"),
        max_length=100,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
    )


class AddTaxClass(Act):
    verb = "add_tax_class"
    title = _("Add another class")
    form_class = NewTaxClassForm
    moves_on = False

    def do(self, row: TaxClass, *, actor: Actor, token: str, fields: Mapping[str, Any]) -> str:
        made = tax_class_create(code=fields["code"], name=fields["name"], actor=actor)
        return gettext("There is a tax class %(name)s now.") % {"name": made.name}


class RateForm(ActForm):
    """Where goods go, and their tax there."""

    country = forms.CharField(
        label=_("Country, two letters"), max_length=2, widget=UnfoldAdminTextInputWidget
    )
    region = forms.CharField(
        label=_("Region, if only there"),
        max_length=100,
        required=False,
        widget=UnfoldAdminTextInputWidget,
    )
    percent = forms.DecimalField(
        label=_("Per cent"),
        min_value=0,
        max_value=100,
        decimal_places=4,
        widget=UnfoldAdminDecimalFieldWidget,
    )


class SetRate(Act):
    verb = "set_rate"
    title = _("Set a rate")
    form_class = RateForm
    moves_on = False

    def preview(self, row: TaxClass) -> list[str]:
        return [gettext("A rate of the same place is replaced."), str(KEPT)]

    def do(self, row: TaxClass, *, actor: Actor, token: str, fields: Mapping[str, Any]) -> str:
        rate = tax_rate_set(
            tax_class=row.pk,
            country=fields["country"],
            region=fields["region"],
            parts_per_million=int(fields["percent"] * PARTS_PER_MILLION / 100),
            actor=actor,
        )
        return str(rate)


class ChooseRateForm(ActForm):
    """One of the class's rates."""

    rate = forms.ModelChoiceField(
        label=_("Rate"), queryset=TaxRate.objects.none(), widget=UnfoldAdminSelectWidget
    )

    def __init__(self, row: TaxClass, *args: Any, **kwargs: Any) -> None:
        super().__init__(row, *args, **kwargs)
        field = self.fields["rate"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = row.rates.order_by("country", "region")


class RemoveRate(Act):
    verb = "remove_rate"
    title = _("Remove a rate")
    form_class = ChooseRateForm
    is_grave = True
    moves_on = False

    def is_legal(self, row: TaxClass) -> bool:
        return row.rates.exists()

    def preview(self, row: TaxClass) -> list[str]:
        return [gettext("Goods that go there are taxed by the country's rate, or not at all.")]

    def do(self, row: TaxClass, *, actor: Actor, token: str, fields: Mapping[str, Any]) -> str:
        tax_rate_remove(tax_rate_id=fields["rate"].pk, actor=actor)
        return gettext("The rate is gone.")


@register(TaxClass, site=platform_site)
class TaxClasses(PlatformModelAdmin):
    """What is taxed alike, and how it is taxed where."""

    acts = (SetRate, RemoveRate, AddTaxClass)
    menu = Menu.GOODS
    icon = "percent"
    list_display = ("name", "code")
    fields = ("name", "code", "rates_words")
    readonly_fields = ("rates_words",)
    search_fields = ("code",)
    search_help_text = _("Code, written in full")

    def found(self, rows: QuerySet[TaxClass], term: str) -> QuerySet[TaxClass]:
        return rows.filter(code=term)

    def rates_words(self, row: TaxClass) -> str:
        return ", ".join(
            f"{rate.country} {rate.region}".strip() + f" {percent_text(rate.parts_per_million)} %"
            for rate in row.rates.order_by("country", "region")
        )

    rates_words.short_description = _("rates")  # type: ignore[attr-defined]
