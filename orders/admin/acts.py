"""What is done to orders in the consoles; which of it is legal now is `orders.actions`' to say."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from accounts.actors import Actor
from accounts.consoles import Act, ReasonForm
from accounts.consoles.acts import ActForm
from core.errors import DomainError
from delivery.carriers import CARRIERS
from orders import states
from orders.actions import group_actions, order_actions
from orders.admin.page import refundable_minor_of, stamp_of
from orders.admin.words import amount
from orders.locks import lock_group_with_orders, lock_order
from orders.models import Order, OrderGroup
from orders.selectors.requests import open_request, open_request_id
from orders.services.call_off import Cancellation
from orders.services.cancel import order_cancel, order_group_cancel
from orders.services.fulfil import (
    order_acknowledge,
    order_deliver,
    order_ship,
    order_start_packing,
)
from orders.services.request import cancel_request_approve, cancel_request_decline
from orders.tasks import ask_if_expired

UNITS = "units_"


class OrderAct(Act):
    """An act on one order; its preview is void once the order has moved on."""

    # Verbs of the table that the same act is for.
    also: ClassVar[tuple[str, ...]] = ()

    def is_legal(self, row: Order) -> bool:
        verbs = {action.verb for action in order_actions(row, self.role)}
        return not verbs.isdisjoint((self.verb, *self.also))

    def stamp(self, row: Order) -> str:
        return stamp_of(row)

    def current(self, row: Order) -> Order:
        _group, order = lock_order(row.id)
        return order

    def refused(self, row: Order, code: str) -> None:
        ask_if_expired(code, row.group_id)


class Acknowledge(OrderAct):
    verb = "acknowledge"
    title = gettext_lazy("Acknowledge")

    def preview(self, row: Order) -> list[str]:
        return [_("The buyer sees that you have the order. Packing can begin.")]

    def do(self, row: Order, *, actor: Actor, token: str, fields: Mapping[str, Any]) -> str:
        order_acknowledge(order_id=row.id, actor=actor)
        return _("The order is acknowledged.")


class StartPacking(OrderAct):
    verb = "start_packing"
    title = gettext_lazy("Start packing")

    def preview(self, row: Order) -> list[str]:
        lines = [f"{line.open_quantity} × {line.title}" for line in row.lines.order_by("id")]
        return [_("From now on the buyer can’t call the order off alone."), *lines]

    def do(self, row: Order, *, actor: Actor, token: str, fields: Mapping[str, Any]) -> str:
        order_start_packing(order_id=row.id, actor=actor)
        return _("The order is being packed.")


class UnitsForm(ActForm):
    """How many of the units that are left, line by line."""

    def __init__(self, row: Order, *args: Any, **kwargs: Any) -> None:
        super().__init__(row, *args, **kwargs)
        units = {
            f"{UNITS}{line.id}": forms.IntegerField(
                label=f"{line.title} ({line.sku_code})",
                help_text=_("%(open)s of %(all)s are left")
                % {"open": line.open_quantity, "all": line.quantity},
                min_value=0,
                initial=line.open_quantity,
                widget=UnfoldAdminIntegerFieldWidget,
            )
            for line in row.lines.order_by("id")
            if line.open_quantity
        }
        self.fields = {**units, **self.fields}

    @staticmethod
    def quantities_of(fields: Mapping[str, Any]) -> dict[int, int]:
        """Units per line id, of the lines of which there are any."""
        return {
            int(name.removeprefix(UNITS)): units
            for name, units in fields.items()
            if name.startswith(UNITS) and units
        }


class ShipForm(UnitsForm):
    """Units per line, who carries them, and the number to follow them by."""

    carrier = forms.ChoiceField(
        label=gettext_lazy("Carrier"),
        choices=[(name, name) for name in CARRIERS],
        initial=next(iter(CARRIERS)),
        widget=UnfoldAdminSelectWidget,
    )
    tracking_number = forms.CharField(
        label=gettext_lazy("Tracking number"),
        max_length=60,
        required=False,
        help_text=gettext_lazy("Leave it empty where the carrier gives one by itself."),
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
    )


class Ship(OrderAct):
    verb = "ship"
    title = gettext_lazy("Ship")
    form_class = ShipForm

    def preview(self, row: Order) -> list[str]:
        units = sum(line.open_quantity for line in row.lines.all())
        return [
            ngettext(
                "%(units)s unit has not left yet. What you enter leaves your stock now.",
                "%(units)s units have not left yet. What you enter leaves your stock now.",
                units,
            )
            % {"units": units},
            _("The last unit makes the order shipped, and the buyer gets a mail."),
        ]

    def do(self, row: Order, *, actor: Actor, token: str, fields: Mapping[str, Any]) -> str:
        order_ship(
            order_id=row.id,
            actor=actor,
            quantities=ShipForm.quantities_of(fields),
            carrier=fields["carrier"],
            tracking_number=fields["tracking_number"],
        )
        return _("The parcel is handed over.")


class Deliver(OrderAct):
    verb = "deliver"
    title = gettext_lazy("Mark as delivered")

    def preview(self, row: Order) -> list[str]:
        return [
            _("The return window of %(days)s days begins.") % {"days": row.return_window_days},
            _("After it the merchant has earned the order."),
        ]

    def do(self, row: Order, *, actor: Actor, token: str, fields: Mapping[str, Any]) -> str:
        order_deliver(order_id=row.id, actor=actor)
        return _("The order is delivered.")


class RestockForm(ActForm):
    """Whether the units can be sold to somebody else."""

    restock = forms.BooleanField(
        label=gettext_lazy("Put the units back on sale"),
        help_text=gettext_lazy("Otherwise they are written off."),
        required=False,
        initial=True,
        widget=UnfoldBooleanWidget,
    )


class CancelForm(UnitsForm, ReasonForm, RestockForm):
    """Which units, why, and what becomes of them."""


class Cancel(OrderAct):
    verb = "cancel"
    title = gettext_lazy("Cancel")
    form_class = CancelForm
    is_grave = True
    also = ("reduce",)

    def preview(self, row: Order) -> list[str]:
        """What the service itself says of all that is left."""
        try:
            told = order_cancel(
                order_id=row.id, actor=Actor(self.role, "preview"), reason="", dry_run=True
            )
        except DomainError as refusal:
            return [str(refusal.message)]
        titles = {line.id: line.title for line in row.lines.all()}
        return [
            *(f"{units} × {titles[line_id]}" for line_id, units in told.units.items()),
            *_sums(told),
            _("That is for all that is left; for fewer units it is their part of it."),
            _("The buyer gets a mail. This can’t be undone."),
        ]

    def do(self, row: Order, *, actor: Actor, token: str, fields: Mapping[str, Any]) -> str:
        told = order_cancel(
            order_id=row.id,
            actor=actor,
            quantities=UnitsForm.quantities_of(fields),
            reason=fields["reason"],
            restock=fields["restock"],
        )
        if told.is_whole:
            return _("The order is cancelled.") + " " + " ".join(_sums(told))
        return _("These units are cancelled.") + " " + " ".join(_sums(told))


def _sums(told: Cancellation) -> list[str]:
    """What a cancellation does to the money."""
    said = {
        _("%(amount)s goes back to the buyer."): told.refund_minor,
        _("%(amount)s was only promised and is never charged."): told.let_go_minor,
        _("The buyer has %(amount)s less to pay."): told.called_off_minor,
    }
    return [
        sentence % {"amount": amount(minor, told.currency)}
        for sentence, minor in said.items()
        if minor
    ]


class ApproveCancel(OrderAct):
    verb = "approve_cancel"
    title = gettext_lazy("Approve cancellation")
    form_class = RestockForm
    is_grave = True

    def preview(self, row: Order) -> list[str]:
        return [*asked_for(row), _("Its money goes back, and the buyer gets a mail.")]

    def do(self, row: Order, *, actor: Actor, token: str, fields: Mapping[str, Any]) -> str:
        cancel_request_approve(
            request_id=open_request_id(row), actor=actor, restock=fields["restock"]
        )
        return _("It is cancelled, and its money goes back.")


class AnswerForm(ActForm):
    """The merchant's words to the buyer."""

    answer = forms.CharField(
        label=gettext_lazy("What you tell the buyer"),
        max_length=200,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
    )


