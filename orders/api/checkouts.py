"""`/checkouts`: from a cart to an order group, answer by answer, then all at once."""

from collections.abc import Callable, Iterator
from typing import Any

from django.urls import reverse
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import caller
from accounts.models import User
from core.api import (
    ApiView,
    Id,
    MoneyAmount,
    MoneyOf,
    Serializer,
    Text,
    operation,
    parsed,
)
from core.api.problems import slug
from core.api.schema import FieldError
from core.ids import Channel
from orders.addresses import FIELDS, LONGEST, problems_of
from orders.api.access import own_cart, own_checkout
from orders.api.order_groups import OrderGroupOut, shown_groups
from orders.models import CheckoutRecord, OrderGroup
from orders.selectors.checkout import CheckoutView, Part, answers_of, checkout_view
from orders.sentences import Problem
from orders.services.checkout import checkout_complete, checkout_open, checkout_update

TAG = "checkouts"
MOST_MERCHANTS = 200
# What the shopper should know, but what does not keep the order from being placed.
NOTICES = frozenset({"line.price_changed"})


class WayOut(Serializer):
    """A way of delivery."""

    method_id = Id()
    name = serializers.CharField()
    price = MoneyAmount()


class CheckoutPartOut(Serializer):
    """One merchant's part: how it can be delivered, and how it will be."""

    merchant_id = Id(source="merchant.pk")
    items = MoneyOf("goods_minor")
    delivery_options = serializers.SerializerMethodField()
    method_id = serializers.SerializerMethodField()

    @extend_schema_field(WayOut(many=True))
    def get_delivery_options(self, part: Part) -> Any:
        return [
            {
                "method_id": str(way.method_id),
                "name": way.name,
                "price": {"amount": way.amount_minor, "currency": part.currency},
            }
            for way in part.ways
        ]

    @extend_schema_field(Id(allow_null=True))
    def get_method_id(self, part: Part) -> str | None:
        return str(part.chosen.method_id) if part.chosen else None


class CheckoutOut(Serializer):
    """What has been answered, what it costs now, and what still stands in the way."""

    id = Id(source="record.pk")
    cart_id = Id(source="record.cart_id")
    order_group_id = Id(source="record.cart.placed_group_id", allow_null=True)
    email = serializers.CharField(source="record.email")
    name = serializers.CharField(source="record.name")
    phone = serializers.CharField(source="record.phone")
    line1 = serializers.CharField(source="record.address.line1", default="")
    line2 = serializers.CharField(source="record.address.line2", default="")
    city = serializers.CharField(source="record.address.city", default="")
    region = serializers.CharField(source="record.address.region", default="")
    postcode = serializers.CharField(source="record.address.postcode", default="")
    country = serializers.CharField(source="record.address.country", default="")
    parts = CheckoutPartOut(many=True)
    items = MoneyOf("totals.items_minor", allow_null=True)
    delivery = MoneyOf("totals.delivery_minor", allow_null=True)
    discount = MoneyOf("totals.discount_minor", allow_null=True)
    tax = MoneyOf("totals.tax_minor", allow_null=True)
    tax_added = MoneyOf("totals.added_tax_minor", allow_null=True)
    total = MoneyOf("total_minor", allow_null=True)
    problems = serializers.SerializerMethodField()
    can_complete = serializers.SerializerMethodField()

    @extend_schema_field(FieldError(many=True))
    def get_problems(self, view: CheckoutView) -> list[dict[str, str]]:
        return [
            {"pointer": f"/{told.field}", "code": slug(told.code), "message": told.message}
            for told in _problems(view)
        ]

    def get_can_complete(self, view: CheckoutView) -> bool:
        return bool(view.parts) and all(told.code in NOTICES for told in _problems(view))


def _problems(view: CheckoutView) -> Iterator[Problem]:
    yield from problems_of(answers_of(view.record))
    for part in view.parts:
        yield from (line.problem for line in part.lines if line.problem)
        if part.chosen is None:
            code = "delivery.none_selected" if part.ways else "delivery.unavailable"
            facts = {"merchant": part.merchant.name}
            yield Problem(code, f"delivery_{part.merchant.pk}", facts)
    if view.voucher and view.voucher.problem:
        yield view.voucher.problem


class CheckoutIn(Serializer):
    """Whose way to an order begins."""

    cart_id = Id()


