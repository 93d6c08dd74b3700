"""Placing: a cart becomes an order group with one order per merchant, its stock held.

The whole forward story of creation from top to bottom: lock, read, refuse early, compute, collect
every row in one `Write`, hold the stock by the same statement, commit. A constant number of round
trips, whatever the number of lines and merchants.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor
from accounts.models import Customer
from core.command import command
from core.errors import Conflict, Invalid
from core.fsm import start
from core.ids import Channel, gene_of, number_for, number_of_order
from core.locks import require_locked
from core.write import Write
from delivery.services import Quote, quote
from inventory.selectors import StockOption, stock_for
from inventory.services import Want, require_stock, stock_reserve
from orders.locks import lock_cart
from orders.models import Cart, CartLine, Order, OrderGroup, OrderLine
from orders.models.order import MOST_EXTENSIONS
from orders.pricing import OrderPrice, Price, totals_of
from orders.selectors.basket import (
    basket_lines,
    basket_prices,
    line_title,
    lines_by_merchant,
    parcels_of,
)
from orders.services.voucher import voucher_require, voucher_take
from payments.services.collect import Share, payment_open

DEFAULT_MINUTES_TO_PAY = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """What the shopper has decided: where to, by which methods, and the total that they saw.

    `token` makes a repeated submit find the group that the first one made. `delivery_methods` maps
    a merchant to the chosen method; a merchant left out gets its first. `expected_currency` is that
    of the total, '' where the shopper was told none. `session_key` names the visit, for figures
    alone.
    """

    token: str
    expected_total_minor: int
    expected_currency: str = ""
    shipping_address: dict[str, str]
    delivery_methods: Mapping[int, int] = field(default_factory=dict)
    channel: Channel = Channel.WEB
    session_key: str = ""


@dataclass(frozen=True, slots=True)
class Basket:
    """All that placing reads, after the cart's lock."""

    cart: Cart
    customer: Customer
    moment: datetime
    lines: list[CartLine]
    stock: dict[int, StockOption]
    quotes: dict[int, Quote]


def order_group_place(*, cart_id: int, checkout: Checkout, actor: Actor) -> OrderGroup:
    """Places a cart; the same checkout token gives the same group, however often it is sent.

    Prices and delivery are computed anew and must meet the total that the shopper saw. Stock of all
    lines is held, and the cart's voucher used, or nothing is done.
    Locks the cart, its voucher, at the end the stock rows in id order.
    Emits `order_group.placed`, `order.placed` per order, `payment.opened`.
    Raises Conflict `stock.insufficient`, `price.changed`, `cart.placed`; Invalid `cart.empty`,
    `cart.no_customer`, `order.nothing_to_pay`, `line.unavailable`, those of
    `delivery.services.quote`; of a voucher those of `cart_voucher_set`.
    """
    try:
        return _place(cart_id=cart_id, checkout=checkout, actor=actor)
    except IntegrityError as error:  # a token that another cart was placed with
        if "orders_group_checkout_token" not in str(error):
            raise
        raise Conflict("checkout.token_used", _("This checkout has been completed.")) from error


@command
def _place(*, cart_id: int, checkout: Checkout, actor: Actor) -> OrderGroup:
    return group_place(cart=lock_cart(cart_id), checkout=checkout, actor=actor)


