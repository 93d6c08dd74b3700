"""`/orders`: one merchant's part each. A merchant's key sees its own, the platform's all."""

from collections.abc import Callable
from typing import Any

from django.db.models import Prefetch, prefetch_related_objects
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.actors import Role
from accounts.api import caller
from core import clock
from core.api import (
    ApiView,
    Id,
    MoneyOf,
    PageQuery,
    Serializer,
    StateIs,
    Text,
    Time,
    keyset_page,
    operation,
    page,
    parsed,
)
from core.errors import Conflict
from orders import states
from orders.actions import order_actions
from orders.api.access import own_order, own_orders
from orders.api.parts import (
    LONGEST_REASON,
    ActionOut,
    AddressOut,
    CancelIn,
    CancellationOut,
    DryRun,
    OrderPartOut,
    ReasonIn,
    UnitsOut,
    rehearsed,
    shown_actions,
    units_list,
    units_of,
    units_shown,
)
from orders.models import CancelRequest, Order, OrderLine
from orders.selectors.requests import open_request_id
from orders.selectors.shown import orders_shown
from orders.services.cancel import order_cancel
from orders.services.fulfil import order_acknowledge, order_start_packing
from orders.services.request import (
    cancel_request_approve,
    cancel_request_decline,
    cancel_request_open,
    cancel_request_withdraw,
)
from orders.tasks import ask_if_expired

TAG = "orders"
STATES = states.ORDER.names


class CancelRequestOut(Serializer):
    """What a buyer wants called off; no lines: all that has not left. Silence approves it."""

    id = Id()
    lines = serializers.SerializerMethodField()
    reason = serializers.CharField()
    deadline = Time()

    @extend_schema_field(UnitsOut(many=True))
    def get_lines(self, asked: CancelRequest) -> Any:
        return units_shown({int(line): n for line, n in asked.quantities.items()})


class OrderOut(OrderPartOut):
    """What its merchant needs to fulfil it, and what the merchant earns by it."""

    order_group_id = Id(source="group_id")
    placed_at = Time(source="group.placed_at")
    shipping_address = AddressOut(source="group.shipping_address")
    commission = MoneyOf("commission_minor")
    commission_tax = MoneyOf("commission_tax_minor")
    subsidy = MoneyOf("subsidy_minor")
    cancel_request = serializers.SerializerMethodField()
    allowed_actions = serializers.SerializerMethodField()

    @extend_schema_field(CancelRequestOut(allow_null=True))
    def get_cancel_request(self, order: Any) -> Any:
        asked: list[CancelRequest] = order.open_requests
        return CancelRequestOut(asked[0]).data if asked else None

    @extend_schema_field(ActionOut(many=True))
    def get_allowed_actions(self, order: Order) -> Any:
        addresses = {
            "acknowledge": ("order_acknowledge", order.pk),
            "start_packing": ("order_start_packing", order.pk),
            "ship": ("shipments", None),
            "cancel": ("order_cancel", order.pk),
            "reduce": ("order_cancel", order.pk),
            "request_cancel": ("order_request_cancel", order.pk),
            "approve_cancel": ("order_approve_cancel", order.pk),
            "decline_cancel": ("order_decline_cancel", order.pk),
            "withdraw_cancel": ("order_withdraw_cancel", order.pk),
        }
        actions = order_actions(order, self.context["role"], at=self.context["moment"])
        return ActionOut(shown_actions(actions, addresses), many=True).data


class OrderQuery(PageQuery):
    """Which orders."""

    state = StateIs(STATES, required=False)


def shown_orders(orders: list[Order], role: Role) -> Any:
    """The orders with their lines, and what that role may do: three queries for any number."""
    asked = CancelRequest.objects.filter(status=states.REQUESTED)
    prefetch_related_objects(
        orders,
        Prefetch("lines", OrderLine.objects.order_by("pk")),
        Prefetch("cancel_requests", asked, to_attr="open_requests"),
    )
    context = {"role": role, "moment": clock.now()}
    return OrderOut(orders, many=True, context=context).data


class Orders(ApiView):
    """The list, newest first."""

    scopes = {"GET": "orders:read"}
    queries = {"GET": OrderQuery}

    @operation("List orders", tag=TAG, answer=page(OrderOut), query=OrderQuery)
    def get(self, request: Request) -> Response:
        """Your orders, newest first."""
        asked = self.queried(request)
        rows = own_orders(request)
        if "state" in asked:
            rows = rows.filter(orders_shown(asked["state"], clock.now()))
        return keyset_page(
            request,
            rows,
            limit=asked["limit"],
            present=lambda found: shown_orders(found, caller(request).actor.role),
        )


class OrderDetail(ApiView):
    """One order."""

    scopes = {"GET": "orders:read"}

    @operation("Get an order", tag=TAG, answer=OrderOut, problems=[404])
    def get(self, request: Request, order_id: str) -> Response:
        """One order with its lines."""
        return Response(_shown(request, own_order(request, order_id)))


class OrderAcknowledge(ApiView):
    """The merchant has seen it."""

    scopes = {"POST": "orders:write"}

    @operation("Acknowledge an order", tag=TAG, answer=OrderOut, problems=[404, 409])
    def post(self, request: Request, order_id: str) -> Response:
        """Says that it was seen and will be fulfilled; quiet when that was said."""
        return _moved_on(request, order_id, order_acknowledge)


