"""The merchant's own orders."""

from collections.abc import Iterable

from django.contrib.admin import register
from django.db.models import Count, Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts.consoles import Figure, TenantModelAdmin, member_of, merchant_site
from accounts.permissions import own, sees_address
from orders import states
from orders.addresses import address_lines
from orders.admin.base import OPEN, OrderTable
from orders.models import Order

TO_DO = {
    states.PAID: _("To acknowledge"),
    states.ACKNOWLEDGED: _("To pack"),
    states.PACKING: _("To ship"),
}


@register(Order, site=merchant_site)
class MerchantOrders(OrderTable, TenantModelAdmin):
    """What was bought of the merchant that one works for."""

    def address(self, request: HttpRequest, order: Order) -> list[str]:
        member = member_of(request)
        if member is None or not sees_address(member, is_open=order.status in OPEN):
            return []
        address = order.group.shipping_address
        return [*address_lines(address), *filter(None, [address.get("phone")])]


def to_do(request: HttpRequest) -> Iterable[Figure]:
    """Orders that wait for the merchant, by what they wait for."""
    rows = own(Order.objects.filter(status__in=TO_DO), actor=merchant_site.actor(request))
    counted = rows.aggregate(
        **{state: Count("pk", filter=Q(status=state)) for state in TO_DO},
        asked=Count("pk", filter=Q(cancel_requested_until__isnull=False)),
    )
    page = reverse("merchant:orders_order_changelist")
    asked = Figure(str(_("Cancellations to answer")), counted["asked"], f"{page}?asked=cancel")
    return [
        *(
            Figure(str(label), counted[state], f"{page}?state={state}")
            for state, label in TO_DO.items()
        ),
        asked,
    ]


merchant_site.figures.append(to_do)
