"""What several resources show of an order: its lines, its address, what may be done with it."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.response import Response

from core.api import Id, MoneyOf, Quantity, Query, Serializer, StateIs, Text, Time
from core.errors import Conflict, Invalid
from orders import states
from orders.actions import Action
from orders.selectors.shown import order_state
from orders.services.call_off import Cancellation
from orders.tasks import ask_if_expired

LONGEST_REASON = 200
MOST_LINES = 200


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
    discount = MoneyOf("discount_minor", currency="order.currency")
    tax = MoneyOf("tax_minor", currency="order.currency")
    tax_added = MoneyOf("added_tax_minor", currency="order.currency")
    tax_ppm = serializers.IntegerField()


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
    discount = MoneyOf("discount_minor")
    tax = MoneyOf("tax_minor")
    tax_added = MoneyOf("added_tax_minor")
    total = MoneyOf("total_minor")
    payable = MoneyOf("payable_minor")
    return_until = Time(allow_null=True)
    lines = OrderLineOut(many=True)


class ReasonIn(Serializer):
    """Why it is called off: it is kept with the order."""

    reason = Text(max_length=LONGEST_REASON)


class UnitsIn(Serializer):
    """Units of one line of the order."""

    line_id = Id()
    quantity = Quantity()


def units_list() -> serializers.ListField:
    """Units per line; left out, it is all that has not left."""
    return serializers.ListField(
        child=UnitsIn(), required=False, min_length=1, max_length=MOST_LINES
    )


def units_of(given: dict[str, Any]) -> dict[int, int] | None:
    """Units by line id, None for all. Raises Invalid for a line that is named twice."""
    if "lines" not in given:
        return None
    units = {line["line_id"]: line["quantity"] for line in given["lines"]}
    if len(units) < len(given["lines"]):
        message = _("A line is named twice.")
        raise Invalid("validation", message, fields={"lines": [message]})
    return units


class CancelIn(ReasonIn):
    """Why, which units, and whether they go back on sale; written off otherwise."""

    lines = units_list()
    restock = serializers.BooleanField(default=True)


class GroupCancelIn(ReasonIn):
    """Why, and whether the units go back on sale; written off otherwise."""

    restock = serializers.BooleanField(default=True)


class DryRun(Query):
    """`dry_run=true` answers what would happen, and nothing happens; it needs no key."""

    dry_run = serializers.BooleanField(default=False)


class UnitsOut(Serializer):
    """Units of a line."""

    line_id = Id()
    quantity = serializers.IntegerField()


def units_shown(units: Mapping[int, int]) -> Any:
    """Units by line, as the API shows them."""
    lines = [{"line_id": line_id, "quantity": n} for line_id, n in units.items()]
    return UnitsOut(lines, many=True).data


class CancellationOut(Serializer):
    """What calling off does: money that goes back, money that was only promised and is never charged,
    money that need not be paid any more.
    """

    lines = serializers.SerializerMethodField()
    refund = MoneyOf("refund_minor")
    let_go = MoneyOf("let_go_minor")
    called_off = MoneyOf("called_off_minor")
    is_whole = serializers.BooleanField()

    @extend_schema_field(UnitsOut(many=True))
    def get_lines(self, done: Cancellation) -> Any:
        return units_shown(done.units)


def rehearsed(rehearse: Callable[[], Cancellation], group_id: int) -> Response:
    """What calling off would do. Raises what the service raises, and asks for a due expiry."""
    try:
        done = rehearse()
    except Conflict as refusal:
        ask_if_expired(refusal.code, group_id)
        raise
    return Response(CancellationOut(done).data)


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
