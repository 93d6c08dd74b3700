"""What both consoles show of orders: one list, one page, one search."""

from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.template.response import TemplateResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from accounts.consoles import ChoiceFilter, Figure, Menu
from accounts.consoles.tables import ConsoleModelAdmin
from catalog.models import Sku
from core import clock
from core.clock import BusinessNow
from core.ids import normalise
from core.parallel import load
from orders import states
from orders.admin import past, words
from orders.admin.acts import ORDER_ACTS, asked_for
from orders.admin.notes import NoteOnOrder
from orders.admin.page import terms_of
from orders.admin.parts import order_parts
from orders.admin.refund import Refund
from orders.models import Order, OrderGroup, OrderLine
from orders.selectors.shown import order_state, orders_shown
from orders.sums import printed
from payments.models import PaymentShare

# Nothing has left yet, or not all.
OPEN = states.ORDER.in_chapter("placed", "paid", "preparing")


class StateFilter(ChoiceFilter):
    """Orders in one state."""

    title = _("state")
    parameter_name = "state"
    options: ClassVar = [(name, words.STATE_WORDS[name]) for name in states.ORDER.names]

    def wanted(self, value: str) -> Q:
        return orders_shown(value, clock.now())


class AskedFilter(ChoiceFilter):
    """Orders whose buyer waits for an answer."""

    title = _("asked for")
    parameter_name = "asked"
    options: ClassVar = [("cancel", _("cancellation"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Those that the merchant has to answer."""
        if self.value() == "cancel":
            return queryset.filter(cancel_requested_until__isnull=False)
        return queryset


class OrderTable(ConsoleModelAdmin):
    """The orders that the console's scope lets through."""

    acts = (*ORDER_ACTS, Refund, NoteOnOrder)
    menu = Menu.ORDERS
    icon = "package_2"
    list_display: Sequence[str] = (
        "number",
        "placed",
        "buyer",
        "total",
        "payment_badge",
        "fulfilment_badge",
        "items",
        "state",
        "age",
    )
    list_filter = (StateFilter, AskedFilter)
    search_fields = ("number",)
    search_help_text = _("Order number, e-mail address or SKU, written in full")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Order]:
        """With what a line of the list tells: one statement for all lines."""
        rows: QuerySet[Order] = super().get_queryset(request)
        lines = OrderLine.objects.filter(order=OuterRef("pk")).values("order")
        shares = PaymentShare.objects.filter(order_id=OuterRef("pk")).values("order_id")
        return rows.select_related("group", "merchant").annotate(
            units=_sum(lines, "quantity"),
            shipped_units=_sum(lines, "shipped_quantity"),
            captured_minor=_sum(shares, "captured_minor"),
            refunded_minor=_sum(shares, "refunded_minor"),
            promised_minor=_sum(shares, "authorised_minor") - _sum(shares, "voided_minor"),
            now=BusinessNow(),
        )

    def found(self, rows: QuerySet[Order], term: str) -> QuerySet[Order]:
        if "@" in term:
            return rows.filter(group__customer__email=term.lower())
        by_number = _by_number(rows, normalise(term))
        if by_number.exists():
            return by_number
        skus = Sku.objects.filter(code=term)
        return rows.filter(pk__in=OrderLine.objects.filter(sku__in=skus).values("order_id"))

    def placed(self, row: Any) -> str:
        return f"{row.group.placed_at:%Y-%m-%d %H:%M}"

    def buyer(self, row: Any) -> str:
        return words.masked(row.group.email)

    def total(self, row: Any) -> str:
        return words.amount(row.total_minor, row.currency)

    def payment_badge(self, row: Any) -> SafeString:
        summary = words.payment_of_order(
            captured_minor=row.captured_minor,
            refunded_minor=row.refunded_minor,
            promised_minor=row.promised_minor,
        )
        return words.badge(words.PAYMENT_WORDS[summary])

    payment_badge.short_description = _("payment")  # type: ignore[attr-defined]

    def fulfilment_badge(self, row: Any) -> SafeString:
        summary = words.fulfilment_of_order(row, row.shipped_units)
        return words.badge(words.FULFILMENT_WORDS[summary])

    fulfilment_badge.short_description = _("fulfilment")  # type: ignore[attr-defined]

    def items(self, row: Any) -> int:
        return int(row.units)

    def state(self, row: Any) -> str:
        return str(words.STATE_WORDS[order_state(row, row.now)])

    def age(self, row: Any) -> str:
        return words.age(row.group.placed_at, row.now)

    def address(self, request: HttpRequest, order: Order) -> list[str]:
        """Where it goes, as far as who looks has to know; empty where not."""
        return []

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The order's own page. It changes nothing: each act has a page of its own."""
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        order = self.row(request, object_id)
        kinds = past.kinds_of(request)
        offers = partial(self.offered, request, order)
        loaded = load(order_parts(order, self.admin_site.role, kinds, offers))
        state = order_state(order, order.now)
        context = {
            **self.admin_site.each_context(request),
            "title": order.number,
            "opts": self.opts,
            "original": order,
            "order": order,
            "state": words.STATE_WORDS[state],
            "meaning": states.ORDER.state(state).meaning,
            "fulfilment": words.FULFILMENT_WORDS[
                words.fulfilment_of_order(order, order.shipped_units)
            ],
            "email": words.masked(order.group.email),
            "age": words.age(order.group.placed_at, order.now),
            "totals": printed(order, order.currency),
            "terms": terms_of(order),
            "address": self.address(request, order),
            "asked": asked_for(order) if order.cancel_requested_until else [],
            "kinds": past.kind_links(kinds),
            "missing": loaded.missing,
            "loaded": loaded,
            **loaded.values,
            **shown(loaded.values),
            **past.as_of(request, order),
            **(extra_context or {}),
        }
        return TemplateResponse(request, "console/order.html", context)


def waiting_for_merchant(rows: QuerySet[Order], url: str) -> list[Figure]:
    """How many of these orders wait for each step of a merchant, with the list at that address."""
    rows = rows.filter(status__in=words.TO_DO_WORDS)
    counted = rows.aggregate(
        **{state: Count("pk", filter=Q(status=state)) for state in words.TO_DO_WORDS},
        asked=Count("pk", filter=Q(cancel_requested_until__isnull=False)),
    )
    steps = [
        Figure(str(label), counted[state], f"{url}?state={state}")
        for state, label in words.TO_DO_WORDS.items()
    ]
    asked = Figure(str(_("Cancellations to answer")), counted["asked"], f"{url}?asked=cancel")
    return [*steps, asked]


def shown(values: dict[str, Any]) -> dict[str, Any]:
    """What the page makes of the parts that came."""
    told: dict[str, Any] = {}
    if "money" in values:
        told["money"], told["refunds"] = values["money"]
        told["payment"] = words.PAYMENT_WORDS[told["money"].summary]
    offers = values.get("offers", [])
    told["next"] = next((o for o in offers if o["act"].moves_on and not o["act"].is_grave), None)
    return told


def _sum(rows: QuerySet[Any], field: str) -> Coalesce:
    return Coalesce(Subquery(rows.annotate(sum=Sum(field)).values("sum")), 0)


def _by_number(rows: QuerySet[Order], number: str) -> QuerySet[Order]:
    """The order of that number, or those of the group with it, found by the group's index."""
    groups = OrderGroup.objects.filter(number__in=[number, number.rpartition("-")[0]])
    return rows.filter(Q(number=number) | Q(group__number=number), group__in=groups)
