"""Which rows a caller sees: a shop front's key all, a merchant's its own, a browser its shopper's.

What a caller may not see is answered like what is not there.
"""

from typing import TypeVar

from django.db.models import Model, Q, QuerySet
from rest_framework.request import Request

from accounts.api import caller
from accounts.permissions import PLATFORM, own
from core.api import id_from, not_found
from core.ids import gene_of
from orders.models import Cart, CheckoutRecord, Order, OrderGroup

M = TypeVar("M", bound=Model)


def own_cart(request: Request, cart_id: str | int) -> Cart:
    """The caller's cart. Raises NotFound."""
    return _only(_carts(request).filter(pk=_number(cart_id)))


def own_checkout(request: Request, checkout_id: str) -> CheckoutRecord:
    """The record of the caller's cart, with the cart. Raises NotFound."""
    records = CheckoutRecord.objects.filter(pk=id_from(checkout_id)).select_related("cart")
    return _only(records.filter(cart__in=_carts(request)))


def own_groups(request: Request) -> QuerySet[OrderGroup]:
    """The groups that the caller sees."""
    groups, shopper = OrderGroup.objects.all(), caller(request).shopper
    if shopper is None:
        return _of_platform(groups, request)
    # Read first: beside an OR, an inner query would be tried on every group that there is.
    carts = Cart.objects.filter(token=shopper.cart_token, placed_group_id__isnull=False)
    mine = Q(pk__in=list(carts.values_list("placed_group_id", flat=True)))
    return groups.filter(mine | Q(customer=shopper.customer) if shopper.customer else mine)


def own_group(request: Request, group_id: str | int) -> OrderGroup:
    """The caller's group. Raises NotFound."""
    number = _number(group_id)
    return _only(own_groups(request).filter(pk=number, shard_key=gene_of(number)))


def own_orders(request: Request) -> QuerySet[Order]:
    """The orders that the caller sees, with their groups."""
    return own(Order.objects.select_related("group"), actor=caller(request).actor)


def own_order(request: Request, order_id: str | int) -> Order:
    """The caller's order. Raises NotFound."""
    number = _number(order_id)
    return _only(own_orders(request).filter(pk=number, shard_key=gene_of(number)))


def _carts(request: Request) -> QuerySet[Cart]:
    shopper = caller(request).shopper
    if shopper is None:
        return _of_platform(Cart.objects.all(), request)
    mine = Q(token=shopper.cart_token)
    if shopper.customer:
        mine |= Q(customer=shopper.customer, guest=False)
    return Cart.objects.filter(mine)


def _of_platform(rows: QuerySet[M], request: Request) -> QuerySet[M]:
    """All rows for the platform's programs, none for a merchant's."""
    return rows if caller(request).actor.role in PLATFORM else rows.none()


def _number(given: str | int) -> int:
    return id_from(given) if isinstance(given, str) else given


def _only(rows: QuerySet[M]) -> M:
    for row in rows:
        return row
    raise not_found()
