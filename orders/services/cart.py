"""The cart: goods of several merchants in one currency, for guests and for customers."""

from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor
from accounts.models import Customer
from accounts.services import customer_for_email
from catalog.models import Sku
from core.command import command
from core.errors import Invalid, NotFound
from inventory.selectors import available
from orders.locks import lock_carts, lock_open_cart
from orders.models import Cart, CartLine, CheckoutRecord

MOST_UNITS_PER_LINE = 999
MOST_LINES = 200


@dataclass(frozen=True, slots=True)
class Change:
    """A line that holds fewer units than the shopper wanted."""

    sku: Sku
    before: int
    after: int


@command
def cart_open(*, customer: Customer | None, actor: Actor) -> Cart:
    """The customer's open cart, or a new one; a guest's is always new and found by its token."""
    if customer and (found := _own_carts(customer).first()):
        return found
    return Cart.objects.create(customer=customer, guest=customer is None)


@command
def cart_line_add(*, cart_id: int, sku_id: int, quantity: int, actor: Actor) -> CartLine:
    """Adds units to the cart, to the line that is there if there is one.

    Locks the cart. Raises Invalid `line.quantity`, `line.currency`, `line.unavailable`,
    `cart.full`, NotFound `sku.unknown`, Conflict `cart.placed`.
    """
    cart = lock_open_cart(cart_id)
    sku = _sellable(sku_id)
    _check_quantity(quantity)
    line = CartLine.objects.filter(cart=cart, sku=sku).first()
    total = quantity + (line.quantity if line else 0)
    _check_quantity(total)
    _take_currency(cart, sku)
    if line:
        CartLine.objects.filter(pk=line.pk).update(quantity=total, seen_price_minor=sku.price_minor)
        line.quantity, line.seen_price_minor = total, sku.price_minor
        return line
    if cart.lines.count() >= MOST_LINES:
        raise Invalid("cart.full", _("The basket is full."), most=MOST_LINES)
    return CartLine.objects.create(
        cart=cart, sku=sku, quantity=quantity, seen_price_minor=sku.price_minor
    )


@command
def cart_line_remove(*, cart_id: int, sku_id: int, actor: Actor) -> None:
    """Takes a line out; quiet when it is gone. Locks the cart. Raises Conflict `cart.placed`."""
    cart = lock_open_cart(cart_id)
    CartLine.objects.filter(cart=cart, sku_id=sku_id).delete()
    if not cart.lines.exists():
        Cart.objects.filter(pk=cart.pk).update(currency="")


@command
def cart_line_set(*, cart_id: int, sku_id: int, quantity: int, actor: Actor) -> CartLine:
    """Sets the quantity of a line. Locks the cart. Raises as `cart_line_add`, NotFound `line.unknown`."""
    cart = lock_open_cart(cart_id)
    _check_quantity(quantity)
    if not CartLine.objects.filter(cart=cart, sku_id=sku_id).update(quantity=quantity):
        raise NotFound("line.unknown", _("This is not in the basket."), sku_id=str(sku_id))
    return CartLine.objects.get(cart=cart, sku_id=sku_id)


@command
def cart_settle(*, cart_id: int, actor: Actor) -> list[Change]:
    """Takes the shop as it is now: today's prices are the ones seen, and no line has more units
    than there are. What can't be had at all stays, for the shopper to take out.

    Answers the lines whose quantity was cut. Locks the cart. Raises Conflict `cart.placed`.
    """
    cart = lock_open_cart(cart_id)
    lines = list(cart.lines.select_related("sku__product").order_by("pk"))
    stock = available([line.sku_id for line in lines])
    changes = []
    for line in lines:
        most = stock[line.sku_id] or line.quantity
        if line.quantity > most:
            changes.append(Change(line.sku, line.quantity, most))
        line.quantity = min(line.quantity, most)
        line.seen_price_minor = line.sku.price_minor
    CartLine.objects.bulk_update(lines, ["quantity", "seen_price_minor"])
    return changes


