"""Stock in both consoles: what lies where, every change of it, and correcting it."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.contrib.admin import register
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminIntegerFieldWidget

from accounts.actors import Actor
from accounts.consoles import (
    Act,
    Menu,
    PlatformModelAdmin,
    ReasonForm,
    TenantModelAdmin,
    merchant_site,
    platform_site,
)
from accounts.consoles.tables import ConsoleModelAdmin
from inventory.models import StockItem
from inventory.services import stock_adjust

MOVEMENTS_SHOWN = 50


class AdjustForm(ReasonForm):
    """By how much, and why."""

    change = forms.IntegerField(
        label=gettext_lazy("Change of the units on hand"),
        help_text=gettext_lazy("3 for three more, -3 for three less"),
        widget=UnfoldAdminIntegerFieldWidget,
    )
    field_order = ["change", "reason"]


class Adjust(Act):
    """A difference, so that it stays right whatever is sold meanwhile."""

    verb = "adjust"
    title = gettext_lazy("Adjust")
    form_class = AdjustForm

    def preview(self, row: StockItem) -> list[str]:
        return [
            _("%(on_hand)s are on hand, %(reserved)s of them are promised to orders.")
            % {"on_hand": row.on_hand, "reserved": row.reserved},
            _("The change is written down with its reason. It can’t go below what is promised."),
        ]

    def do(self, row: StockItem, *, actor: Actor, token: str, fields: Mapping[str, Any]) -> str:
        stock_adjust(
            stock_item_id=row.id,
            change=fields["change"],
            reason_note=fields["reason"],
            dedup_key=f"console:{token}",
            actor=actor,
        )
        return _("The stock is corrected.")


class StockTable(ConsoleModelAdmin):
    """The stock items that the console's scope lets through."""

    acts = (Adjust,)
    menu = Menu.GOODS
    icon = "inventory_2"
    list_display: Sequence[str] = (
        "sku_code",
        "product",
        "location",
        "on_hand",
        "reserved",
        "available",
    )
    list_select_related: Sequence[str] = ("sku__product", "location")
    fields = ("sku_code", "product", "location", "on_hand", "reserved", "available")
    readonly_fields = fields
    search_fields = ("sku__code",)
    search_help_text = gettext_lazy("SKU, written in full")
    change_form_template = "console/stock.html"

    def found(self, rows: QuerySet[StockItem], term: str) -> QuerySet[StockItem]:
        return rows.filter(sku__code=term)

    def sku_code(self, row: StockItem) -> str:
        return row.sku.code

    sku_code.short_description = "SKU"  # type: ignore[attr-defined]

    def product(self, row: StockItem) -> str:
        return " ".join(filter(None, (row.sku.product.title, row.sku.title)))

    def available(self, row: StockItem) -> int:
        return row.on_hand - row.reserved

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        item = self.row(request, object_id)
        movements = item.movements.order_by("-id")[:MOVEMENTS_SHOWN]
        return super().change_view(request, object_id, form_url, {"movements": movements})


@register(StockItem, site=merchant_site)
class MerchantStock(StockTable, TenantModelAdmin):
    """The merchant's own."""


@register(StockItem, site=platform_site)
class PlatformStock(StockTable, PlatformModelAdmin):
    """Everybody's."""

    list_display = (*StockTable.list_display, "merchant")
    list_select_related = ("sku__product", "location", "merchant")
