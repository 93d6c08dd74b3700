"""Statements in both consoles: the list, the page, the entries behind each number, CSV and PDF."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from django.contrib.admin import register
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext_lazy as _

from accounts.consoles import (
    ChoiceFilter,
    PlatformModelAdmin,
    TenantModelAdmin,
    merchant_site,
    platform_site,
)
from core.api.fields import LARGEST_ID
from payments import states
from payments.admin.acts import ChangeAccount, Hold, Release
from payments.admin.tables import STATE_WORDS, MoneyTable, badge
from payments.models import Payout, Statement
from payments.printed import period_words, statement_csv, statement_pdf, sum_check, title_of
from payments.sections import WORDS, Section
from payments.statements import (
    Line,
    Sheet,
    account_of,
    amount,
    hold_of,
    lines_of,
    payout_reason,
    sheet_of,
)

LINES_PER_PAGE = 50


class StatementFilter(ChoiceFilter):
    """Statements in one state."""

    title = _("state")
    parameter_name = "state"
    field = "status"
    options: ClassVar = [(name, STATE_WORDS[name][0]) for name in states.STATEMENT.names]


class StatementTable(MoneyTable):
    """The statements that the console's scope lets through."""

    acts = (ChangeAccount, Hold, Release)
    icon = "receipt_long"
    list_display: Sequence[str] = ("number_of", "period", "state", "closing")
    list_filter = (StatementFilter,)

    def number_of(self, row: Statement) -> str:
        return str(row)

    number_of.short_description = _("number")  # type: ignore[attr-defined]

    def period(self, row: Statement) -> str:
        return period_words(row)

    def closing(self, row: Statement) -> str:
        return "" if row.closing_minor is None else amount(row.closing_minor, row.currency)

    closing.short_description = _("closing balance")  # type: ignore[attr-defined]

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}"
        pages: dict[str, Callable[..., HttpResponse]] = {
            "entries": self.entries,
            "csv": self.as_csv,
            "pdf": self.as_pdf,
        }
        return [
            path(
                f"<path:object_id>/change/{page}/",
                self.admin_site.admin_view(view),
                name=f"{name}_{page}",
            )
            for page, view in pages.items()
        ] + super().get_urls()

    def sheet(self, request: HttpRequest, object_id: str) -> Sheet:
        """The numbers of a statement that may be seen. Raises Http404."""
        self.require_view(request)
        return sheet_of(self.row(request, object_id))

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The statement's own page; it changes nothing."""
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        sheet = self.sheet(request, object_id)
        statement, url = sheet.statement, self.row_url(sheet.statement)
        context = {
            **self._context(request, sheet),
            "numbers": [self._number(sheet, url, *row) for row in sheet.rows()],
            "reason": payout_reason(sheet),
            "payouts": [
                (payout, badge(payout.status), self._payout_url(payout))
                for payout in Payout.objects.filter(statement=statement)
            ],
            "account": account_of(statement.merchant_id),
            "hold": hold_of(statement.merchant_id),
            "offers": self.offered(request, statement),
            **(extra_context or {}),
        }
        return TemplateResponse(request, "console/statement.html", context)

    def _context(self, request: HttpRequest, sheet: Sheet) -> dict[str, Any]:
        statement = sheet.statement
        return {
            **self.admin_site.each_context(request),
            "title": title_of(sheet),
            "opts": self.opts,
            "original": statement,
            "statement": statement,
            "sheet": sheet,
            "state": badge(statement.status),
            "period": period_words(statement),
            "sum_check": sum_check(sheet),
            "url": self.row_url(statement),
        }

    def _number(
        self, sheet: Sheet, url: str, name: str, words: object, minor: int
    ) -> dict[str, Any]:
        opens = name in {str(figure.section) for figure in sheet.figures if figure.entries}
        return {
            "words": words,
            "amount": amount(minor, sheet.statement.currency),
            "url": f"{url}entries/?section={name}" if opens else "",
            "is_balance": name not in set(Section),
        }

    def _payout_url(self, payout: Payout) -> str:
        return reverse(
            "admin:payments_payout_change", args=[payout.pk], current_app=self.admin_site.name
        )

    def entries(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The entries that a number is the sum of, or all of them, a page at a time."""
        sheet = self.sheet(request, object_id)
        section = request.GET.get("section", "")
        section = section if section in set(Section) else ""
        lines = lines_of(
            sheet.statement, section=section, after=_after(request), most=LINES_PER_PAGE + 1
        )
        shown = lines[:LINES_PER_PAGE]
        told = {figure.section: figure for figure in sheet.figures}.get(section)  # type: ignore[call-overload]
        context = {
            **self._context(request, sheet),
            "heading": WORDS[Section(section)] if section else _("Entries"),
            "figure": amount(told.amount_minor, sheet.statement.currency) if told else "",
            "lines": [_shown(line, sheet) for line in shown],
            "section": section,
            "next_after": shown[-1].id if len(lines) > LINES_PER_PAGE else None,
        }
        return TemplateResponse(request, "console/statement_entries.html", context)

    def as_csv(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The statement for a spreadsheet."""
        sheet = self.sheet(request, object_id)
        text = statement_csv(sheet)
        return _file(text.encode(), f"{sheet.statement}.csv", "text/csv; charset=utf-8")

    def as_pdf(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The statement to print."""
        sheet = self.sheet(request, object_id)
        return _file(statement_pdf(sheet), f"{sheet.statement}.pdf", "application/pdf")


def _after(request: HttpRequest) -> int:
    """The id behind which the page begins; 0 for what is none."""
    given = request.GET.get("after", "")
    return int(given) if given.isascii() and given.isdecimal() and len(given) < LONGEST else 0


LONGEST = len(str(LARGEST_ID))


def _shown(line: Line, sheet: Sheet) -> dict[str, Any]:
    return {
        "line": line,
        "words": WORDS[Section(line.section)],
        "amount": amount(line.amount_minor, sheet.statement.currency),
    }


def _file(content: bytes, name: str, content_type: str) -> HttpResponse:
    response = HttpResponse(content, content_type=content_type)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "no-store"
    return response


@register(Statement, site=merchant_site)
class MerchantStatements(StatementTable, TenantModelAdmin):
    """The merchant's own."""


@register(Statement, site=platform_site)
class PlatformStatements(StatementTable, PlatformModelAdmin):
    """Everybody's."""

    list_display = (*StatementTable.list_display, "merchant")
