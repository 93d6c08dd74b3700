"""All orders and groups, for the platform's staff."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar

from django.contrib.admin import register
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from accounts.consoles import ChoiceFilter, Figure, Menu, PlatformModelAdmin, platform_site
from core import clock
from core.clock import BusinessNow
from core.ids import normalise
from orders import states
from orders.addresses import address_lines
from orders.admin import page, past, words
from orders.admin.acts import CancelGroup
from orders.admin.base import OrderTable, waiting_for_merchant
from orders.admin.notes import NoteOnGroup
from orders.models import Order, OrderGroup
from orders.selectors.shown import group_state, groups_shown, order_state
from orders.selectors.timeline import group_timeline


class GroupStateFilter(ChoiceFilter):
    """Groups in one state."""

    title = _("state")
    parameter_name = "state"
    options: ClassVar = [(name, words.STATE_WORDS[name]) for name in states.GROUP.names]

    def wanted(self, value: str) -> Q:
        return groups_shown(value, clock.now())


@register(OrderGroup, site=platform_site)
class PlatformGroups(PlatformModelAdmin):
    """What shoppers have placed, whoever sells it."""

    acts = (CancelGroup, NoteOnGroup)
    menu = Menu.ORDERS
    icon = "shopping_cart"
    list_display = (
        "number",
        "placed",
        "buyer",
        "total",
        "payment_badge",
        "fulfilment_badge",
        "state",
        "age",
    )
    list_filter = (GroupStateFilter,)
    search_fields = ("number",)
    search_help_text = _("Order number or e-mail address, written in full")

    def get_queryset(self, request: HttpRequest) -> QuerySet[OrderGroup]:
        rows: QuerySet[OrderGroup] = super().get_queryset(request)
        return rows.annotate(now=BusinessNow())

    def found(self, rows: QuerySet[OrderGroup], term: str) -> QuerySet[OrderGroup]:
        if "@" in term:
            return rows.filter(customer__email=term.lower())
        number = normalise(term)
        return rows.filter(number__in=[number, number.rpartition("-")[0]])

    def placed(self, row: OrderGroup) -> str:
        return f"{row.placed_at:%Y-%m-%d %H:%M}"

    def buyer(self, row: OrderGroup) -> str:
        return words.masked(row.email)

    def total(self, row: OrderGroup) -> str:
        return words.amount(row.total_minor, row.currency)

    def payment_badge(self, row: OrderGroup) -> SafeString:
        return words.badge(words.PAYMENT_WORDS[OrderGroup.PaymentSummary(row.payment_summary)])

    payment_badge.short_description = _("payment")  # type: ignore[attr-defined]

    def fulfilment_badge(self, row: OrderGroup) -> SafeString:
        summary = OrderGroup.FulfilmentSummary(row.fulfilment_summary)
        return words.badge(words.FULFILMENT_WORDS[summary])

    fulfilment_badge.short_description = _("fulfilment")  # type: ignore[attr-defined]

    def state(self, row: Any) -> str:
        return str(words.STATE_WORDS[group_state(row, row.now)])

    def age(self, row: Any) -> str:
        return words.age(row.placed_at, row.now)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The group's own page: its orders, its money, all that has happened."""
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        group = self.row(request, object_id)
        kinds = past.kinds_of(request)
        orders = list(group.orders.select_related("merchant").order_by("id"))
        context = {
            **self.admin_site.each_context(request),
            "title": group.number,
            "opts": self.opts,
            "original": group,
            "group": group,
            "state": words.STATE_WORDS[group_state(group, group.now)],
            "payment": words.PAYMENT_WORDS[OrderGroup.PaymentSummary(group.payment_summary)],
            "fulfilment": words.FULFILMENT_WORDS[
                OrderGroup.FulfilmentSummary(group.fulfilment_summary)
            ],
            "buyer": words.masked(group.email),
            "age": words.age(group.placed_at, group.now),
            "orders": [self._part(row, group.now) for row in orders],
            "money": page.money_card(orders, group.currency),
            "refunds": page.refunds_of(orders),
            "payments": page.payments_of(group),
            "timeline": group_timeline(group, kinds),
            "kinds": past.kind_links(kinds),
            **past.as_of(request, group),
            "offers": self.offered(request, group),
        }
        return TemplateResponse(request, "console/group.html", context)

    def _part(self, order: Order, now: datetime) -> dict[str, Any]:
        return {
            "order": order,
            "url": self.row_url(order),
            "state": words.STATE_WORDS[order_state(order, now)],
            "total": words.amount(order.total_minor, order.currency),
        }


@register(Order, site=platform_site)
class PlatformOrders(OrderTable, PlatformModelAdmin):
    """Every merchant's orders."""

    list_display = ("number", "merchant", *OrderTable.list_display[1:])

    def address(self, request: HttpRequest, order: Order) -> list[str]:
        """Where to, not to whom: the platform packs nothing."""
        address = order.group.shipping_address
        return address_lines({name: address.get(name, "") for name in ("city", "country")})


def waiting(request: HttpRequest) -> Iterable[Figure]:
    """Paid orders that have not left, by what they wait for."""
    return waiting_for_merchant(Order.objects.all(), reverse("platform:orders_order_changelist"))


platform_site.figures.insert(0, waiting)
