"""Our account at the bank, for the platform's staff: its statements, and the queue of their lines."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.contrib.admin import register
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminTextInputWidget

from accounts.actors import Actor
from accounts.consoles import (
    Act,
    ChoiceFilter,
    ConsoleSite,
    Figure,
    Menu,
    Page,
    PlatformModelAdmin,
    ReasonForm,
    platform_site,
)
from core import clock
from core.errors import DomainError, Invalid
from core.fsm import Stateful
from orders.admin.words import amount
from orders.selectors.transfers import attempt_id_of, suggestions_for
from payments.bank_files import LARGEST_BYTES
from payments.models import BankStatement, LineMatch
from payments.services.bank import line_assign, line_dismiss, line_give_back
from payments.services.bank_import import statement_import
from payments.states import LINE_MATCH

LINES_URL = "platform:payments_linematch_changelist"
WHY_WORDS = {
    LineMatch.Why.NO_REFERENCE: gettext_lazy("no reference in its text"),
    LineMatch.Why.SEVERAL: gettext_lazy("several references in its text"),
    LineMatch.Why.UNKNOWN: gettext_lazy("a reference that is none of ours"),
    LineMatch.Why.CURRENCY: gettext_lazy("another currency than asked for"),
    LineMatch.Why.AMOUNT: gettext_lazy("another amount than our transfer"),
    LineMatch.Why.DONE: gettext_lazy("that transfer had left before"),
}


class BankAct(Act):
    """An act on a row with a machine, offered as the machine says."""

    def is_legal(self, row: Stateful) -> bool:
        return row.machine.allows(row, self.verb, self.role, clock.now())


class AssignForm(ReasonForm):
    """Which order a line is for."""

    number = forms.CharField(
        label=gettext_lazy("Order number"),
        max_length=40,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
    )
    field_order = ("number", "reason")


class Assign(BankAct):
    verb = "assign"
    title = gettext_lazy("Say what it is for")
    form_class = AssignForm

    def has_effect(self, row: LineMatch) -> bool:
        return row.line.amount_minor > 0

    def preview(self, row: LineMatch) -> list[str]:
        line = row.line
        return [
            f"{amount(line.amount_minor, line.currency)}, {line.party_name}: {line.text}",
            _("It counts for that order; what is too much goes back to its sender."),
            *(_suggested(each) for each in suggestions_for(line)),
        ]

    def do(self, row: LineMatch, *, actor: Actor, token: str, fields: Mapping[str, Any]) -> str:
        attempt_id = attempt_id_of(fields["number"].strip())
        if attempt_id is None:
            raise Invalid(
                "bank.order_unknown",
                _("No order of that number waits, or has waited, for a bank transfer."),
            )
        line_assign(match_id=row.pk, attempt_id=attempt_id, reason=fields["reason"], actor=actor)
        return _("The line counts for that order.")


def _suggested(each: Any) -> str:
    why = [
        word
        for holds, word in ((each.same_amount, _("same amount")), (each.same_name, _("same name")))
        if holds
    ]
    return _("It may be for %(number)s, %(amount)s: %(why)s.") % {
        "number": each.group.number,
        "amount": amount(each.attempt.amount_minor, each.attempt.currency),
        "why": ", ".join(why),
    }


class GiveBack(BankAct):
    verb = "give_back"
    title = gettext_lazy("Send it back")
    form_class = ReasonForm
    is_grave = True

    def has_effect(self, row: LineMatch) -> bool:
        return row.line.amount_minor > 0

    def preview(self, row: LineMatch) -> list[str]:
        line = row.line
        return [
            _("%(amount)s are to be sent to %(name)s, %(account)s.")
            % {
                "amount": amount(line.amount_minor, line.currency),
                "name": line.party_name,
                "account": line.party_account or _("an account that has to be asked for"),
            }
        ]

    def do(self, row: LineMatch, *, actor: Actor, token: str, fields: Mapping[str, Any]) -> str:
        line_give_back(match_id=row.pk, reason=fields["reason"], actor=actor)
        return _("The money stands in the list of what is to be sent.")


class Dismiss(BankAct):
    verb = "dismiss"
    title = gettext_lazy("Not the shop’s")
    form_class = ReasonForm
    is_grave = True

    def preview(self, row: LineMatch) -> list[str]:
        return [_("The line is no order's and nothing of it goes back; its booking is reversed.")]

    def do(self, row: LineMatch, *, actor: Actor, token: str, fields: Mapping[str, Any]) -> str:
        line_dismiss(match_id=row.pk, reason=fields["reason"], actor=actor)
        return _("The line is done with.")


class LineStateFilter(ChoiceFilter):
    """Lines in one state."""

    title = gettext_lazy("state")
    parameter_name = "state"
    field = "status"
    options: ClassVar = [(name, name) for name in LINE_MATCH.names]


@register(LineMatch, site=platform_site)
class Lines(PlatformModelAdmin):
    """The queue of lines that nobody knows, and all others."""

    acts = (Assign, GiveBack, Dismiss)
    menu = Menu.ORDERS
    icon = "account_balance"
    label = "Bank lines"
    list_display = ("booked", "money", "party", "text", "status", "reason")
    list_filter = (LineStateFilter,)
    list_select_related = ("line",)
    fields = ("status", "booked", "money", "party", "account", "text", "reason", "bank_ref")
    readonly_fields = ("booked", "money", "party", "account", "text", "reason", "bank_ref")

    def booked(self, row: LineMatch) -> str:
        return f"{row.line.booked_on}"

    def money(self, row: LineMatch) -> str:
        return amount(row.line.amount_minor, row.line.currency)

    def party(self, row: LineMatch) -> str:
        return row.line.party_name

    def account(self, row: LineMatch) -> str:
        return row.line.party_account

    def text(self, row: LineMatch) -> str:
        return row.line.text

    def reason(self, row: LineMatch) -> str:
        return str(WHY_WORDS.get(LineMatch.Why(row.why), "")) if row.why else ""

    def bank_ref(self, row: LineMatch) -> str:
        return row.line.bank_ref


@register(BankStatement, site=platform_site)
class Statements(PlatformModelAdmin):
    """The files that were imported."""

    menu = Menu.ORDERS
    icon = "receipt_long"
    label = "Bank statements"
    list_display = ("name", "imported_at", "actor")
    fields = ("name", "imported_at", "actor", "sha256")


class StatementForm(forms.Form):
    """A file of the bank's."""

    file = forms.FileField(
        label=gettext_lazy("Statement"), help_text=gettext_lazy("CSV with our header, or CAMT.053")
    )

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size > LARGEST_BYTES:
            raise forms.ValidationError(_("The file is larger than 5 MiB."))
        return file


