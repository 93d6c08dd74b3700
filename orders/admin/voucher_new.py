"""A page of either console that makes a voucher; a merchant's makes what the merchant pays for."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from accounts.consoles import ConsoleSite, Menu, Page, member_of, merchant_site, platform_site
from accounts.models import Merchant
from core.errors import DomainError
from core.money import BASIS_POINTS, EXPONENTS, InvalidAmount, parse
from orders.admin.vouchers import limit_field, moment_field
from orders.models import Voucher
from orders.models.voucher import LONGEST_CODE
from orders.services.voucher_terms import NewVoucher, voucher_create

PERCENT = BASIS_POINTS // 100
# Where the form calls a field of the service by another name.
FIELDS = {
    "basis_points": "percent",
    "amount_minor": "amount",
    "minimum_minor": "minimum",
    "merchant": "seller",
}


def _money_field(label: Any, help_text: Any) -> forms.CharField:
    widget = UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal", "autocomplete": "off"})
    return forms.CharField(
        label=label, help_text=help_text, required=False, max_length=30, widget=widget
    )


class VoucherForm(forms.Form):
    """What a merchant's voucher starts with; its currency is the merchant's."""

    code = forms.CharField(
        label=gettext_lazy("Code"),
        help_text=gettext_lazy("What shoppers enter, in small letters or large"),
        max_length=LONGEST_CODE,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
    )
    kind = forms.ChoiceField(
        label=gettext_lazy("It takes off"),
        choices=Voucher.Kind.choices,
        widget=UnfoldAdminSelectWidget,
    )
    percent = forms.DecimalField(
        label=gettext_lazy("Per cent of the goods"),
        required=False,
        min_value=0,
        max_value=100,
        decimal_places=2,
        widget=UnfoldAdminDecimalFieldWidget,
    )
    amount = _money_field(
        gettext_lazy("Amount"), gettext_lazy("Of a free delivery the most that it may cost")
    )
    minimum = _money_field(gettext_lazy("Goods for at least"), gettext_lazy("Empty: for any goods"))
    starts_at = moment_field(gettext_lazy("From (UTC)"), gettext_lazy("Empty: from now on"))
    ends_at = moment_field(gettext_lazy("Until (UTC)"), gettext_lazy("Empty: without an end"))
    per_customer_limit = limit_field(gettext_lazy("Times per customer"))
    total_limit = limit_field(gettext_lazy("Times in all"))

    def __init__(self, merchant: Merchant | None, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.merchant = merchant

    def clean(self) -> dict[str, Any]:
        """Amounts in minor units of the voucher's currency, the per cent in basis points."""
        given = self.cleaned_data
        for name in ("amount", "minimum"):
            given[name] = self._minor(name, given.get("currency") or self._currency())
        given["percent"] = int((given.get("percent") or 0) * PERCENT)
        return given

    def _currency(self) -> str:
        return self.merchant.currency if self.merchant else ""

    def _minor(self, name: str, currency: str) -> int:
        text = self.cleaned_data.get(name, "").strip()
        if not text:
            return 0
        if currency not in EXPONENTS:
            self.add_error(name, ValidationError(_("An amount needs its currency.")))
            return 0
        try:
            return parse(text, currency).amount_minor
        except InvalidAmount:
            self.add_error(name, ValidationError(_("Enter an amount such as 9.50.")))
            return 0

    def voucher(self) -> NewVoucher:
        """What the service is asked for."""
        given = self.cleaned_data
        has_amount = bool(given["amount"] or given["minimum"])
        return NewVoucher(
            code=given["code"],
            kind=given["kind"],
            funded_by=given.get("funded_by", Voucher.Funder.MERCHANT),
            basis_points=given["percent"],
            amount_minor=given["amount"],
            currency=(given.get("currency") or self._currency()) if has_amount else "",
            merchant_id=self.merchant.pk if self.merchant else None,
            minimum_minor=given["minimum"],
            starts_at=given["starts_at"],
            ends_at=given["ends_at"],
            per_customer_limit=given["per_customer_limit"],
            total_limit=given["total_limit"],
        )

    def tell(self, refusal: DomainError) -> None:
        """The service's refusal, at its fields."""
        problems = refusal.facts.get("fields") or {"": [refusal.message]}
        for name, sentences in problems.items():
            field = FIELDS.get(name, name)
            self.add_error(field if field in self.fields else None, [str(s) for s in sentences])


class PlatformVoucherForm(VoucherForm):
    """The platform says who pays, and for whose goods it is."""

    currency = forms.CharField(
        label=gettext_lazy("Currency of these amounts"),
        required=False,
        max_length=3,
        widget=UnfoldAdminTextInputWidget,
    )
    funded_by = forms.ChoiceField(
        label=gettext_lazy("Who pays"),
        choices=Voucher.Funder.choices,
        widget=UnfoldAdminSelectWidget,
    )
    seller = forms.CharField(
        label=gettext_lazy("For the goods of"),
        help_text=gettext_lazy("The merchant’s name in addresses. Empty: for everybody’s"),
        required=False,
        max_length=80,
        widget=UnfoldAdminTextInputWidget,
    )
    field_order = [
        "code",
        "kind",
        "percent",
        "amount",
        "minimum",
        "currency",
        "funded_by",
        "seller",
    ]

    def clean_currency(self) -> str:
        """As ISO writes it."""
        return str(self.cleaned_data["currency"]).strip().upper()

    def clean_seller(self) -> str:
        """The merchant is looked up here; nothing else of the form does."""
        slug = str(self.cleaned_data["seller"]).strip().lower()
        self.merchant = Merchant.objects.filter(slug=slug).first() if slug.isprintable() else None
        if slug and self.merchant is None:
            raise ValidationError(_("There is no such merchant."))
        return slug


def voucher_new(request: HttpRequest, *, site: ConsoleSite) -> HttpResponse:
    """GET shows the form; POST makes the voucher and goes to it, or says what is wrong."""
    if not site.may(request, "create"):
        raise PermissionDenied
    form = _form(request, site)
    if request.method == "POST" and form.is_valid():
        try:
            row = voucher_create(voucher=form.voucher(), actor=site.actor(request))
        except DomainError as refusal:
            form.tell(refusal)
        else:
            messages.success(request, _("The voucher can be used."))
            where = reverse("admin:orders_voucher_change", args=[row.pk], current_app=site.name)
            return HttpResponseRedirect(where)
    context = {**site.each_context(request), "title": _("New voucher"), "form": form}
    status = 422 if form.errors else 200
    return TemplateResponse(request, "console/voucher_new.html", context, status=status)


def _form(request: HttpRequest, site: ConsoleSite) -> VoucherForm:
    given = request.POST if request.method == "POST" else None
    if site is platform_site:
        return PlatformVoucherForm(None, given)
    member = member_of(request)
    return VoucherForm(member.merchant if member else None, given)


NEW = Page(
    "new-voucher", gettext_lazy("New voucher"), "add_circle", Menu.GOODS, voucher_new, "create"
)
merchant_site.pages.append(NEW)
platform_site.pages.append(NEW)
