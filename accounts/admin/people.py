"""Users, merchants and API keys."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django import forms
from django.contrib.admin import register
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminDecimalFieldWidget, UnfoldBooleanWidget

from accounts.actors import Actor
from accounts.consoles import Act, ChoiceFilter, Menu, PlatformModelAdmin, ReasonForm, platform_site
from accounts.models import ApiKey, Merchant, User
from accounts.services import merchant_activate, merchant_suspend, merchant_tax_set
from core.money import PARTS_PER_MILLION, percent_text

State = Merchant.State


class Activate(Act):
    verb = "activate"
    title = gettext_lazy("Activate")
    form_class = ReasonForm

    def is_legal(self, row: Merchant) -> bool:
        return row.state in (State.ONBOARDING, State.SUSPENDED)

    def preview(self, row: Merchant) -> list[str]:
        return [_("Its published products are on sale again at once.")]

    def do(self, row: Merchant, *, actor: Actor, token: str, fields: Mapping[str, Any]) -> str:
        merchant_activate(merchant_id=row.pk, reason=fields["reason"], actor=actor)
        return _("The merchant may sell.")


class Suspend(Act):
    verb = "suspend"
    title = gettext_lazy("Suspend")
    form_class = ReasonForm
    is_grave = True

    def is_legal(self, row: Merchant) -> bool:
        return row.state == State.ACTIVE

    def preview(self, row: Merchant) -> list[str]:
        return [
            _("Nothing of this merchant can be bought any more."),
            _("What is sold already goes on: it is packed, shipped and settled."),
        ]

    def do(self, row: Merchant, *, actor: Actor, token: str, fields: Mapping[str, Any]) -> str:
        merchant_suspend(merchant_id=row.pk, reason=fields["reason"], actor=actor)
        return _("The merchant sells nothing any more.")


class TaxForm(ReasonForm):
    """Whether the merchant's prices include tax, and the tax on its commission."""

    prices_include_tax = forms.BooleanField(
        label=gettext_lazy("Prices include tax"), required=False, widget=UnfoldBooleanWidget
    )
    commission_tax_percent = forms.DecimalField(
        label=gettext_lazy("Tax on commission, per cent"),
        min_value=0,
        max_value=100,
        decimal_places=4,
        widget=UnfoldAdminDecimalFieldWidget,
    )

    def __init__(self, row: Merchant, *args: Any, **kwargs: Any) -> None:
        super().__init__(row, *args, **kwargs)
        self.fields["prices_include_tax"].initial = row.prices_include_tax
        self.fields["commission_tax_percent"].initial = percent_text(row.commission_tax_ppm)


class SetTax(Act):
    verb = "set_tax"
    title = gettext_lazy("Set the tax")
    form_class = TaxForm
    moves_on = False

    def preview(self, row: Merchant) -> list[str]:
        return [_("What is placed already keeps its tax.")]

    def do(self, row: Merchant, *, actor: Actor, token: str, fields: Mapping[str, Any]) -> str:
        merchant_tax_set(
            merchant_id=row.pk,
            prices_include_tax=fields["prices_include_tax"],
            commission_tax_ppm=int(fields["commission_tax_percent"] * PARTS_PER_MILLION / 100),
            reason=fields["reason"],
            actor=actor,
        )
        return _("The merchant's orders are taxed so from now on.")


class MerchantStateFilter(ChoiceFilter):
    """Merchants in one state."""

    title = gettext_lazy("state")
    parameter_name = "state"
    field = "state"
    options: ClassVar = list(State.choices)


@register(Merchant, site=platform_site)
class Merchants(PlatformModelAdmin):
    """Who sells."""

    acts = (Activate, Suspend, SetTax)
    menu = Menu.PEOPLE
    icon = "storefront"
    list_display = ("name", "slug", "state", "country", "currency", "commission_basis_points")
    list_filter = (MerchantStateFilter,)
    fields = (
        "name",
        "slug",
        "state",
        "country",
        "currency",
        "commission_basis_points",
        "commission_tax_ppm",
        "prices_include_tax",
        "return_window_days",
        "pay_within_minutes",
        "cancel_answer_hours",
        "time_zone",
    )
    search_fields = ("slug",)
    search_help_text = gettext_lazy("Name in addresses, written in full")

    def found(self, rows: QuerySet[Merchant], term: str) -> QuerySet[Merchant]:
        return rows.filter(slug=term.lower())


@register(User, site=platform_site)
class Users(PlatformModelAdmin):
    """Who can log in. No field of secrets."""

    menu = Menu.PEOPLE
    icon = "person"
    list_display = ("email", "name", "is_staff", "is_active", "last_login")
    fields = ("email", "name", "is_staff", "is_active", "is_demo", "last_login")
    search_fields = ("email",)
    search_help_text = gettext_lazy("E-mail address, written in full")

    def found(self, rows: QuerySet[User], term: str) -> QuerySet[User]:
        return rows.filter(email=term.lower())


@register(ApiKey, site=platform_site)
class ApiKeys(PlatformModelAdmin):
    """Programs' ways in, without their digests."""

    menu = Menu.PEOPLE
    icon = "key"
    list_display = ("name", "prefix", "merchant", "created_at", "last_used_at", "revoked_at")
    list_select_related = ("merchant",)
    fields = (
        "name",
        "prefix",
        "merchant",
        "scopes",
        "created_at",
        "expires_at",
        "revoked_at",
        "last_used_at",
    )
    readonly_fields = fields
    search_fields = ("prefix",)

    def found(self, rows: QuerySet[ApiKey], term: str) -> QuerySet[ApiKey]:
        return rows.filter(prefix=term)
