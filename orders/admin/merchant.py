"""The merchant's own orders."""

from collections.abc import Iterable

from django.contrib.admin import register
from django.http import HttpRequest
from django.urls import reverse

from accounts.consoles import Figure, TenantModelAdmin, member_of, merchant_site
from accounts.permissions import own, sees_address
from orders.addresses import address_lines
from orders.admin.base import OPEN, OrderTable, waiting_for_merchant
from orders.models import Order


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
    rows = own(Order.objects.all(), actor=merchant_site.actor(request))
    return waiting_for_merchant(rows, reverse("merchant:orders_order_changelist"))


merchant_site.figures.append(to_do)