@command
def cart_identify(*, cart_id: int, email: str, name: str, actor: Actor) -> Cart:
    """Says whose cart it is: the customer of that e-mail, new or known. Locks the cart.

    Gives no access to anything that the customer has: it routes, it never authorises. A cart that
    is given another customer is a guest's from then on.
    """
    cart = lock_open_cart(cart_id)
    customer = customer_for_email(email=email, name=name)
    cart.guest = cart.guest or cart.customer_id != customer.pk
    cart.customer = customer
    Cart.objects.filter(pk=cart.pk).update(customer=customer, guest=cart.guest)
    return cart


@command
def cart_merge(*, guest_cart_id: int, customer: Customer, actor: Actor) -> Cart:
    """At login: puts a guest's goods into the customer's cart; the greater quantity of a SKU wins.

    What the guest answered at the checkout stays, but for another e-mail address: from now on the
    order is the login's. So does the guest's voucher, where the customer's cart has none. Goods in another currency than the customer's cart stay behind with their
    cart. Locks both carts by id. Answers the customer's cart.
    """
    own = _own_carts(customer).exclude(pk=guest_cart_id).first()
    carts = lock_carts([guest_cart_id] + ([own.pk] if own else []))
    guest = carts.get(guest_cart_id)
    theirs = guest and (guest.guest or guest.customer_id == customer.pk)
    if guest is None or guest.placed_group_id or not theirs:
        raise NotFound("cart.unknown", _("There is no such basket."), cart_id=str(guest_cart_id))
    if own is None:
        Cart.objects.filter(pk=guest.pk).update(customer=customer, guest=False)
        typed = CheckoutRecord.objects.filter(cart=guest).exclude(email=customer.email)
        typed.update(email="")
        guest.customer, guest.guest = customer, False
        return guest
    own = carts[own.pk]
    if not own.currency or own.currency == guest.currency:
        _move_lines(guest, own)
    return own


def _own_carts(customer: Customer) -> QuerySet[Cart]:
    """The customer's open carts, the newest first; not those of guests who named the address."""
    return Cart.objects.filter(customer=customer, guest=False, placed_group_id=None).order_by("-pk")


def _move_lines(source: Cart, target: Cart) -> None:
    known = {line.sku_id: line for line in target.lines.all()}
    for line in source.lines.all():
        if line.sku_id not in known:
            CartLine.objects.filter(pk=line.pk).update(cart=target)
        elif line.quantity > known[line.sku_id].quantity:
            CartLine.objects.filter(pk=known[line.sku_id].pk).update(quantity=line.quantity)
    source.lines.all().delete()
    Cart.objects.filter(pk=target.pk).update(
        currency=target.currency or source.currency,
        voucher=target.voucher_id or source.voucher_id,
    )
    Cart.objects.filter(pk=source.pk).update(currency="")


def _check_quantity(quantity: Any) -> None:
    if not isinstance(quantity, int) or not 1 <= quantity <= MOST_UNITS_PER_LINE:
        raise Invalid(
            "line.quantity",
            _("Enter a whole number of units from 1 to %(most)s.") % {"most": MOST_UNITS_PER_LINE},
            quantity=str(quantity),
            most=MOST_UNITS_PER_LINE,
        )


def _sellable(sku_id: int) -> Sku:
    sku = Sku.objects.select_related("product", "merchant").filter(pk=sku_id).first()
    if sku is None:
        raise NotFound("sku.unknown", _("There is no such article."), sku_id=str(sku_id))
    if not sku.for_sale:
        raise Invalid("line.unavailable", _("This is not on sale."), sku_id=str(sku_id))
    return sku


def _take_currency(cart: Cart, sku: Sku) -> None:
    """The first line decides the cart's currency."""
    if not cart.currency:
        Cart.objects.filter(pk=cart.pk).update(currency=sku.currency)
        cart.currency = sku.currency
    elif cart.currency != sku.currency:
        raise Invalid(
            "line.currency",
            _(
                "This is sold in %(currency)s, and your basket is in %(cart_currency)s."
                " Order what is in your basket first, or take it out."
            )
            % {"currency": sku.currency, "cart_currency": cart.currency},
            currency=sku.currency,
            cart_currency=cart.currency,
        )