class OrderStartPacking(ApiView):
    """The goods are being taken from the shelf."""

    scopes = {"POST": "orders:write"}

    @operation("Start packing an order", tag=TAG, answer=OrderOut, problems=[404, 409])
    def post(self, request: Request, order_id: str) -> Response:
        """Says that it is being packed; from now on its buyer can't call it off."""
        return _moved_on(request, order_id, order_start_packing)


class OrderCancel(ApiView):
    """Calling one order off, or some units of it."""

    scopes = {"POST": "orders:write"}
    queries = {"POST": DryRun}

    @operation(
        "Cancel an order",
        tag=TAG,
        answer=PolymorphicProxySerializer(
            "CancelledOrder", [OrderOut, CancellationOut], resource_type_field_name=None
        ),
        body=CancelIn,
        query=DryRun,
        keyed=True,
        problems=[404],
    )
    def post(self, request: Request, order_id: str) -> Response:
        """Calls off all that has not left, or the units that are named; what was paid for them goes back."""
        given, actor = parsed(CancelIn, request), caller(request).actor
        order = own_order(request, order_id)
        asked = {
            "order_id": order.pk,
            "quantities": units_of(given),
            "reason": given["reason"],
            "restock": given["restock"],
            "actor": actor,
        }
        if self.queried(request)["dry_run"]:
            return rehearsed(lambda: order_cancel(**asked, dry_run=True), order.group_id)
        response = self.keyed(
            request,
            lambda: order_cancel(**asked),
            lambda _done: _shown(request, own_order(request, order_id)),
        )
        ask_if_expired(response.data.get("code", ""), order.group_id)
        return response


class RequestIn(ReasonIn):
    """Why, and which units; without lines it is all that has not left."""

    lines = units_list()


class OrderRequestCancel(ApiView):
    """Asking the merchant to call off what is being packed."""

    scopes = {"POST": "orders:write"}

    @operation(
        "Ask to cancel an order",
        tag=TAG,
        answer=OrderOut,
        body=RequestIn,
        keyed=True,
        problems=[404],
    )
    def post(self, request: Request, order_id: str) -> Response:
        """The merchant has until the answered deadline; without an answer it is cancelled then."""
        given, actor = parsed(RequestIn, request), caller(request).actor
        order = own_order(request, order_id)
        return self.keyed(
            request,
            lambda: cancel_request_open(
                order_id=order.pk,
                quantities=units_of(given),
                reason=given["reason"],
                actor=actor,
            ),
            lambda _opened: _shown(request, own_order(request, order_id)),
        )


class AnsweredIn(Serializer):
    """Which request is meant, as `cancel_request` of the order says; left out, the open one."""

    request_id = Id(required=False)


def meant_request_id(order: Order, given: dict[str, Any]) -> int:
    """The open request's id. Raises Conflict where another one was looked at, or none is open."""
    found = open_request_id(order)
    if given.get("request_id", found) != found:
        raise Conflict(
            "cancel.request_changed",
            _("The buyer asks for something else by now. Look at it again."),
            id=str(found),
        )
    return found


class ApproveIn(AnsweredIn):
    """Whether the units go back on sale; written off otherwise."""

    restock = serializers.BooleanField(default=True)


class OrderApproveCancel(ApiView):
    """The merchant stops it."""

    scopes = {"POST": "orders:write"}

    @operation(
        "Approve a cancellation",
        tag=TAG,
        answer=OrderOut,
        body=ApproveIn,
        keyed=True,
        problems=[404],
    )
    def post(self, request: Request, order_id: str) -> Response:
        """Calls off what the buyer has asked for; the money goes back."""
        given, actor = parsed(ApproveIn, request), caller(request).actor
        order = own_order(request, order_id)
        return self.keyed(
            request,
            lambda: cancel_request_approve(
                request_id=meant_request_id(order, given), actor=actor, restock=given["restock"]
            ),
            lambda _done: _shown(request, own_order(request, order_id)),
        )


class DeclineIn(AnsweredIn):
    """The merchant's words to the buyer."""

    answer = Text(max_length=LONGEST_REASON)


class OrderDeclineCancel(ApiView):
    """The order goes on."""

    scopes = {"POST": "orders:write"}

    @operation(
        "Decline a cancellation",
        tag=TAG,
        answer=OrderOut,
        body=DeclineIn,
        keyed=True,
        problems=[404],
    )
    def post(self, request: Request, order_id: str) -> Response:
        """Tells the buyer why; the order can be shipped again."""
        given, actor = parsed(DeclineIn, request), caller(request).actor
        order = own_order(request, order_id)
        return self.keyed(
            request,
            lambda: cancel_request_decline(
                request_id=meant_request_id(order, given), actor=actor, answer=given["answer"]
            ),
            lambda _done: _shown(request, own_order(request, order_id)),
        )


class OrderWithdrawCancel(ApiView):
    """The buyer wants it after all."""

    scopes = {"POST": "orders:write"}

    @operation("Withdraw a cancellation", tag=TAG, answer=OrderOut, keyed=True, problems=[404])
    def post(self, request: Request, order_id: str) -> Response:
        """Takes the request back; the order can be shipped again."""
        actor, order = caller(request).actor, own_order(request, order_id)
        return self.keyed(
            request,
            lambda: cancel_request_withdraw(request_id=open_request_id(order), actor=actor),
            lambda _done: _shown(request, own_order(request, order_id)),
        )


def _moved_on(request: Request, order_id: str, service: Callable[..., Order]) -> Response:
    order = own_order(request, order_id)
    return Response(_shown(request, service(order_id=order.pk, actor=caller(request).actor)))


def _shown(request: Request, order: Order) -> Any:
    return shown_orders([order], caller(request).actor.role)[0]
