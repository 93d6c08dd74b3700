"""The funnel's page in the platform's console: server-rendered, nothing needs a script."""

from collections.abc import Iterator
from datetime import MAXYEAR, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from accounts.consoles import Menu, Page, platform_site
from analytics.funnels import SHOP, Counts, days, run
from core import clock

STEP_WORDS = {
    "view_item": _("Saw an article"),
    "add_to_cart": _("Put it into the basket"),
    "begin_checkout": _("Began the checkout"),
    "add_payment_info": _("Chose how to pay"),
    "purchase": _("Paid"),
}
DAYS = {"today": 1, "7": 7, "30": 30}
DATES = "dates"
LONGEST = timedelta(days=92)
BAR_LENGTH = 1000  # of the drawing's own units
# Its length is an attribute and its colour the text's: the page may carry no style of its own.
BAR = (
    '<svg viewBox="0 0 1000 60" width="200" height="12" preserveAspectRatio="none"'
    ' aria-hidden="true"><rect width="{}" height="60" fill="currentColor"/></svg>'
)


class RangeForm(forms.Form):
    """Which days the visits began on; of dates the last one counts too."""

    span = forms.ChoiceField(
        label=_("Visits that began"),
        choices=[
            ("today", _("today")),
            ("7", _("in the last 7 days")),
            ("30", _("in the last 30 days")),
            (DATES, _("between these dates")),
        ],
        widget=UnfoldAdminSelectWidget,
    )
    first = forms.DateField(
        label=_("First day"),
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"type": "date"}),
    )
    last = forms.DateField(
        label=_("Last day"),
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"type": "date"}),
    )

    def clean(self) -> dict[str, Any]:
        """Dates need both ends, in order, and no more than a quarter between them."""
        given = self.cleaned_data
        if given.get("span") == DATES and not self.errors:
            if not (given["first"] and given["last"]):
                raise forms.ValidationError(_("Enter the first and the last day."))
            in_order = timedelta(0) <= given["last"] - given["first"] < LONGEST
            if not in_order or given["last"].year == MAXYEAR:  # there must be a day after it
                raise forms.ValidationError(_("Choose days in order, 92 at most."))
        return given

    def range(self, today: date) -> tuple[datetime, datetime]:
        """From the first midnight to the one after the last day."""
        first, last = self.cleaned_data["first"], self.cleaned_data["last"]
        if self.cleaned_data["span"] != DATES:
            first, last = today - timedelta(DAYS[self.cleaned_data["span"]] - 1), today
        return days(first, last)


def funnel_view(request: HttpRequest, *, site: AdminSite) -> HttpResponse:
    """The shop's funnel by visit, of the days asked for; changes nothing."""
    form = RangeForm(request.GET if "span" in request.GET else {"span": "7"})
    context = {
        **site.each_context(request),
        "title": _("Funnel"),
        "form": form,
        "window_hours": SHOP.window // timedelta(hours=1),
    }
    if form.is_valid():
        begin, end = form.range(clock.now().date())
        counts = run(SHOP, begin=begin, end=end)
        context |= {
            "begin": begin,
            "last": end - timedelta(days=1),
            "counts": counts,
            "median": whole_seconds(counts.median),
            "p90": whole_seconds(counts.p90),
            "steps": {"headers": HEADERS, "rows": list(step_rows(counts))},
            "devices": {
                "headers": [_("Device"), *(STEP_WORDS[name] for name in SHOP.steps)],
                "rows": [[device, *own] for device, own in counts.by_device.items()],
            },
        }
    return TemplateResponse(
        request, "console/funnel.html", context, status=200 if form.is_valid() else 422
    )


HEADERS = [_("Step"), _("Visits"), "", _("Of all"), _("Of the step before"), _("Lost here")]


def step_rows(counts: Counts) -> Iterator[list[object]]:
    """A row per step: word, count, bar, shares, loss."""
    for step, name in enumerate(SHOP.steps):
        length = int((counts.overall(step) or 0) * BAR_LENGTH)
        yield [
            STEP_WORDS[name],
            counts.counts[step],
            format_html(BAR, length),
            percent(counts.overall(step)),
            percent(counts.onward(step)),
            counts.drop(step) if step else "–",
        ]


def whole_seconds(took: timedelta | None) -> timedelta | None:
    """Without the microseconds, which nobody reads."""
    return took and timedelta(seconds=round(took.total_seconds()))


def percent(share: Decimal | None) -> str:
    """With two decimals, for people; a dash where there is no share."""
    return "–" if share is None else f"{share:.2%}"


platform_site.pages.append(Page("funnel", _("Funnel"), "filter_alt", Menu.ORDERS, view=funnel_view))
