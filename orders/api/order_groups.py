"""`/order_groups`: what was placed once and is paid once. A merchant's key sees its orders instead."""

from collections import defaultdict
from typing import Any

from django.db.models import Prefetch, prefetch_related_objects
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
    Time,
    keyset_page,
    operation,
    page,
    parsed,
)
from orders import states
from orders.actions import group_actions
from orders.api.access import own_group, own_groups
from orders.api.parts import (
    ActionOut,
    AddressOut,
    CancellationOut,
    DryRun,
    GroupCancelIn,
    OrderPartOut,
    rehearsed,
    shown_actions,
)
from orders.links import link_url
from orders.models import Order, OrderGroup, OrderLine
from orders.selectors.shown import group_state, groups_shown
from orders.services.cancel import order_group_cancel
from orders.services.extend import order_group_extend
from orders.tasks import ask_if_expired
from payments.models import Payment

TAG = "order groups"
STATES = states.GROUP.names


class GroupState(StateIs):
    """The state that a group is shown in at the `moment` of the answer."""

    def __init__(self) -> None:
        super().__init__(STATES, source="*")

    def to_representation(self, value: Any) -> str:
        return group_state(value, self.context["moment"])


class OrderGroupOut(Serializer):
    """The whole of an order, with each merchant's part. `buyer_url` is its page for the buyer."""

    id = Id()
    number = serializers.CharField()
    state = GroupState()
    state_changed_at = Time(source="status_changed_at")
    payment_state = StateIs(OrderGroup.PaymentSummary.values, source="payment_summary")
    fulfilment_state = StateIs(OrderGroup.FulfilmentSummary.values, source="fulfilment_summary")
    email = serializers.CharField()
    shipping_address = AddressOut()
    items = MoneyOf("items_minor")
    delivery = MoneyOf("delivery_minor")
    discount = MoneyOf("discount_minor")
    tax = MoneyOf("tax_minor")
    tax_added = MoneyOf("added_tax_minor")
    total = MoneyOf("total_minor")
    payable = MoneyOf("payable_minor")
    placed_at = Time()
    pay_before = Time()
    orders = OrderPartOut(many=True)
    payment_ids = serializers.SerializerMethodField()
    buyer_url = serializers.SerializerMethodField()
    allowed_actions = serializers.SerializerMethodField()

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_payment_ids(self, group: OrderGroup) -> list[str]:
        return [str(number) for number in self.context["payments"][group.pk]]

    def get_buyer_url(self, group: OrderGroup) -> str:
        return link_url(group)

    @extend_schema_field(ActionOut(many=True))
    def get_allowed_actions(self, group: OrderGroup) -> Any:
        role, moment = self.context["role"], self.context["moment"]
        actions = group_actions(group, list(group.orders.all()), role, at=moment)
        addresses = {
            "pay": ("payments", None),
            "extend": ("order_group_extend", group.pk),
            "cancel": ("order_group_cancel", group.pk),
        }
        return ActionOut(shown_actions(actions, addresses), many=True).data


class OrderGroupQuery(PageQuery):
    """Which groups."""

    state = StateIs(STATES, required=False)
    placed_from = Time(required=False, help_text="At this time or later.")
    placed_before = Time(required=False)


def shown_groups(groups: list[OrderGroup], role: Role) -> Any:
    """The groups with what belongs to them: four queries for any number."""
    prefetch_related_objects(
        groups,
        Prefetch("orders", Order.objects.order_by("pk")),
        Prefetch("orders__lines", OrderLine.objects.order_by("pk")),
    )
    payments: dict[int, list[int]] = defaultdict(list)
    found = Payment.objects.filter(reference__in=[group.pk for group in groups]).order_by("pk")
    for reference, number in found.values_list("reference", "pk"):
        payments[reference].append(number)
    context = {"payments": payments, "role": role, "moment": clock.now()}
    return OrderGroupOut(groups, many=True, context=context).data


class OrderGroups(ApiView):
    """The list, newest first."""

    scopes = {"GET": "order_groups:read"}
    queries = {"GET": OrderGroupQuery}

    @operation("List order groups", tag=TAG, answer=page(OrderGroupOut), query=OrderGroupQuery)
    def get(self, request: Request) -> Response:
        """What was placed, newest first; a browser sees its own."""
        asked = self.queried(request)
        given = {
            "placed_at__gte": asked.get("placed_from"),
            "placed_at__lt": asked.get("placed_before"),
        }
        wanted = {name: value for name, value in given.items() if value is not None}
        rows = own_groups(request).filter(**wanted)
        if "state" in asked:
            rows = rows.filter(groups_shown(asked["state"], clock.now()))
        return keyset_page(
            request,
            rows,
            limit=asked["limit"],
            present=lambda found: shown_groups(found, caller(request).actor.role),
        )


class OrderGroupDetail(ApiView):
    """One group."""

    scopes = {"GET": "order_groups:read"}

    @operation("Get an order group", tag=TAG, answer=OrderGroupOut, problems=[404])
    def get(self, request: Request, group_id: str) -> Response:
        """The group with each merchant's part."""
        group = own_group(request, group_id)
        [shown] = shown_groups([group], caller(request).actor.role)
        return Response(shown)


class OrderGroupCancel(ApiView):
    """Calling the whole off."""

    scopes = {"POST": "order_groups:write"}
    queries = {"POST": DryRun}

    @operation(
        "Cancel an order group",
        tag=TAG,
        answer=PolymorphicProxySerializer(
            "CancelledGroup", [OrderGroupOut, CancellationOut], resource_type_field_name=None
        ),
        body=GroupCancelIn,
        query=DryRun,
        keyed=True,
        problems=[404],
    )
    def post(self, request: Request, group_id: str) -> Response:
        """Before payment at once; after it order by order, and the money goes back."""
        given, actor = parsed(GroupCancelIn, request), caller(request).actor
        group = own_group(request, group_id)
        asked = {"group_id": group.pk, "actor": actor, **given}
        if self.queried(request)["dry_run"]:
            return rehearsed(lambda: order_group_cancel(**asked, dry_run=True), group.pk)
        response = self.keyed(
            request,
            lambda: order_group_cancel(**asked),
            lambda _done: shown_groups([own_group(request, group_id)], actor.role)[0],
        )
        ask_if_expired(response.data.get("code", ""), group.pk)
        return response


class OrderGroupExtend(ApiView):
    """More time to pay."""

    scopes = {"POST": "order_groups:write"}

    @operation(
        "Extend the time to pay",
        tag=TAG,
        answer=OrderGroupOut,
        keyed=True,
        problems=[404],
    )
    def post(self, request: Request, group_id: str) -> Response:
        """Three more minutes within the last five, ten times at most; not in a flash sale."""
        actor, group = caller(request).actor, own_group(request, group_id)
        response = self.keyed(
            request,
            lambda: order_group_extend(group_id=group.pk, actor=actor),
            lambda done: shown_groups([done], actor.role)[0],
        )
        ask_if_expired(response.data.get("code", ""), group.pk)
        return response
