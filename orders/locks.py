"""The global lock order, and the locks on the story's own rows.

    cart → group → orders by id → cancel requests → payments → attempts → captures → refunds
    → chargebacks → transfers by hand → lines of statements → store credit → differences → shipments
    → returns → vouchers → merchants → statements → payouts → reservations (each by id)
    → outbox streams
    → stock rows by id, last, and then commit

Everyone takes what they need in this order and skips what they do not need. `payments/locks.py`,
`delivery/locks.py` and `inventory/locks.py` hold the locks of the capabilities.
"""

from collections.abc import Collection, Sequence

from django.utils.translation import gettext_lazy as _

from core.errors import Conflict, NotFound
from core.ids import gene_of
from core.locks import locked
from orders import states
from orders.models import CancelRequest, Cart, Order, OrderGroup, Voucher, VoucherUse


def lock_cart(cart_id: int) -> Cart:
    """The cart, locked. Raises NotFound."""
    for cart in locked(Cart.objects.filter(pk=cart_id)):
        return cart
    raise NotFound("cart.unknown", _("There is no such basket."), cart_id=str(cart_id))


def lock_open_cart(cart_id: int) -> Cart:
    """The cart, locked, while it can still change. Raises NotFound, Conflict `cart.placed`."""
    cart = lock_cart(cart_id)
    if cart.placed_group_id:
        raise Conflict("cart.placed", _("This basket has been ordered."), cart_id=str(cart_id))
    return cart


def lock_cart_of_checkout(token: str) -> Cart:
    """The cart whose checkout has that token, locked. Raises NotFound."""
    carts = Cart.objects.filter(checkout__token=token)
    for cart in locked(carts) if token.isprintable() else []:  # no NUL reaches the database
        return cart
    raise NotFound("checkout.unknown", _("There is no such checkout."))


def lock_carts(cart_ids: list[int]) -> dict[int, Cart]:
    """Several carts, locked in the order of their ids."""
    return {cart.pk: cart for cart in locked(Cart.objects.filter(pk__in=cart_ids))}


def lock_group(group_id: int) -> OrderGroup:
    """The group, locked. Raises NotFound."""
    shard_key = gene_of(group_id)
    for group in locked(OrderGroup.objects.filter(pk=group_id, shard_key=shard_key)):
        return group
    raise NotFound("order_group.unknown", _("There is no such order."), id=str(group_id))


def lock_group_with_orders(group_id: int) -> tuple[OrderGroup, list[Order]]:
    """The group, then all its orders by id, locked."""
    group = lock_group(group_id)
    return group, locked(Order.objects.filter(group=group, shard_key=group.shard_key))


def lock_pending_groups(group_ids: Collection[int]) -> list[OrderGroup]:
    """Those of the groups that wait for their money and that nobody else holds, locked."""
    rows = OrderGroup.objects.filter(
        pk__in=group_ids,
        shard_key__in={gene_of(id_) for id_ in group_ids},
        status=states.PENDING_PAYMENT,
    )
    return locked(rows, skip_locked=True)


def lock_orders_of(groups: Collection[OrderGroup]) -> list[Order]:
    """All orders of locked groups, locked by id."""
    shard_keys = {group.shard_key for group in groups}
    return locked(Order.objects.filter(group__in=groups, shard_key__in=shard_keys))


def lock_order(order_id: int) -> tuple[OrderGroup, Order]:
    """An order behind its group, both locked. Raises NotFound."""
    shard_key = gene_of(order_id)
    order = Order.objects.filter(pk=order_id, shard_key=shard_key).first()
    if order is None:
        raise NotFound("order.unknown", _("There is no such order."), id=str(order_id))
    group = lock_group(order.group_id)
    [order] = locked(Order.objects.filter(pk=order_id, shard_key=shard_key))
    return group, order


def lock_open_requests(orders: Sequence[Order]) -> list[CancelRequest]:
    """The buyers' open requests to cancel these locked orders, locked."""
    asked = [order for order in orders if order.cancel_requested_until]
    if not asked:
        return []
    shard_keys = {order.shard_key for order in asked}
    rows = CancelRequest.objects.filter(order__in=asked, shard_key__in=shard_keys)
    return locked(rows.filter(status=states.REQUESTED))


def lock_cancel_request(request_id: int) -> tuple[OrderGroup, Order, CancelRequest]:
    """A buyer's request behind its order and group, all locked. Raises NotFound."""
    rows = CancelRequest.objects.filter(pk=request_id, shard_key=gene_of(request_id))
    for order_id in rows.values_list("order_id", flat=True):
        group, order = lock_order(order_id)
        [request] = locked(rows)
        request.order = order
        return group, order, request
    raise NotFound("cancel_request.unknown", _("There is no such request."), id=str(request_id))


def lock_voucher(voucher_id: int) -> Voucher:
    """The voucher, locked: from here to the commit nobody else uses it. Raises NotFound."""
    for voucher in locked(Voucher.objects.filter(pk=voucher_id)):
        return voucher
    raise NotFound("voucher.unknown", _("There is no such voucher."), id=str(voucher_id))


def lock_vouchers_of(groups: Collection[OrderGroup]) -> list[Voucher]:
    """The vouchers that these locked groups carry, or have carried, locked by id.

    Asks nothing where none of them was given a discount.
    """
    given = [group for group in groups if group.discount_minor]
    if not given:
        return []
    shard_keys = {group.shard_key for group in given}
    uses = VoucherUse.objects.filter(group__in=given, shard_key__in=shard_keys)
    return locked(Voucher.objects.filter(pk__in=uses.values("voucher_id")))