class DeclineCancel(OrderAct):
    verb = "decline_cancel"
    title = gettext_lazy("Decline cancellation")
    form_class = AnswerForm
    is_grave = True  # of the two answers neither is the one that suggests itself

    def preview(self, row: Order) -> list[str]:
        return [*asked_for(row), _("The order goes on, and the buyer gets a mail.")]

    def do(self, row: Order, *, actor: Actor, token: str, fields: Mapping[str, Any]) -> str:
        cancel_request_decline(
            request_id=open_request_id(row), actor=actor, answer=fields["answer"]
        )
        return _("The order goes on. The buyer has been told.")


def asked_for(row: Order) -> list[str]:
    """What the buyer wants called off, and why."""
    request = open_request(row)
    if request is None:
        return []
    units = {int(line_id): units for line_id, units in request.quantities.items()}
    wanted = [
        f"{units.get(line.id, line.open_quantity)} × {line.title}"
        for line in row.lines.order_by("id")
        if (not units and line.open_quantity) or line.id in units
    ]
    reason = [_("Reason: %(reason)s") % {"reason": request.reason}] if request.reason else []
    return [_("The buyer wants to cancel: %(units)s") % {"units": ", ".join(wanted)}, *reason]


class CancelGroup(Act):
    verb = "cancel"
    title = gettext_lazy("Cancel all orders")
    form_class = ReasonForm
    is_grave = True

    def is_legal(self, row: OrderGroup) -> bool:
        actions = group_actions(row, list(row.orders.all()), self.role)
        return self.verb in {action.verb for action in actions}

    def stamp(self, row: OrderGroup) -> str:
        return ".".join(stamp_of(order) for order in row.orders.order_by("id"))

    def current(self, row: OrderGroup) -> OrderGroup:
        group, _orders = lock_group_with_orders(row.id)
        return group

    def preview(self, row: OrderGroup) -> list[str]:
        orders = list(row.orders.exclude(status=states.CANCELLED).order_by("id"))
        back = amount(sum(refundable_minor_of(order) for order in orders), row.currency)
        return [
            _("%(amount)s goes back to the buyer.") % {"amount": back},
            *(_("Order %(number)s is cancelled.") % {"number": order.number} for order in orders),
            _("All units go back on sale. This can’t be undone."),
        ]

    def refused(self, row: OrderGroup, code: str) -> None:
        ask_if_expired(code, row.id)

    def do(self, row: OrderGroup, *, actor: Actor, token: str, fields: Mapping[str, Any]) -> str:
        order_group_cancel(group_id=row.id, actor=actor, reason=fields["reason"])
        return _("All orders are cancelled.")


ORDER_ACTS = (
    Acknowledge,
    StartPacking,
    ApproveCancel,
    DeclineCancel,
    Ship,
    Deliver,
    Cancel,
)
