"""Vouchers in both consoles: what they promise, how often they are used, and their end."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django import forms
from django.contrib.admin import register
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminTextInputWidget

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
from accounts.consoles.acts import ActForm
from accounts.consoles.tables import ConsoleModelAdmin
from core.money import BASIS_POINTS, percent_text
from core.money import PARTS_PER_MILLION as MILLION
from orders.admin.words import amount
from orders.locks import lock_voucher
from orders.models import Voucher
from orders.services.voucher_terms import voucher_amend, voucher_resume, voucher_stop

MOMENT = "%Y-%m-%dT%H:%M"


def moment_field(label: Any, help_text: Any = "") -> forms.DateTimeField:
    """A day and a time of day, which may be left empty."""
    widget = UnfoldAdminTextInputWidget(attrs={"type": "datetime-local"})
    return forms.DateTimeField(label=label, help_text=help_text, required=False, widget=widget)


def limit_field(label: Any) -> forms.IntegerField:
    """How often at most; empty means without a limit."""
    return forms.IntegerField(
        label=label,
        help_text=gettext_lazy("Empty: without a limit"),
        required=False,
        min_value=1,
        widget=UnfoldAdminIntegerFieldWidget,
    )


class AmendForm(ActForm):
    """Its end and its limits; what it takes off stays as it was promised."""

    ends_at = moment_field(gettext_lazy("Until (UTC)"), gettext_lazy("Empty: without an end"))
    per_customer_limit = limit_field(gettext_lazy("Times per customer"))
    total_limit = limit_field(gettext_lazy("Times in all"))

    def __init__(self, row: Voucher, *args: Any, **kwargs: Any) -> None:
        super().__init__(row, *args, **kwargs)
        self.fields["ends_at"].initial = row.ends_at.strftime(MOMENT) if row.ends_at else ""
        self.fields["per_customer_limit"].initial = row.per_customer_limit
        self.fields["total_limit"].initial = row.total_limit


class VoucherAct(Act):
    """An act on one voucher; its preview is void once somebody else has changed it."""

    def stamp(self, row: Voucher) -> str:
        return f"{row.active} {row.ends_at} {row.per_customer_limit} {row.total_limit}"

    def current(self, row: Voucher) -> Voucher:
        return lock_voucher(row.pk)


class Amend(VoucherAct):
    verb = "amend"
    title = gettext_lazy("Change end and limits")
    form_class = AmendForm
    moves_on = False

    def preview(self, row: Voucher) -> list[str]:
        return [
            _("It is used %(used)s times. No limit can be below what is used.")
            % {"used": row.used_count},
            _("Orders that carry it keep it."),
        ]

    def do(self, row: Voucher, *, actor: Actor, token: str, fields: Mapping[str, Any]) -> str:
        voucher_amend(
            voucher_id=row.pk,
            ends_at=fields["ends_at"],
            per_customer_limit=fields["per_customer_limit"],
            total_limit=fields["total_limit"],
            actor=actor,
        )
        return _("The voucher is changed.")


class Stop(VoucherAct):
    verb = "stop"
    title = gettext_lazy("Stop")
    form_class = ReasonForm
    is_grave = True

    def is_legal(self, row: Voucher) -> bool:
        return row.active

    def preview(self, row: Voucher) -> list[str]:
        return [
            _("Nobody can order with it any more. Baskets that have it say so."),
            _("Orders that carry it keep it."),
        ]

    def do(self, row: Voucher, *, actor: Actor, token: str, fields: Mapping[str, Any]) -> str:
        voucher_stop(voucher_id=row.pk, reason=fields["reason"], actor=actor)
        return _("The voucher is stopped.")


class Resume(VoucherAct):
    verb = "resume"
    title = gettext_lazy("Resume")
    form_class = ReasonForm

    def is_legal(self, row: Voucher) -> bool:
        return not row.active

    def preview(self, row: Voucher) -> list[str]:
        return [_("It can be used again at once, within its dates and limits.")]

    def do(self, row: Voucher, *, actor: Actor, token: str, fields: Mapping[str, Any]) -> str:
        voucher_resume(voucher_id=row.pk, reason=fields["reason"], actor=actor)
        return _("The voucher can be used again.")


class VoucherTable(ConsoleModelAdmin):
    """The vouchers that the console's scope lets through."""

    acts = (Amend, Stop, Resume)
    menu = Menu.GOODS
    icon = "sell"
    list_display: Sequence[str] = ("code", "takes_off", "least", "from_to", "used", "active")
    list_select_related: Sequence[str] = ("merchant",)
    fields = (
        *("code", "takes_off", "least", "funded_by", "merchant", "starts_at", "ends_at"),
        *("per_customer_limit", "total_limit", "used_count", "active"),
    )
    readonly_fields = ("takes_off", "least")
    search_fields = ("code",)
    search_help_text = gettext_lazy("Code, written in full")

    def found(self, rows: QuerySet[Voucher], term: str) -> QuerySet[Voucher]:
        return rows.filter(code=term.upper())

    def takes_off(self, row: Voucher) -> str:
        """What it is worth, in words."""
        if row.kind == Voucher.Kind.PERCENTAGE:
            return f"{percent_text(row.basis_points * (MILLION // BASIS_POINTS))} %"
        worth = amount(row.amount_minor, row.currency) if row.amount_minor else ""
        if row.kind == Voucher.Kind.FIXED:
            return worth
        most = _("delivery, up to %(amount)s") % {"amount": worth}
        return most if worth else str(row.get_kind_display())

    takes_off.short_description = gettext_lazy("takes off")  # type: ignore[attr-defined]

    def least(self, row: Voucher) -> str:
        """From how much on."""
        return amount(row.minimum_minor, row.currency) if row.minimum_minor else "–"

    least.short_description = gettext_lazy("goods for at least")  # type: ignore[attr-defined]

    def from_to(self, row: Voucher) -> str:
        return f"{_day(row.starts_at)} – {_day(row.ends_at) if row.ends_at else ''}"

    from_to.short_description = gettext_lazy("valid")  # type: ignore[attr-defined]

    def used(self, row: Voucher) -> str:
        """How often, of how often."""
        return f"{row.used_count}" + (f" / {row.total_limit}" if row.total_limit else "")


@register(Voucher, site=merchant_site)
class MerchantVouchers(VoucherTable, TenantModelAdmin):
    """Those that the merchant pays for."""

    def scope(self, request: HttpRequest, rows: QuerySet[Voucher]) -> QuerySet[Voucher]:
        return super().scope(request, rows).filter(funded_by=Voucher.Funder.MERCHANT)


@register(Voucher, site=platform_site)
class PlatformVouchers(VoucherTable, PlatformModelAdmin):
    """Everybody's."""

    list_display = (*VoucherTable.list_display, "funded_by", "merchant")


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"