def group_place(
    *,
    cart: Cart,
    checkout: Checkout,
    actor: Actor,
    customer: Customer | None = None,
) -> OrderGroup:
    """The same for a cart that is locked, ordered by `customer` where one is given. Part of a service.

    The stock is held by its last statement: the caller commits at once.
    """
    require_locked(cart)
    if cart.placed_group_id:
        return _placed_before(cart.placed_group_id, checkout)
    basket = _read(cart, checkout, customer)
    voucher = voucher_require(cart=cart, customer=basket.customer, lines=basket.lines)
    terms = voucher.terms if voucher else None
    prices = basket_prices(basket.lines, basket.quotes, voucher=terms)
    _check_total(prices, basket.cart.currency, checkout)
    group, orders, lines = _build(basket, prices, checkout)

    write = Write()
    if voucher:
        voucher_take(voucher=voucher, group=group, at=basket.moment, write=write)
    write.update(cart, placed_group_id=group.id, customer_id=group.customer_id)
    start([group], verb="place", actor=actor, at=basket.moment, write=write)
    start(orders, verb="place", actor=actor, at=basket.moment, write=write)
    write.insert(*lines)
    payment_open(
        reference=group.id,
        shard_key=group.shard_key,
        currency=group.currency,
        amount_minor=group.total_minor,
        shares=[Share(order.id, order.merchant_id, order.total_minor) for order in orders],
        actor=actor,
        at=basket.moment,
        write=write,
    )
    wants = [_want(line, basket.stock[line.sku_id]) for line in lines]
    stock_reserve(wants=wants, actor=actor, at=basket.moment, write=write)
    require_stock(wants=wants, short=write.run())
    return group


def _placed_before(group_id: int, checkout: Checkout) -> OrderGroup:
    group = OrderGroup.objects.get(pk=group_id, shard_key=gene_of(group_id))
    if group.checkout_token != checkout.token:
        raise Conflict("cart.placed", _("This basket has been ordered."), number=group.number)
    return group


def _read(cart: Cart, checkout: Checkout, customer: Customer | None) -> Basket:
    """Reads lines, stock and delivery, and refuses what can't be sold."""
    if customer is None and cart.customer_id is None:
        raise Invalid("cart.no_customer", _("Say who is ordering."))
    lines = list(basket_lines(cart, checkout.shipping_address))
    if not lines:
        raise Invalid("cart.empty", _("The basket is empty."))
    buyer = customer or lines[0].cart.customer
    assert buyer is not None
    stock = stock_for([line.sku_id for line in lines])
    _refuse_unavailable(lines, stock)
    moment: datetime = lines[0].moment  # type: ignore[attr-defined]
    parcels = parcels_of(lines, cart.currency, checkout.delivery_methods)
    quotes = quote(cart_id=cart.pk, parcels=parcels, at=moment)
    return Basket(cart, buyer, moment, lines, stock, quotes)


def _refuse_unavailable(lines: list[CartLine], stock: Mapping[int, Any]) -> None:
    gone = [line for line in lines if not line.sku.for_sale]
    if gone:
        raise Invalid(
            "line.unavailable",
            _("Some articles are no longer on sale."),
            lines=[{"sku_id": str(line.sku_id)} for line in gone],
        )
    without = [line for line in lines if line.sku_id not in stock]
    if without:
        raise Conflict(
            "stock.insufficient",
            _("Some articles are not in stock."),
            lines=[
                {"sku_id": str(line.sku_id), "requested": line.quantity, "available": 0}
                for line in without
            ],
        )


def _check_total(prices: list[OrderPrice], currency: str, checkout: Checkout) -> None:
    total_minor = totals_of(prices).total_minor
    if not total_minor:
        raise Invalid("order.nothing_to_pay", _("A discount can't pay for all of an order."))
    is_told = checkout.expected_currency in ("", currency)
    if not is_told or total_minor != checkout.expected_total_minor:
        raise Conflict(
            "price.changed",
            _("The price has changed. Look at the new total before you order."),
            expected_total_minor=checkout.expected_total_minor,
            total_minor=total_minor,
        )


def _build(
    basket: Basket, prices: list[OrderPrice], checkout: Checkout
) -> tuple[OrderGroup, list[Order], list[OrderLine]]:
    """The unsaved rows: snapshots of words and prices, so that nothing later can change them."""
    group = _build_group(basket, prices, checkout)
    orders: list[Order] = []
    lines: list[OrderLine] = []
    parts = lines_by_merchant(basket.lines)
    for position, price in enumerate(prices, start=1):
        order = _build_order(group, position, price, basket, parts[price.merchant_id][0])
        orders.append(order)
        pairs = zip(parts[price.merchant_id], price.lines, strict=True)
        lines.extend(_build_line(order, line, cost) for line, cost in pairs)
    return group, orders, lines


