"""Back into the basket: what an order that came to nothing had in it, as far as it can be had."""

from collections.abc import Collection
from dataclasses import dataclass

from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor
from catalog.models import Sku
from core.command import command
from core.errors import Conflict, NotFound
from core.ids import gene_of
from inventory.selectors import available
from orders import states
from orders.locks import lock_open_cart
from orders.models import Cart, CartLine, OrderGroup, OrderLine, VoucherUse
from orders.sentences import Problem, amount


@dataclass(frozen=True, slots=True)
class Refill:
    """The cart that was filled, and what is not as it was ordered."""

    cart: Cart
    problems: list[Problem]


@command
def cart_refill(*, group_id: int, cart_id: int | None, actor: Actor) -> Refill:
    """Puts the units of an expired or cancelled group into the cart, a guest's new one without it.

    Only what is for sale and in stock, at today's price, each difference told; doing it twice adds
    nothing, for the greater quantity of a SKU stands. The group's voucher comes along, unless the
    cart has one: whether it still holds is the basket's to say.
    Locks the cart. Raises NotFound `order_group.unknown`, `cart.unknown`, Conflict `cart.placed`,
    `state.conflict` for a group that is still alive.
    """
    cart = lock_open_cart(cart_id) if cart_id else Cart.objects.create()
    group = _group(group_id)
    lines = OrderLine.objects.filter(order__group=group, shard_key=group.shard_key)
    wanted = {line: _wanted(group, line) for line in lines}
    ordered = [line for line in wanted if wanted[line]]
    skus = Sku.objects.select_related("product", "merchant").in_bulk(
        [line.sku_id for line in ordered]
    )
    left = available(skus.keys())
    known = {line.sku_id: line for line in cart.lines.all()}
    currency = cart.currency if known else ""
    problems: list[Problem] = []
    found = []
    for line in ordered:
        sku = skus[line.sku_id]
        currency = currency or sku.currency
        quantity = _quantity(line, wanted[line], sku, left[sku.pk], currency, problems)
        if quantity:
            kept = known[sku.pk].quantity if sku.pk in known else 0
            found.append(_line(cart, sku, max(kept, quantity)))
    _put(cart, currency, found)
    _bring_voucher(cart, group)
    return Refill(cart, problems)


def _group(group_id: int) -> OrderGroup:
    group = OrderGroup.objects.filter(pk=group_id, shard_key=gene_of(group_id)).first()
    if group is None:
        raise NotFound("order_group.unknown", _("There is no such order."), id=str(group_id))
    if group.status not in states.GROUP.in_chapter("ended"):
        raise Conflict(
            "state.conflict",
            _("This order is not over."),
            noun="order_group",
            id=str(group_id),
            state=group.status,
            verb="refill",
        )
    return group


def _wanted(group: OrderGroup, line: OrderLine) -> int:
    """Units that the shopper called off before the time was over are not wanted back."""
    return line.open_quantity if group.status == states.EXPIRED else line.quantity


def _quantity(
    line: OrderLine,
    wanted: int,
    sku: Sku,
    left: int,
    currency: str,
    problems: list[Problem],
) -> int:
    """How many units of an ordered line can be had now; notes what is not as it was."""
    facts = {"item": line.title}
    if sku.currency != currency:
        problems.append(Problem("line.other_currency", "", facts))
        return 0
    if not sku.for_sale or left < 1:
        problems.append(Problem("refill.gone", "", facts))
        return 0
    if left < wanted:
        numbers = {"left": str(left), "old": str(wanted)}
        problems.append(Problem("refill.short", "", facts | numbers))
    if sku.price_minor != line.unit_price_minor:
        old = amount(line.unit_price_minor, sku.currency)
        new = amount(sku.price_minor, sku.currency)
        problems.append(Problem("refill.price_changed", "", facts | {"old": old, "new": new}))
    return min(left, wanted)


def _line(cart: Cart, sku: Sku, quantity: int) -> CartLine:
    return CartLine(cart=cart, sku=sku, quantity=quantity, seen_price_minor=sku.price_minor)


def _put(cart: Cart, currency: str, lines: Collection[CartLine]) -> None:
    if lines:
        CartLine.objects.bulk_create(
            lines,
            update_conflicts=True,
            unique_fields=["cart", "sku"],
            update_fields=["quantity", "seen_price_minor"],
        )
        Cart.objects.filter(pk=cart.pk).update(currency=currency)
        cart.currency = currency


def _bring_voucher(cart: Cart, group: OrderGroup) -> None:
    if cart.voucher_id is None and group.discount_minor:
        use = VoucherUse.objects.get(group=group, shard_key=group.shard_key)
        Cart.objects.filter(pk=cart.pk).update(voucher=use.voucher_id)
        cart.voucher_id = use.voucher_id
