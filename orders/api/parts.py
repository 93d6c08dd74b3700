"""What several resources show of an order: its lines, its address, what may be done with it."""

from collections.abc import Iterable
from typing import Any

from django.urls import reverse
from rest_framework import serializers

from core.api import Id, MoneyOf, Serializer, StateIs, Text, Time
from orders import states
from orders.actions import Action
from orders.selectors.shown import order_state

LONGEST_REASON = 200


class AddressOut(Serializer):
    """Where it goes, as it was when it was placed."""

    name = serializers.CharField(default="")
    line1 = serializers.CharField(default="")
    line2 = serializers.CharField(default="")
    city = serializers.CharField(default="")
    region = serializers.CharField(default="")
    postcode = serializers.CharField(default="")
    country = serializers.CharField(default="")
    phone = serializers.CharField(default="")


class ActionOut(Serializer):
    """What is legal now, where to POST it, and until when at the latest."""

    name = serializers.CharField()
    href = serializers.CharField()
    deadline = Time(allow_null=True)


class OrderLineOut(Serializer):
    """Some units of a SKU, in the words and at the price that they were sold by."""

    id = Id()
    sku_id = Id()
    sku_code = serializers.CharField()
    title = serializers.CharField()
    quantity = serializers.IntegerField()
    shipped_quantity = serializers.IntegerField()
    cancelled_quantity = serializers.IntegerField()
    unit_price = MoneyOf("unit_price_minor", currency="order.currency")
    total = MoneyOf("total_minor", currency="order.currency")


class OrderState(StateIs):
    """The state that an order is shown in at the `moment` of the answer."""

    def __init__(self) -> None:
        super().__init__(states.ORDER.names, source="*")

    def to_representation(self, value: Any) -> str:
        return order_state(value, self.context["moment"])


class OrderPartOut(Serializer):
    """One merchant's part of a group."""

    id = Id()
    number = serializers.CharField()
    merchant_id = Id()
    state = OrderState()
    state_changed_at = Time(source="status_changed_at")
    delivery_name = serializers.CharField()
    items = MoneyOf("items_minor")
    delivery = MoneyOf("delivery_minor")
    total = MoneyOf("total_minor")
    return_until = Time(allow_null=True)
    lines = OrderLineOut(many=True)


class ReasonIn(Serializer):
    """Why it is called off: it is kept with the order."""

    reason = Text(max_length=LONGEST_REASON)


def shown_actions(actions: Iterable[Action], addresses: dict[str, tuple[str, Any]]) -> Any:
    """The actions that have an address here: by verb, the route's name and the id in it."""
    return [
        {
            "name": action.verb,
            "href": reverse(f"api:{route}", args=[key] if key else []),
            "deadline": action.deadline,
        }
        for action in actions
        if action.verb in addresses
        for route, key in [addresses[action.verb]]
    ]
