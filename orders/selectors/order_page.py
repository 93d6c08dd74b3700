"""The order as its buyer sees it: how far each merchant is, the parcels, the money, what may be done."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.actors import Role
from core import clock
from core.models import StateChange
from delivery.selectors import ParcelLook, parcels_of_orders
from delivery.states import SHIPMENT
from orders import states, words
from orders.actions import Action, group_actions, order_actions
from orders.addresses import address_lines
from orders.models import Order, OrderGroup, OrderLine
from orders.selectors.shown import group_state, order_state
from orders.sentences import amount
from payments.models import Refund
from payments.selectors import refunds_of
from payments.states import REFUND

# The chapters of an order's life that its buyer is told of, and what they are called.
CHAPTERS: dict[str, str | Promise] = {
    "placed": _("Placed"),
    "paid": _("Paid"),
    "preparing": _("Preparing"),
    "shipped": _("Shipped"),
    "delivered": _("Delivered"),
}
ORDER = states.ORDER
ARRIVED = ORDER.in_chapter("delivered")
UNDER_WAY = ORDER.in_chapter("preparing", "shipped", "delivered")


@dataclass(frozen=True, slots=True)
class Step:
    """A step of an order's life: `done`, `current` or `todo`, and when it was reached."""

    label: str
    stage: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Parcel:
    """A parcel with its contents in words and its carrier's own list of events."""

    carrier: str
    tracking_number: str
    status: str
    contents: list[str]
    events: list[tuple[datetime, str, str]]  # when, what, the carrier's note

    @property
    def word(self) -> str:
        """How it stands."""
        return str(words.PARCEL[self.status][0])

    @property
    def mood(self) -> str:
        """Whether that is good, waits, or is bad."""
        return words.PARCEL[self.status][1]


@dataclass(frozen=True, slots=True)
class Back:
    """Money that goes back."""

    refund: Refund

    @property
    def amount(self) -> str:
        """How much."""
        return amount(self.refund.amount_minor, self.refund.currency)

    @property
    def word(self) -> str:
        """How it stands."""
        if self.refund.is_to_credit and self.refund.status == "succeeded":
            return str(_("is back as store credit"))
        return str(words.REFUND[self.refund.status][0])

    @property
    def at(self) -> datetime:
        """Since when it stands so."""
        return self.refund.status_changed_at

    @property
    def taken_minor(self) -> int:
        """What of the paid money is gone by it: nothing where it was declined or has failed."""
        return (
            0 if self.refund.status in REFUND.in_chapter("not_taken") else self.refund.amount_minor
        )


@dataclass(frozen=True, slots=True)
class Part:
    """One merchant's order, and the state that it is shown in."""

    order: Order
    state: str
    lines: list[OrderLine]
    steps: list[Step]
    parcels: list[Parcel]
    refunds: list[Back]
    actions: list[Action]

    @property
    def word(self) -> str:
        """How it stands."""
        return str(words.ORDER[self.state][0])

    @property
    def mood(self) -> str:
        """Whether that is good, waits, or is bad."""
        return words.ORDER[self.state][1]

    @property
    def position(self) -> int:
        """The last member of its number: 1 for the first order of a group."""
        return int(self.order.number.rpartition("-")[2])

    @property
    def may_cancel(self) -> bool:
        """The buyer may call it off now, or some of it."""
        return any(action.verb in ("cancel", "reduce") for action in self.actions)

    @property
    def may_ask(self) -> bool:
        """The buyer may ask the merchant to stop packing it."""
        return any(action.verb == "request_cancel" for action in self.actions)

    @property
    def open_lines(self) -> list[OrderLine]:
        """Lines of which units have neither left nor been called off."""
        return [line for line in self.lines if line.open_quantity]

    @property
    def units_to_choose(self) -> list[OrderLine]:
        """The open lines, of which some units may stay; none where there is nothing to choose."""
        lines = self.open_lines
        return lines if sum(line.open_quantity for line in lines) > 1 else []

    @property
    def items(self) -> list[tuple[str, int, str, int]]:
        """Title, units and price of each line, and how many of the units are called off."""
        currency = self.order.currency
        return [
            (
                line.title,
                line.quantity,
                amount(line.total_minor, currency),
                line.cancelled_quantity,
            )
            for line in self.lines
        ]

    @property
    def delivery(self) -> str:
        """What its delivery costs."""
        return amount(self.order.delivery_minor, self.order.currency)

    @property
    def total(self) -> str:
        """What it costs altogether."""
        return amount(self.order.total_minor, self.order.currency)

    @property
    def called_off(self) -> str:
        """What of it need not be paid, '' where that is nothing."""
        minor = self.order.called_off_minor
        return amount(minor, self.order.currency) if minor else ""

    @property
    def goes_back(self) -> str:
        """What calling it off would send back, once it is paid: what has not gone back already."""
        left_minor = self.order.payable_minor - sum(back.taken_minor for back in self.refunds)
        return amount(left_minor, self.order.currency)


