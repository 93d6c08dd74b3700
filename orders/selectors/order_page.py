"""The order as its buyer sees it: how far each merchant is, the parcels, the money, what may be done."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
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
from orders.selectors.order_rows import Back, Parcel, Step
from orders.selectors.shown import group_state, order_state
from orders.sentences import amount
from orders.sums import PrintedSums, printed
from payments.selectors import (
    MoneyOfReference,
    is_paid_at_the_door,
    money_by_order,
    refunds_of,
)

# The chapters of an order's life that its buyer is told of, and what they are called.
CHAPTERS: dict[str, str | Promise] = {
    "placed": _("Placed"),
    "paid": _("Paid"),
    "preparing": _("Preparing"),
    "shipped": _("Shipped"),
    "delivered": _("Delivered"),
}
ORDER = states.ORDER
NO_MONEY = MoneyOfReference(0, 0, 0)
ARRIVED = ORDER.in_chapter("delivered")
UNDER_WAY = ORDER.in_chapter("preparing", "shipped", "delivered")


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
    money: MoneyOfReference = NO_MONEY

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
    def sums(self) -> PrintedSums:
        """What it costs altogether, and what of."""
        return printed(self.order, self.order.currency)

    @property
    def called_off(self) -> str:
        """What of it need not be paid, '' where that is nothing."""
        minor = self.order.called_off_minor
        return amount(minor, self.order.currency) if minor else ""

    @property
    def is_promised(self) -> bool:
        """Its money is kept ready and not taken: calling it off charges nobody."""
        return bool(self.money.authorised_minor)

    @property
    def promised(self) -> str:
        """What is kept ready for it."""
        return amount(self.money.authorised_minor, self.order.currency)

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
    money: MoneyOfReference = NO_MONEY
    is_paid_at_the_door: bool = False

    @property
    def is_charged_later(self) -> bool:
        """Money of it is, or was, only promised: what became of it is told part by part."""
        return bool(self.money.authorised_minor or self.money.let_go_minor)

    @property
    def promised(self) -> str:
        """What is kept ready to be taken, '' where that is nothing."""
        return self._some(self.money.authorised_minor)

    @property
    def taken(self) -> str:
        """What was taken, '' where that is nothing."""
        return self._some(self.money.captured_minor)

    @property
    def let_go(self) -> str:
        """What was promised and is never taken, '' where that is nothing."""
        return self._some(self.money.let_go_minor)

    @property
    def given_back(self) -> str:
        """What has gone back, or is on its way, '' where that is nothing."""
        return self._some(self.money.refunded_minor)

    def _some(self, minor: int) -> str:
        return amount(minor, self.group.currency) if minor else ""

    @property
    def verbs(self) -> set[str]:
        """What the buyer may do with the whole of it."""
        return {action.verb for action in self.actions}

    @property
    def awaits_refund(self) -> bool:
        """Money is on its way back, by the channel's hand or somebody's."""
        backs = [*self.refunds, *(back for part in self.parts for back in part.refunds)]
        return any(back.refund.status == "sent" for back in backs)

    @property
    def live_parts(self) -> list[Part]:
        """Those that are not called off."""
        return [part for part in self.parts if part.state != states.CANCELLED]

    @property
    def may_cancel(self) -> bool:
        """The buyer may call off all that is left, and that is more than one part of several."""
        return "cancel" in self.verbs and (len(self.parts) == 1 or len(self.live_parts) > 1)

    @property
    def sums(self) -> PrintedSums:
        """What it costs, and what of."""
        return printed(self.group, self.group.currency)

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
    """The page of that group; at most eight queries."""
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
    money = money_by_order(group.pk) if _is_money_told(group, lines.values()) else {}
    total = _sum(money.values())
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
                money=money.get(order.pk, NO_MONEY),
            )
            for order in orders
        ],
        refunds=refunds.get(group.pk, []),
        actions=group_actions(group, orders, Role.BUYER, at=moment),
        paid_at=_first(times[group.pk], states.GROUP.verbs_into(states.PAID)),
        money=total,
        is_paid_at_the_door=bool(total.authorised_minor) and is_paid_at_the_door(group.pk),
    )


def _is_money_told(group: OrderGroup, lines: Iterable[list[OrderLine]]) -> bool:
    """False where all that was promised was taken, or nothing was: then there is nothing to tell."""
    if group.payment_summary == OrderGroup.PaymentSummary.PAID:
        return any(line.cancelled_quantity for part in lines for line in part)
    return bool(group.status == states.PAID)


def _sum(moneys: Iterable[MoneyOfReference]) -> MoneyOfReference:
    each = list(moneys)
    return MoneyOfReference(
        sum(money.authorised_minor for money in each),
        sum(money.captured_minor for money in each),
        sum(money.refunded_minor for money in each),
        sum(money.let_go_minor for money in each),
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
