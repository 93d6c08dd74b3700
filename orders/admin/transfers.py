"""Money that the platform's staff send by hand: the list, the file for the bank, what became of it."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from django import forms
from django.contrib.admin import register
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminTextInputWidget

from accounts.actors import Actor
from accounts.consoles import (
    ChoiceFilter,
    ConsoleSite,
    Figure,
    Menu,
    Page,
    PlatformModelAdmin,
    ReasonForm,
    platform_site,
)
from accounts.consoles.acts import ActForm
from orders.admin.bank import BankAct
from orders.admin.words import amount
from payments.exports import transfers_csv
from payments.models import ManualTransfer
from payments.models.bank import masked
from payments.services.transfer import (
    transfer_direct,
    transfer_fail,
    transfer_retry,
    transfer_send,
)
from payments.states import MANUAL_TRANSFER

TRANSFERS_URL = "platform:payments_manualtransfer_changelist"


class Send(BankAct):
    verb = "send"
    title = gettext_lazy("It is sent")

    def preview(self, row: ManualTransfer) -> list[str]:
        return [
            _("You have told the bank to send %(amount)s to %(holder)s, %(account)s.")
            % {
                "amount": amount(row.amount_minor, row.currency),
                "holder": row.holder,
                "account": masked(row.iban) or _("no account is known yet"),
            },
            _("Its text says %(reference)s, by which a statement confirms it.")
            % {"reference": row.reference},
        ]

    def do(
        self, row: ManualTransfer, *, actor: Actor, token: str, fields: Mapping[str, Any]
    ) -> str:
        transfer_send(transfer_id=row.pk, actor=actor)
        return _("The next statement confirms it.")


class DirectForm(ActForm):
    """Whose account, and which."""

    holder = forms.CharField(
        label=gettext_lazy("Account holder"),
        max_length=140,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
    )
    iban = forms.CharField(
        label=gettext_lazy("IBAN"),
        max_length=42,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
    )


class Direct(BankAct):
    verb = "direct"
    title = gettext_lazy("Change the account")
    form_class = DirectForm

    def do(
        self, row: ManualTransfer, *, actor: Actor, token: str, fields: Mapping[str, Any]
    ) -> str:
        transfer_direct(
            transfer_id=row.pk, holder=fields["holder"], iban=fields["iban"], actor=actor
        )
        return _("It goes there.")


class Fail(BankAct):
    verb = "fail"
    title = gettext_lazy("It could not be sent")
    form_class = ReasonForm
    is_grave = True

    def do(
        self, row: ManualTransfer, *, actor: Actor, token: str, fields: Mapping[str, Any]
    ) -> str:
        transfer_fail(transfer_id=row.pk, reason=fields["reason"], actor=actor)
        return _("The transfer has failed.")


class Retry(BankAct):
    verb = "retry"
    title = gettext_lazy("Send it once more")

    def do(
        self, row: ManualTransfer, *, actor: Actor, token: str, fields: Mapping[str, Any]
    ) -> str:
        transfer_retry(transfer_id=row.pk, actor=actor)
        return _("The money stands in the list of what is to be sent.")


class TransferStateFilter(ChoiceFilter):
    """Transfers in one state."""

    title = gettext_lazy("state")
    parameter_name = "state"
    field = "status"
    options: ClassVar = [(name, name) for name in MANUAL_TRANSFER.names]


@register(ManualTransfer, site=platform_site)
class Transfers(PlatformModelAdmin):
    """What somebody has to send, and what became of it; accounts are shown masked."""

    acts = (Send, Direct, Fail, Retry)
    menu = Menu.ORDERS
    icon = "outbound"
    label = "Transfers by hand"
    list_display = ("reference", "money", "holder", "account", "status", "requested")
    list_filter = (TransferStateFilter,)
    fields = ("reference", "status", "money", "holder", "account", "why")
    readonly_fields = ("reference", "money", "account", "why")

    def money(self, row: ManualTransfer) -> str:
        return amount(row.amount_minor, row.currency)

    def account(self, row: ManualTransfer) -> str:
        return masked(row.iban)

    def requested(self, row: ManualTransfer) -> str:
        return f"{row.status_changed_at:%Y-%m-%d %H:%M}"

    def why(self, row: ManualTransfer) -> str:
        return row.request_key


def export_view(request: HttpRequest, *, site: ConsoleSite) -> HttpResponse:
    """What is to be sent and we know where to, as a file; nothing changes by it."""
    if request.method not in ("GET", "HEAD"):
        return HttpResponseNotAllowed(["GET", "HEAD"])
    response = HttpResponse(
        transfers_csv(_to_send().order_by("pk")), content_type="text/csv; charset=utf-8"
    )
    response["Content-Disposition"] = 'attachment; filename="transfers.csv"'
    response["Cache-Control"] = "private, no-store"
    return response


def _to_send() -> QuerySet[ManualTransfer]:
    to_do = ManualTransfer.objects.filter(status="to_do")
    return to_do.exclude(iban="")


def waiting(request: HttpRequest) -> Iterable[Figure]:
    """What has to be sent."""
    to_do = ManualTransfer.objects.filter(status="to_do").count()
    if to_do:
        yield Figure(_("Transfers to send"), to_do, f"{reverse(TRANSFERS_URL)}?state=to_do")


platform_site.pages.append(
    Page(
        "bank-transfers",
        gettext_lazy("Transfers as a file"),
        "download",
        Menu.ORDERS,
        view=export_view,
    )
)
platform_site.figures.append(waiting)