def import_view(request: HttpRequest, *, site: ConsoleSite) -> HttpResponse:
    """GET asks for a file, POST takes it in; what is wrong with it is told, and nothing done."""
    if request.method not in ("GET", "HEAD", "POST"):
        return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
    is_sent = request.method == "POST"
    form = StatementForm(request.POST, request.FILES) if is_sent else StatementForm()
    if is_sent and form.is_valid():
        file = form.cleaned_data["file"]
        try:
            imported = statement_import(
                name=file.name, content=file.read(), actor=site.actor(request)
            )
        except DomainError as refusal:
            form.add_error("file", str(refusal.message))
        else:
            told = {"new": imported.new, "known": imported.known}
            messages.success(request, _("%(new)s new lines, %(known)s known.") % told)
            return HttpResponseRedirect(reverse(LINES_URL))
    context = {**site.each_context(request), "title": _("Import a statement"), "form": form}
    return TemplateResponse(
        request, "console/bank_statement.html", context, status=422 if form.errors else 200
    )


def waiting(request: HttpRequest) -> Iterable[Figure]:
    """Lines that nobody knows."""
    unknown = LineMatch.objects.filter(status="unmatched").count()
    if unknown:
        yield Figure(_("Bank lines to assign"), unknown, f"{reverse(LINES_URL)}?state=unmatched")


platform_site.pages.append(
    Page(
        "bank-import",
        gettext_lazy("Import a statement"),
        "upload_file",
        Menu.ORDERS,
        view=import_view,
    )
)
platform_site.figures.append(waiting)
