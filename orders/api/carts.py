"""`/carts`: what a shopper puts together, by a shop front's key or from the shopper's browser."""

from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import CART_OF_SESSION, caller
from accounts.guessing import guessing
from core.api import (
    ApiView,
    Id,
    MoneyOf,
    Quantity,
    Serializer,
    Text,
    Time,
    id_from,
    operation,
    parsed,
)
from core.api.problems import slug
from core.api.schema import FieldError
from inventory.selectors import available
from orders.api.access import own_cart
from orders.models import Cart, CartLine, Voucher
from orders.models.voucher import LONGEST_CODE
from orders.pricing import totals_of
from orders.selectors.basket import basket_lines, basket_prices, line_title
from orders.selectors.voucher import CartVoucher, cart_voucher
from orders.services.cart import (
    MOST_UNITS_PER_LINE,
    cart_line_add,
    cart_line_remove,
    cart_line_set,
    cart_open,
)
from orders.services.voucher import cart_voucher_remove, cart_voucher_set

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
    voucher: CartVoucher | None = None

    @property
    def discount_minor(self) -> int:
        """What its voucher takes off the goods; delivery is priced at the checkout."""
        rows = [line.row for line in self.lines if line.row.sku.for_sale]
        terms = self.voucher.terms if self.voucher else None
        return totals_of(basket_prices(rows, {}, voucher=terms)).discount_minor

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


class CartVoucherOut(Serializer):
    """The voucher of a cart. Where it has a problem it takes nothing off, and nothing is placed."""

    code = serializers.CharField(source="voucher.code")
    kind = serializers.ChoiceField(source="voucher.kind", choices=Voucher.Kind.values)
    problem = serializers.SerializerMethodField()

    @extend_schema_field(FieldError(allow_null=True))
    def get_problem(self, row: CartVoucher) -> dict[str, str] | None:
        if row.problem is None:
            return None
        told = row.problem
        return {"pointer": f"/{told.field}", "code": slug(told.code), "message": told.message}


class CartOut(Serializer):
    """A cart; its currency is that of its first line. `order_group_id` tells that it is ordered."""

    id = Id(source="cart.pk")
    order_group_id = Id(source="cart.placed_group_id", allow_null=True)
    lines = CartLineOut(many=True)
    items = MoneyOf("items_minor", currency="cart.currency", allow_null=True)
    voucher = CartVoucherOut(allow_null=True)
    discount = MoneyOf("discount_minor", currency="cart.currency", allow_null=True)
    created_at = Time(source="cart.created_at")


class LineIn(Serializer):
    """What goes into a cart."""

    sku_id = Id()
    quantity = Quantity(max_value=MOST_UNITS_PER_LINE)


class QuantityIn(Serializer):
    """How many it shall be."""

    quantity = Quantity(max_value=MOST_UNITS_PER_LINE)


class VoucherIn(Serializer):
    """A code as the shopper has it, in small letters or large."""

    code = Text(max_length=LONGEST_CODE)


def shown(cart: Cart) -> Any:
    """The cart as it is now; two queries, and one or two for a voucher."""
    rows = list(basket_lines(cart))
    stock = available({row.sku_id for row in rows})
    lines = [Line(row, stock[row.sku_id]) for row in rows]
    return CartOut(Filled(cart, lines, cart_voucher(rows))).data


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


class CartVouchers(ApiView):
    """The voucher of a cart; it carries one at a time."""

    scopes = {"POST": "carts:write", "DELETE": "carts:write"}

    @operation(
        "Enter a voucher",
        tag=TAG,
        answer=CartOut,
        status=201,
        body=VoucherIn,
        problems=[404, 409, 429],
    )
    def post(self, request: Request, cart_id: str) -> Response:
        """Enters the code, in the place of another; unknown codes can be tried ten times in 5 min."""
        code = parsed(VoucherIn, request)["code"]
        cart, who = own_cart(request, cart_id), caller(request)
        limits = {"voucher": f"cart:{cart.pk}"}
        if who.shopper:  # a program speaks for many shoppers from one address
            limits["voucher_visitor"] = ""
        with guessing(request._request, limits=limits, wrong="voucher.unknown"):  # noqa: SLF001
            cart_voucher_set(cart_id=cart.pk, code=code, actor=who.actor)
        return Response(shown_again(request, cart.pk), status=201)

    @operation("Remove the voucher", tag=TAG, answer=CartOut, problems=[404, 409])
    def delete(self, request: Request, cart_id: str) -> Response:
        """Takes the code out; a cart without one stays as it is."""
        cart = own_cart(request, cart_id)
        cart_voucher_remove(cart_id=cart.pk, actor=caller(request).actor)
        return Response(shown_again(request, cart.pk))
