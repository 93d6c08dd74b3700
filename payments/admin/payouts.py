"""Payouts in both consoles: the list, and the page with who has approved and what the bank said."""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from django.contrib.admin import register
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts.consoles import (
    ChoiceFilter,
    Figure,
    PlatformModelAdmin,
    TenantModelAdmin,
    merchant_site,
    platform_site,
)
from core.models import StateChange
from payments import states
from payments.admin.acts import Approve, ChangeAccount, Hold, Release, Retry
from payments.admin.tables import STATE_WORDS, MoneyTable, badge
from payments.models import Payout
from payments.services.payout import approvals_needed
from payments.statements import account_of, amount, hold_of


class PayoutFilter(ChoiceFilter):
    """Payouts in one state."""

    title = _("state")
    parameter_name = "state"
    field = "status"
    options: ClassVar = [(name, STATE_WORDS[name][0]) for name in states.PAYOUT.names]


class PayoutTable(MoneyTable):
    """The payouts that the console's scope lets through."""

    acts = (Approve, Retry, ChangeAccount, Hold, Release)
    icon = "payments"
    list_display: Sequence[str] = ("statement_of", "amount", "state", "account_of", "since")
    list_select_related: Sequence[str] = ("merchant", "statement__merchant", "account")
    list_filter = (PayoutFilter,)

    def statement_of(self, row: Payout) -> str:
        return str(row.statement)

    statement_of.short_description = _("statement")  # type: ignore[attr-defined]

    def amount(self, row: Payout) -> str:
        return amount(row.amount_minor, row.currency)

    def account_of(self, row: Payout) -> str:
        return row.account.masked if row.account else ""

    account_of.short_description = _("account")  # type: ignore[attr-defined]

    def since(self, row: Payout) -> str:
        return f"{row.status_changed_at:%Y-%m-%d %H:%M}"

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The payout's own page; each act has a page of its own."""
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        self.require_view(request)
        payout = self.row(request, object_id)
        offers = self.offered(request, payout)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Payout by statement %(number)s") % {"number": payout.statement},
            "opts": self.opts,
            "original": payout,
            "payout": payout,
            "amount": amount(payout.amount_minor, payout.currency),
            "state": badge(payout.status),
            "meaning": states.PAYOUT.state(payout.status).meaning,
            "account": payout.account or account_of(payout.merchant_id),
            "hold": hold_of(payout.merchant_id),
            "needed": approvals_needed(payout),
            "approvals": payout.approvals.select_related("account").order_by("pk"),
            "facts": payout.facts.order_by("pk"),
            "steps": StateChange.objects.filter(
                noun="payout", object_id=payout.pk, shard_key=payout.shard_key
            ).order_by("seq"),
            "statement_url": reverse(
                "admin:payments_statement_change",
                args=[payout.statement_id],
                current_app=self.admin_site.name,
            ),
            "offers": offers,
            "next": next((o for o in offers if o["act"].moves_on), None),
            **(extra_context or {}),
        }
        return TemplateResponse(request, "console/payout.html", context)


@register(Payout, site=merchant_site)
class MerchantPayouts(PayoutTable, TenantModelAdmin):
    """The merchant's own."""


@register(Payout, site=platform_site)
class PlatformPayouts(PayoutTable, PlatformModelAdmin):
    """Everybody's."""

    list_display = (*PayoutTable.list_display, "merchant")


def to_approve(request: HttpRequest) -> Iterable[Figure]:
    """Payouts that wait for a person: to be approved, or to be mended."""
    url = reverse("platform:payments_payout_changelist")
    waiting = {"scheduled": _("Payouts to approve"), "failed": _("Payouts that have failed")}
    for state, words in waiting.items():
        count = Payout.objects.filter(status=state).count()
        yield Figure(str(words), count, f"{url}?state={state}")


platform_site.figures.append(to_approve)
