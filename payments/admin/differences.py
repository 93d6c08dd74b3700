"""Where channels and our book differ, for the platform's finance: what, what it may be, how it was settled."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from django import forms
from django.contrib.admin import register
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminSelectWidget

from accounts.actors import Actor
from accounts.consoles import (
    Act,
    ChoiceFilter,
    Figure,
    Menu,
    PlatformModelAdmin,
    ReasonForm,
    platform_site,
)
from core.money import Money, UnknownCurrency
from payments.lists import (
    AMOUNT,
    AMOUNT_AND_TIME,
    REFERENCE,
    Suggestion,
    open_differences,
    suggestions,
    with_suggestion,
)
from payments.models import (
    ChannelFact,
    Difference,
    DifferenceResolution,
    Payment,
    ReconciliationDay,
    ReconciliationTotal,
)
from payments.services.difference import difference_settle

Verdict = DifferenceResolution.Verdict

KIND_WORDS = {
    Difference.Kind.ONLY_HERE: gettext_lazy("only in our book"),
    Difference.Kind.ONLY_THERE: gettext_lazy("only at the channel"),
    Difference.Kind.AMOUNT: gettext_lazy("another amount"),
    Difference.Kind.CURRENCY: gettext_lazy("another currency"),
    Difference.Kind.FEE: gettext_lazy("another fee"),
}
ABOUT_WORDS: dict[str, Any] = {
    ChannelFact.Kind.CAPTURED: gettext_lazy("capture"),
    ChannelFact.Kind.REFUND_SUCCEEDED: gettext_lazy("refund"),
}
VERDICT_WORDS = {
    Verdict.OURS: gettext_lazy("Our book is right"),
    Verdict.THEIRS: gettext_lazy("The channel is right: book its fee"),
    Verdict.MATCHED: gettext_lazy("Both sides have it now"),
}
WHY_WORDS: dict[str, Any] = {
    REFERENCE: gettext_lazy("the same reference"),
    AMOUNT: gettext_lazy("the same amount on the other side only"),
    AMOUNT_AND_TIME: gettext_lazy("the same amount, awaited at about that time"),
}


def amount(minor: int, currency: str) -> str:
    """9.50 EUR; as it came where the currency is none."""
    try:
        return f"{Money(minor, currency).decimal_text()} {currency}"
    except UnknownCurrency:
        return f"{minor} {currency}"


class SettleForm(ReasonForm):
    """Whose word stands, and why."""

    verdict = forms.ChoiceField(
        label=gettext_lazy("Whose word stands"), widget=UnfoldAdminSelectWidget
    )
    field_order = ["verdict", "reason"]

    def __init__(self, row: Difference, *args: Any, **kwargs: Any) -> None:
        super().__init__(row, *args, **kwargs)
        bookable = row.kind == Difference.Kind.FEE
        offered = (Verdict.OURS, Verdict.THEIRS) if bookable else (Verdict.OURS,)
        verdict = self.fields["verdict"]
        assert isinstance(verdict, forms.ChoiceField), "as it stands above"
        verdict.choices = [(each.value, VERDICT_WORDS[each]) for each in offered]


class Settle(Act):
    verb = "settle"
    title = gettext_lazy("Settle")
    form_class = SettleForm

    def is_legal(self, row: Difference) -> bool:
        return not row.resolutions.exists()

    def preview(self, row: Difference) -> list[str]:
        return [
            _("Our book says %(ours)s, the channel %(theirs)s.")
            % {
                "ours": amount(row.ours_minor, row.currency),
                "theirs": amount(row.theirs_minor, row.currency),
            },
            _("It is written down who settled it and why. The book changes by a fee alone."),
        ]

    def do(self, row: Difference, *, actor: Actor, token: str, fields: Mapping[str, Any]) -> str:
        difference_settle(
            difference_id=row.pk, verdict=fields["verdict"], reason=fields["reason"], actor=actor
        )
        return _("The difference is settled.")


class SettledFilter(ChoiceFilter):
    """Those that wait for somebody, or those that have been settled."""

    title = gettext_lazy("standing")
    parameter_name = "standing"
    options: ClassVar = [("open", gettext_lazy("open")), ("settled", gettext_lazy("settled"))]

    def wanted(self, value: str) -> Q:
        return Q(resolutions__isnull=value == "open")


class KindFilter(ChoiceFilter):
    """Those of one kind."""

    title = gettext_lazy("what differs")
    parameter_name = "kind"
    field = "kind"
    options: ClassVar = [(kind.value, words) for kind, words in KIND_WORDS.items()]


@register(Difference, site=platform_site)
class Differences(PlatformModelAdmin):
    """What a channel says of a movement of money, and what our book does."""

    acts = (Settle,)
    menu = Menu.MONEY
    icon = "difference"
    label = "Channel differences"
    list_display = (
        *("ref", "channel", "what", "movement", "ours", "theirs"),
        *("found_at", "suggestion", "standing"),
    )
    list_filter = (SettledFilter, KindFilter)
    fields = (
        *("channel", "what", "movement", "ref", "key", "ours", "theirs"),
        *("note", "found_at", "standing"),
    )
    readonly_fields = fields
    search_fields = ("ref",)
    search_help_text = gettext_lazy("Reference or key, written in full")
    change_form_template = "console/difference.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Difference]:
        rows: QuerySet[Difference] = super().get_queryset(request)
        return with_suggestion(rows).prefetch_related("resolutions")

    def found(self, rows: QuerySet[Difference], term: str) -> QuerySet[Difference]:
        return rows.filter(Q(ref=term) | Q(key=term))

    def what(self, row: Difference) -> str:
        return str(KIND_WORDS[Difference.Kind(row.kind)])

    def movement(self, row: Difference) -> str:
        return str(ABOUT_WORDS.get(row.about, row.about))

    def ours(self, row: Difference) -> str:
        return amount(row.ours_minor, row.currency)

    def theirs(self, row: Difference) -> str:
        return amount(row.theirs_minor, row.currency)

    def suggestion(self, row: Any) -> str:
        """Why another payment may be meant; its page says which."""
        return str(WHY_WORDS.get(row.suggested, ""))

    def standing(self, row: Difference) -> str:
        for resolution in row.resolutions.all():
            verdict = VERDICT_WORDS[Verdict(resolution.verdict)]
            return f"{verdict} ({resolution.actor}): {resolution.reason}"
        return str(_("open"))

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """With the order that it is about, and those that it may be about."""
        row = self.row(request, object_id)
        own = Suggestion("", row.ref, row.payment.id if row.payment else None)
        found = [self._linked(each, WHY_WORDS[each.why]) for each in suggestions(row)]
        about = self._linked(own, _("Its order")) if row.payment else None
        context = {"about": about, "suggestions": found}
        return super().change_view(request, object_id, form_url, context)

    def _linked(self, each: Suggestion, words: Any) -> dict[str, Any]:
        """A suggestion and the address of the order group whose payment it names."""
        told = {"words": words, "ref": each.ref}
        for payment in Payment.objects.filter(pk=each.payment_id or 0):
            told["url"] = reverse("platform:orders_ordergroup_change", args=[payment.reference])
            told["amount"] = amount(payment.amount_minor, payment.currency)
        return told


@register(ReconciliationDay, site=platform_site)
class Days(PlatformModelAdmin):
    """The certificates of the channels' days."""

    menu = Menu.MONEY
    icon = "verified"
    label = "Certified days"
    list_display = ("day", "channel", "number", "is_level", "rows", "at")
    fields = (*list_display, "sums", "sha256", "actor")
    readonly_fields = fields

    def sums(self, row: ReconciliationDay) -> str:
        """Both sides of each currency: gross, fees, net."""
        return "; ".join(_sums(total) for total in row.totals.order_by("currency"))


def _sums(total: ReconciliationTotal) -> str:
    return _(
        "channel %(channel)s, fees %(channel_fee)s; book %(book)s, fees %(book_fee)s;"
        " settled %(settled)s; difference %(difference)s"
    ) % {
        name: amount(minor, total.currency)
        for name, minor in {
            "channel": total.channel_gross_minor,
            "channel_fee": total.channel_fee_minor,
            "book": total.book_gross_minor,
            "book_fee": total.book_fee_minor,
            "settled": total.settled_minor,
            "difference": total.difference_minor,
        }.items()
    }


def unsettled(request: HttpRequest) -> Iterable[Figure]:
    """How many differences wait for somebody."""
    url = reverse("platform:payments_difference_changelist")
    return [
        Figure(_("Differences with channels"), open_differences().count(), f"{url}?standing=open")
    ]


platform_site.figures.append(unsettled)