def _build_group(basket: Basket, prices: list[OrderPrice], checkout: Checkout) -> OrderGroup:
    totals = totals_of(prices)
    group = OrderGroup.build(
        basket.customer.shard_key,
        checkout_token=checkout.token,
        customer=basket.customer,
        cart_id=basket.cart.pk,
        email=basket.customer.email,
        language=get_language() or "en",
        session_key=checkout.session_key,
        shipping_address=checkout.shipping_address,
        currency=basket.cart.currency,
        items_minor=totals.items_minor,
        delivery_minor=totals.delivery_minor,
        discount_minor=totals.discount_minor,
        tax_minor=totals.tax_minor,
        added_tax_minor=totals.added_tax_minor,
        total_minor=totals.total_minor,
        placed_at=basket.moment,
        pay_before=basket.moment + timedelta(minutes=_minutes_to_pay(basket.lines)),
        extensions_left=0 if _is_flash_sale(basket.lines) else MOST_EXTENSIONS,
    )
    group.number = number_for(group.id, checkout.channel)
    return group


def _minutes_to_pay(lines: list[CartLine]) -> int:
    """The shortest of what the merchants and the products ask; 30 minutes if none says."""
    asked = [line.sku.merchant.pay_within_minutes for line in lines]
    asked += [line.sku.product.pay_within_minutes for line in lines]
    return min((minutes for minutes in asked if minutes), default=DEFAULT_MINUTES_TO_PAY)


def _is_flash_sale(lines: list[CartLine]) -> bool:
    """True where a product asks for a shorter time of its own: nobody can be given more of it."""
    return any(line.sku.product.is_flash_sale for line in lines)


def _build_order(
    group: OrderGroup, position: int, price: OrderPrice, basket: Basket, line: CartLine
) -> Order:
    merchant, quoted = line.sku.merchant, basket.quotes[price.merchant_id]
    return Order.build(
        group.shard_key,
        group=group,
        merchant=merchant,
        number=number_of_order(group.number, position),
        currency=group.currency,
        items_minor=price.items_minor,
        delivery_minor=price.delivery_minor,
        delivery_discount_minor=price.delivery.discount_minor,
        delivery_tax_ppm=price.delivery.tax_ppm,
        delivery_tax_minor=price.delivery.tax_minor,
        discount_minor=price.discount_minor,
        subsidy_minor=price.subsidy_minor,
        tax_minor=price.tax_minor,
        added_tax_minor=price.added_tax_minor,
        total_minor=price.total_minor,
        commission_basis_points=merchant.commission_basis_points,
        commission_minor=price.commission_minor,
        commission_tax_minor=price.commission_tax_minor,
        delivery_method_id=quoted.method_id,
        delivery_name=quoted.name,
        return_window_days=merchant.return_window_days,
    )


def _build_line(order: Order, line: CartLine, price: Price) -> OrderLine:
    sku = line.sku
    return OrderLine.build(
        order.shard_key,
        order=order,
        sku=sku,
        sku_code=sku.code,
        title=line_title(line),
        quantity=line.quantity,
        unit_price_minor=sku.price_minor,
        total_minor=price.total_minor,
        discount_minor=price.discount_minor,
        tax_ppm=price.tax_ppm,
        tax_minor=price.tax_minor,
        added_tax_minor=price.added_tax_minor,
    )


def _want(line: OrderLine, option: StockOption) -> Want:
    return Want(
        reference=line.id,
        sku_id=line.sku_id,
        stock_item_id=option.stock_item_id,
        shard_key=option.shard_key,
        quantity=line.quantity,
    )
