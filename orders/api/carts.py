"""`/carts`: what a shopper puts together, by a shop front's key or from the shopper's browser."""

from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import CART_OF_SESSION, caller
from core.api import (
    ApiView,
    Id,
    MoneyOf,
    Quantity,
    Serializer,
    Time,
    id_from,
    operation,
    parsed,
)
from inventory.selectors import available
from orders.api.access import own_cart
from orders.models import Cart, CartLine
from orders.selectors.basket import basket_lines, line_title
from orders.services.cart import (
    MOST_UNITS_PER_LINE,
    cart_line_add,
    cart_line_remove,
    cart_line_set,
    cart_open,
)

TAG = "carts"


@dataclass(frozen=True, slots=True)
class Line:
    """A line at today's price, with the units that could be had."""

    row: CartLine
    available: int

    @property
    def title(self) -> str:
        """The words that it is sold by."""
        return line_title(self.row)

    @property
    def total_minor(self) -> int:
        """At today's price."""
        return self.row.quantity * self.row.sku.price_minor


@dataclass(frozen=True, slots=True)
class Filled:
    """A cart with its lines."""

    cart: Cart
    lines: list[Line]

    @property
    def items_minor(self) -> int:
        """All goods, without delivery."""
        return sum(line.total_minor for line in self.lines)


class CartLineOut(Serializer):
    """Some units of a SKU; `seen_price` is that of when they were put in."""

    sku_id = Id(source="row.sku_id")
    product_id = Id(source="row.sku.product_id")
    merchant_id = Id(source="row.sku.merchant_id")
    title = serializers.CharField()
    quantity = serializers.IntegerField(source="row.quantity")
    available = serializers.IntegerField()
    for_sale = serializers.BooleanField(source="row.sku.for_sale")
    unit_price = MoneyOf("row.sku.price_minor", currency="row.sku.currency")
    seen_price = MoneyOf("row.seen_price_minor", currency="row.sku.currency")
    total = MoneyOf("total_minor", currency="row.sku.currency")


class CartOut(Serializer):
    """A cart; its currency is that of its first line. `order_group_id` tells that it is ordered."""

    id = Id(source="cart.pk")
    order_group_id = Id(source="cart.placed_group_id", allow_null=True)
    lines = CartLineOut(many=True)
    items = MoneyOf("items_minor", currency="cart.currency", allow_null=True)
    created_at = Time(source="cart.created_at")


class LineIn(Serializer):
    """What goes into a cart."""

    sku_id = Id()
    quantity = Quantity(max_value=MOST_UNITS_PER_LINE)


class QuantityIn(Serializer):
    """How many it shall be."""

    quantity = Quantity(max_value=MOST_UNITS_PER_LINE)


def shown(cart: Cart) -> Any:
    """The cart as it is now; two queries."""
    rows = list(basket_lines(cart))
    stock = available({row.sku_id for row in rows})
    return CartOut(Filled(cart, [Line(row, stock[row.sku_id]) for row in rows])).data


def shown_again(request: Request, cart_id: int) -> Any:
    """The cart after something has changed it."""
    return shown(own_cart(request, cart_id))


class Carts(ApiView):
    """Where a cart begins."""

    scopes = {"POST": "carts:write"}

    @operation("Open a cart", tag=TAG, answer=CartOut, status=201)
    def post(self, request: Request) -> Response:
        """A new cart; a browser has one at a time, and is answered the one that it has."""
        shopper = caller(request).shopper
        cart = None
        if shopper and shopper.cart_token:
            cart = Cart.objects.filter(token=shopper.cart_token, placed_group_id=None).first()
        if cart is None:
            customer = shopper.customer if shopper else None
            cart = cart_open(customer=customer, actor=caller(request).actor)
        if shopper:
            request.session[CART_OF_SESSION] = cart.token
        address = reverse("api:cart", args=[cart.pk])
        return Response(shown(cart), status=201, headers={"Location": address})


class CartDetail(ApiView):
    """One cart."""

    scopes = {"GET": "carts:write"}

    @operation("Get a cart", tag=TAG, answer=CartOut, problems=[404])
    def get(self, request: Request, cart_id: str) -> Response:
        """The cart at today's prices."""
        return Response(shown(own_cart(request, cart_id)))


class CartLines(ApiView):
    """The lines of a cart."""

    scopes = {"POST": "carts:write"}

    @operation(
        "Add units to a cart",
        tag=TAG,
        answer=CartOut,
        status=201,
        body=LineIn,
        problems=[404, 409],
    )
    def post(self, request: Request, cart_id: str) -> Response:
        """Adds units of a SKU, to those that are in the cart already."""
        given = parsed(LineIn, request)
        cart = own_cart(request, cart_id)
        cart_line_add(cart_id=cart.pk, actor=caller(request).actor, **given)
        return Response(shown_again(request, cart.pk), status=201)


class CartLineDetail(ApiView):
    """The line of one SKU."""

    scopes = {"PATCH": "carts:write", "DELETE": "carts:write"}

    @operation(
        "Set the units of a line", tag=TAG, answer=CartOut, body=QuantityIn, problems=[404, 409]
    )
    def patch(self, request: Request, cart_id: str, sku_id: str) -> Response:
        """Sets how many units of the SKU are in the cart."""
        given = parsed(QuantityIn, request)
        cart = own_cart(request, cart_id)
        cart_line_set(cart_id=cart.pk, sku_id=id_from(sku_id), actor=caller(request).actor, **given)
        return Response(shown(cart))

    @operation("Remove a line", tag=TAG, answer=CartOut, problems=[404, 409])
    def delete(self, request: Request, cart_id: str, sku_id: str) -> Response:
        """Takes the SKU out; what is not in the cart is out of it."""
        cart = own_cart(request, cart_id)
        cart_line_remove(cart_id=cart.pk, sku_id=id_from(sku_id), actor=caller(request).actor)
        return Response(shown_again(request, cart.pk))