@dataclass(frozen=True, slots=True)
class OrderPage:
    """A group with all its parts, and the state that it is shown in."""

    group: OrderGroup
    state: str
    parts: list[Part]
    refunds: list[Back]  # of the whole payment
    actions: list[Action]
    paid_at: datetime | None

    @property
    def verbs(self) -> set[str]:
        """What the buyer may do with the whole of it."""
        return {action.verb for action in self.actions}

    @property
    def live_parts(self) -> list[Part]:
        """Those that are not called off."""
        return [part for part in self.parts if part.state != states.CANCELLED]

    @property
    def may_cancel(self) -> bool:
        """The buyer may call off all that is left, and that is more than one part of several."""
        return "cancel" in self.verbs and (len(self.parts) == 1 or len(self.live_parts) > 1)

    @property
    def items(self) -> str:
        """The goods."""
        return amount(self.group.items_minor, self.group.currency)

    @property
    def delivery(self) -> str:
        """The delivery."""
        return amount(self.group.delivery_minor, self.group.currency)

    @property
    def total(self) -> str:
        """The sum."""
        return amount(self.group.total_minor, self.group.currency)

    @property
    def called_off(self) -> str:
        """What of it was called off before it was paid, '' where that is nothing."""
        minor = self.group.called_off_minor
        return amount(minor, self.group.currency) if minor else ""

    @property
    def payable(self) -> str:
        """What is to be paid, or was."""
        return amount(self.group.payable_minor, self.group.currency)

    @property
    def address_lines(self) -> list[str]:
        """Where it goes, as lines to read."""
        return address_lines(self.group.shipping_address)

    @property
    def headline(self) -> str:
        """The state of everything in one sentence."""
        if self.state != states.PAID:
            return str(UNPAID[self.state])
        live = self.live_parts
        if not live:
            return str(UNPAID[states.CANCELLED])
        return _progress({part.order.status for part in live}, _on_the_way(live))


UNPAID = {
    states.PENDING_PAYMENT: _("Your order waits for your payment"),
    states.EXPIRING: _("The time to pay has ended"),
    states.EXPIRED: _("This order ended: it was not paid in time"),
    states.CANCELLED: _("This order is cancelled"),
}


def order_page(group: OrderGroup) -> OrderPage:
    """The page of that group; at most six queries."""
    rows = OrderLine.objects.filter(order__group=group, shard_key=group.shard_key)
    lines: dict[Order, list[OrderLine]] = defaultdict(list)
    for line in rows.select_related("order__merchant").order_by("order_id", "id"):
        line.order.group = group
        lines[line.order].append(line)
    orders = list(lines)
    is_unpaid = group.status == states.PENDING_PAYMENT  # only its deadline asks for the time
    moment = clock.now() if is_unpaid else group.status_changed_at
    times = _times(group, orders)
    sent = [order.pk for order in orders if order.first_left_at]
    parcels = parcels_of_orders(sent) if sent else {}
    refunds = _refunds(group)
    return OrderPage(
        group=group,
        state=group_state(group, moment),
        parts=[
            Part(
                order=order,
                state=order_state(order, moment),
                lines=lines[order],
                steps=_steps(order_state(order, moment), times[order.pk]),
                parcels=[_parcel(look, lines[order]) for look in parcels.get(order.pk, [])],
                refunds=refunds.get(order.pk, []),
                actions=order_actions(order, Role.BUYER, at=moment),
            )
            for order in orders
        ],
        refunds=refunds.get(group.pk, []),
        actions=group_actions(group, orders, Role.BUYER, at=moment),
        paid_at=_first(times[group.pk], states.GROUP.verbs_into(states.PAID)),
    )