class ChoiceIn(Serializer):
    """How one merchant shall deliver."""

    merchant_id = Id()
    method_id = Id()


class AnswersIn(Serializer):
    """Some answers; what is not given stays as it was."""

    email = Text(required=False, allow_blank=True, max_length=LONGEST["email"])
    name = Text(required=False, allow_blank=True, max_length=LONGEST["name"])
    phone = Text(required=False, allow_blank=True, max_length=LONGEST["phone"])
    line1 = Text(required=False, allow_blank=True, max_length=LONGEST["line1"])
    line2 = Text(required=False, allow_blank=True, max_length=LONGEST["line2"])
    city = Text(required=False, allow_blank=True, max_length=LONGEST["city"])
    region = Text(required=False, allow_blank=True, max_length=LONGEST["region"])
    postcode = Text(required=False, allow_blank=True, max_length=LONGEST["postcode"])
    country = Text(required=False, allow_blank=True, max_length=2)
    delivery_methods = serializers.ListField(
        child=ChoiceIn(), required=False, max_length=MOST_MERCHANTS
    )


class CompleteIn(Serializer):
    """The total that the shopper saw: where it is another by now, nothing is placed."""

    expected_total = MoneyAmount()


def shown(record: CheckoutRecord) -> Any:
    """The checkout, priced as placing would price it now."""
    return CheckoutOut(checkout_view(record)).data


class Checkouts(ApiView):
    """Where a checkout begins."""

    scopes = {"POST": "checkouts:write"}

    @operation(
        "Open a checkout",
        tag=TAG,
        answer=CheckoutOut,
        status=201,
        body=CheckoutIn,
        problems=[404, 409],
    )
    def post(self, request: Request) -> Response:
        """The cart's checkout: a cart has one, which is answered however often it is opened."""
        cart = own_cart(request, parsed(CheckoutIn, request)["cart_id"])
        user = request.user if isinstance(request.user, User) else None
        record = checkout_open(cart_id=cart.pk, user=user, actor=caller(request).actor)
        address = reverse("api:checkout", args=[record.pk])
        return Response(shown(record), status=201, headers={"Location": address})


class CheckoutDetail(ApiView):
    """One checkout."""

    scopes = {"GET": "checkouts:write", "PATCH": "checkouts:write"}

    @operation("Get a checkout", tag=TAG, answer=CheckoutOut, problems=[404])
    def get(self, request: Request, checkout_id: str) -> Response:
        """What has been answered, and what it costs now."""
        return Response(shown(own_checkout(request, checkout_id)))

    @operation(
        "Answer in a checkout", tag=TAG, answer=CheckoutOut, body=AnswersIn, problems=[404, 409]
    )
    def patch(self, request: Request, checkout_id: str) -> Response:
        """Keeps all of these answers, or none where one of them is wrong."""
        given = parsed(AnswersIn, request)
        record = own_checkout(request, checkout_id)
        ways = given.get("delivery_methods")
        changed = checkout_update(
            cart_id=record.cart_id,
            answers={name: given[name] for name in FIELDS if name in given},
            delivery_methods=None
            if ways is None
            else {way["merchant_id"]: way["method_id"] for way in ways},
            actor=caller(request).actor,
        )
        return Response(shown(changed))


class CheckoutComplete(ApiView):
    """The order. The composition root says how figures name the visit that it came from."""

    scopes = {"POST": "checkouts:write"}
    session_key: Callable[[Any], str] = staticmethod(lambda request: "")

    @operation(
        "Complete a checkout",
        tag=TAG,
        answer=OrderGroupOut,
        status=201,
        body=CompleteIn,
        keyed=True,
        problems=[404],
    )
    def post(self, request: Request, checkout_id: str) -> Response:
        """Places the cart: all its stock is held until the deadline to pay, or nothing is done."""
        given, who = parsed(CompleteIn, request)["expected_total"], caller(request)
        record = own_checkout(request, checkout_id)

        def place() -> OrderGroup:
            return checkout_complete(
                token=record.token,
                expected_total_minor=given["amount"],
                expected_currency=given["currency"],
                channel=Channel.WEB if who.shopper else Channel.API,
                session_key=self.session_key(request),
                actor=who.actor,
            )

        return self.keyed(
            request,
            place,
            lambda group: shown_groups([group], who.actor.role)[0],
            status=201,
            location=lambda group: reverse("api:order_group", args=[group.pk]),
        )