def _times(group: OrderGroup, orders: Sequence[Order]) -> Mapping[int, dict[str, datetime]]:
    """When each verb was done to the group and to each order; the last time counts."""
    ids = [group.pk, *(order.pk for order in orders)]
    changes = StateChange.objects.filter(object_id__in=ids, shard_key=group.shard_key)
    nouns = (states.GROUP.noun, states.ORDER.noun)
    times: dict[int, dict[str, datetime]] = defaultdict(dict)
    for row_id, verb, at in (
        changes.filter(noun__in=nouns).order_by("seq").values_list("object_id", "verb", "at")
    ):
        times[row_id][verb] = at
    return times


def _steps(state: str, times: Mapping[str, datetime]) -> list[Step]:
    if state == states.CANCELLED:
        done = [step for step in _reached(times) if step.at]
        return [*done, Step(str(_("Cancelled")), "current", times.get("cancel"))]
    reached = list(CHAPTERS).index(ORDER.state(state).chapter)
    return [
        Step(step.label, _stage(place, reached), step.at if place <= reached else None)
        for place, step in enumerate(_reached(times))
    ]


def _reached(times: Mapping[str, datetime]) -> list[Step]:
    """Every step with the first time that one of its verbs was done."""
    return [
        Step(str(label), "done", _first(times, ORDER.verbs_into(*ORDER.in_chapter(chapter))))
        for chapter, label in CHAPTERS.items()
    ]


def _first(times: Mapping[str, datetime], verbs: Sequence[str]) -> datetime | None:
    return next((times[verb] for verb in verbs if verb in times), None)


def _stage(place: int, reached: int) -> str:
    if place == reached:
        return "current"
    return "done" if place < reached else "todo"


def _parcel(look: ParcelLook, lines: Sequence[OrderLine]) -> Parcel:
    return Parcel(
        carrier=look.shipment.carrier,
        tracking_number=look.shipment.tracking_number,
        status=look.shipment.status,
        contents=[
            f"{look.quantities[line.pk]} × {line.title}"
            for line in lines
            if line.pk in look.quantities
        ],
        events=[(event.at, str(words.PARCEL[event.code][0]), event.note) for event in look.events],
    )


def _refunds(group: OrderGroup) -> dict[int, list[Back]]:
    """Money that goes back, by what it is for: an order, or the whole group."""
    found: dict[int, list[Back]] = defaultdict(list)
    if group.status != states.PENDING_PAYMENT:
        for refund in refunds_of(group.pk):
            found[refund.reference].append(Back(refund))
    return found


def _on_the_way(parts: Sequence[Part]) -> int:
    """How many parcels have left and have not arrived."""
    return sum(
        parcel.status in SHIPMENT.in_chapter("on_its_way")
        for part in parts
        for parcel in part.parcels
    )


def _progress(statuses: set[str], on_the_way: int) -> str:
    if statuses <= set(ARRIVED):
        return str(_("Everything has been delivered"))
    if on_the_way:
        return ngettext(
            "One parcel is on its way", "%(count)s parcels are on their way", on_the_way
        ) % {"count": on_the_way}
    if statuses & set(UNDER_WAY):
        return str(_("Your order is being prepared"))
    return str(_("Thank you. Your order is confirmed"))
