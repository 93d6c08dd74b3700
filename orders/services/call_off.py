"""Calling off: the parts that cancelling and the answer to a buyer's request are made of.

Whatever is called off, all of a group or a single unit of a line, is a list of cuts: it goes through
the same two functions, one for what is not paid yet and one for what is.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import F
from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor, Role, system
from core import clock
from core.errors import Conflict, Invalid, ProgrammingMistake
from core.fsm import fire
from delivery.locks import lock_shipments
from delivery.selectors import all_delivered
from delivery.services import shipments_void
from inventory.locks import lock_reservations
from inventory.services import reservation_reduce
from orders import states
from orders.locks import lock_open_requests, lock_vouchers_of
from orders.models import CancelRequest, Order, OrderGroup, OrderLine
from orders.pricing import units_share_minor
from orders.services.summary import summaries_refresh
from orders.services.voucher import vouchers_give_back
from payments.locks import lock_payments
from payments.models import Payment
from payments.selectors import asked_minor, channel_payment, untaken_minor
from payments.services.capture import share_void
from payments.services.collect import payment_close
from payments.services.reduce import payment_reduce
from payments.services.tenders import tenders_refund, tenders_split

LAST_ORDER = system("last order")
LAST_UNIT = system("last unit")


@dataclass(frozen=True, slots=True)
class Cancellation:
    """What was called off, or would be: units per line, and its money in minor units.

    `refund_minor` goes back, `let_go_minor` was promised and is never charged, `called_off_minor` is
    never to be paid. `is_whole`: nothing is left of the order, or the group, of that number.
    """

    number: str
    currency: str
    units: dict[int, int]
    refund_minor: int
    called_off_minor: int
    is_whole: bool
    let_go_minor: int = 0


@dataclass(frozen=True, slots=True)
class Back:
    """What calling off does to money that was taken, and to money that was only promised."""

    refund_minor: int
    let_go_minor: int


NOTHING_BACK = Back(0, 0)


@dataclass(frozen=True, slots=True)
class Cut:
    """What of a locked order is to be called off: units per line, each at least 1."""

    order: Order
    lines: list[OrderLine]
    units: dict[int, int]

    @property
    def has_left(self) -> bool:
        """Some unit of the order has left."""
        return any(line.shipped_quantity for line in self.lines)

    @property
    def leaves_open(self) -> bool:
        """Some unit is still to leave."""
        return any(line.open_quantity > self.units.get(line.id, 0) for line in self.lines)

    @property
    def is_whole(self) -> bool:
        """Nothing of the order is left."""
        return not (self.has_left or self.leaves_open)

    @property
    def gone_units(self) -> int:
        """Units of the order that are called off then; grows with every cut, so it names this one."""
        return sum(line.cancelled_quantity + self.units.get(line.id, 0) for line in self.lines)

    @property
    def goods_minor(self) -> int:
        """What the units cost. Delivery goes only with the whole order."""
        return sum(
            units_share_minor(
                minor=line.payable_minor,
                quantity=line.quantity,
                gone=line.cancelled_quantity,
                units=self.units.get(line.id, 0),
            )
            for line in self.lines
        )


def cut_of(order: Order, quantities: Mapping[int, int] | None) -> Cut:
    """The cut of a locked order; None: of all that has not left.

    Raises Conflict `cancel.nothing_open`, Invalid `cancel.quantity`.
    """
    lines = list(order.lines.order_by("id"))
    open_units = {line.id: line.open_quantity for line in lines if line.open_quantity}
    if not open_units:
        raise Conflict(
            "cancel.nothing_open",
            _("All of this has left. It can be returned."),
            id=str(order.id),
            state=order.status,
        )
    units = open_units if quantities is None else dict(quantities)
    for line_id, quantity in units.items():
        if not 1 <= quantity <= open_units.get(line_id, 0):
            raise _wrong_quantity(line_id, quantity, open_units.get(line_id, 0))
    if not units:
        raise _wrong_quantity(0, 0, sum(open_units.values()))
    return Cut(order, lines, units)


def _wrong_quantity(line_id: int, quantity: int, most: int) -> Invalid:
    return Invalid(
        "cancel.quantity",
        _("Choose at least one unit, and no more than have not left yet."),
        line_id=str(line_id),
        quantity=quantity,
        open=most,
    )


def refuse_buyer_once_packed(order: Order, actor: Actor) -> None:
    """From then on it is the merchant's to say. Raises Conflict `cancel.too_late`."""
    may = states.ORDER.allows(order, "reduce", actor.role, order.status_changed_at)
    if actor.role == Role.BUYER and not may:
        raise Conflict(
            "cancel.too_late",
            _("%(merchant)s has already packed this. You can return it after delivery.")
            % {"merchant": order.merchant.name},
            id=str(order.id),
            state=order.status,
        )


def call_off_unpaid(
    *, group: OrderGroup, cuts: Sequence[Cut], actor: Actor, reason: str, restock: bool
) -> int:
    """Takes cuts off a group that waits for its payment; answers what is never to be paid.

    Where nothing is left of the group it is cancelled as a whole, its voucher is given back, and
    money that is on its way all the same goes back when it arrives. Else its payment asks for less, unless somebody is making it
    at once; a transfer that is on its way comes whole, and what is too much of it goes back.
    Locks payments, the voucher, reservations, stock rows. Emits `payment.closed`,
    `order_group.cancelled`,
    `order.cancelled`, `order.reduced`. Raises Conflict `payment.in_progress`.
    """
    payments = lock_payments(reference=group.id)
    ends = _ends(group, cuts)
    if ends:
        lock_vouchers_of([group])
    lock_reservations(_line_ids(cuts))
    count_cancelled(cuts)
    if ends:
        vouchers_give_back([group])
        minor = _cancel_whole_group(group, cuts, actor, reason)
    else:
        payment = channel_payment(payments)
        minor = sum(_reduce_unpaid(payment, cut, actor, reason) for cut in cuts)
        fields = {"called_off_minor": group.called_off_minor + minor}
        fire(group, verb="amend", actor=actor, reason=reason, fields=fields)
    reservation_reduce(quantities=_units(cuts), actor=actor, reason=reason, restock=restock)
    return minor


def _ends(group: OrderGroup, cuts: Sequence[Cut]) -> bool:
    """Nothing is left of the locked group after these cuts; a voucher is kept for anything less."""
    others = group.orders.exclude(id__in=[cut.order.id for cut in cuts])
    is_whole = all(cut.is_whole for cut in cuts)
    return is_whole and not others.exclude(status=states.CANCELLED).exists()


def _cancel_whole_group(group: OrderGroup, cuts: Sequence[Cut], actor: Actor, reason: str) -> int:
    """The amounts stay: by them the money that still comes is recognised and given back."""
    payment_close(reference=group.id, actor=actor, reason=reason)
    # A merchant calls off only what is theirs; that the group ends with it is nobody's wish.
    ends = LAST_ORDER if actor.role == Role.MERCHANT else actor
    fire(group, verb="cancel", actor=ends, reason=reason)
    fire([cut.order for cut in cuts], verb="cancel", actor=actor, reason=reason)
    return group.payable_minor


def _reduce_unpaid(payment: Payment, cut: Cut, actor: Actor, reason: str) -> int:
    order = cut.order
    minor = order.payable_minor if cut.is_whole else cut.goods_minor
    payment_reduce(payment=payment, order_id=order.id, amount_minor=minor)
    fire(
        order,
        verb="cancel" if cut.is_whole else "reduce",
        actor=actor,
        reason=reason,
        payload=told_of(cut, called_off_minor=minor),
        fields={"called_off_minor": order.called_off_minor + minor},
    )
    return minor


def call_off_paid(
    *,
    group: OrderGroup,
    cuts: Sequence[Cut],
    actor: Actor,
    reason: str,
    restock: bool,
    granted: CancelRequest | None = None,
    cause: str = "",
) -> Back:
    """Takes cuts off orders of a paid group; answers what goes back, and what is never charged.

    An order of which nothing is left is cancelled; one whose other units have all left has shipped,
    and is delivered where they have arrived. The voucher is given back with the last order. Approves
    the request that is `granted`, or one of a buyer who could get nothing more by it. Events carry
    the `cause` that is none's wish.
    Locks cancel requests, payments, shipments, the voucher, reservations, stock rows.
    Emits `payment.captured`, `payment.closed`, `refund.requested`, `refund.approved`,
    `shipment.voided`, `cancel_request.approved`, `order.cancelled`, `order.reduced`,
    `order.shipped`, `order.delivered`.
    """
    requests = [granted] if granted else lock_open_requests([cut.order for cut in cuts])
    payments = lock_payments(reference=group.id)
    lock_shipments([cut.order.id for cut in cuts])
    ends = _ends(group, cuts)
    if ends:
        lock_vouchers_of([group])
    lock_reservations(_line_ids(cuts))
    count_cancelled(cuts)
    if ends:
        vouchers_give_back([group])
    _approve([cut for cut in cuts if granted or not cut.leaves_open], requests, actor)
    backs = [_reduce_paid(payments, cut, actor, reason, cause) for cut in cuts]
    summaries_refresh(group, list(group.orders.all()), actor=actor)
    reservation_reduce(quantities=_units(cuts), actor=actor, reason=reason, restock=restock)
    return Back(
        refund_minor=sum(back.refund_minor for back in backs),
        let_go_minor=sum(back.let_go_minor for back in backs),
    )


def _approve(cuts: Sequence[Cut], requests: Sequence[CancelRequest], actor: Actor) -> None:
    orders = {cut.order.id: cut.order for cut in cuts}
    answered = [request for request in requests if request.order_id in orders]
    fire(answered, verb="approve", actor=actor)
    settle_requests([orders[request.order_id] for request in answered], actor)


def settle_requests(orders: Sequence[Order], actor: Actor) -> None:
    """The buyers' requests to cancel these orders have their answers."""
    fields = {"cancel_requested_until": None}
    fire(orders, verb="settle_request", actor=actor, fields=fields)


def _reduce_paid(
    payments: Sequence[Payment], cut: Cut, actor: Actor, reason: str, cause: str
) -> Back:
    back = give_back(payments, cut, actor, reason)
    told = told_of(cut, back=back, cause=cause)
    if cut.is_whole:
        shipments_void(references=[cut.order.id], actor=actor, reason=reason)
        fire(cut.order, verb="cancel", actor=actor, reason=reason, payload=told)
        return back
    fire(cut.order, verb="reduce", actor=actor, reason=reason, payload=told)
    if not cut.leaves_open:
        _ship_rest(cut.order, reason)
    return back


def _ship_rest(order: Order, reason: str) -> None:
    """Nobody will hand over a last parcel, nor will one be scanned: the ones before were the last."""
    moment = clock.now()
    fire(order, verb="ship", actor=LAST_UNIT, reason=reason, at=moment)
    if all_delivered(order.id):
        fields = {"return_until": moment + timedelta(days=order.return_window_days)}
        fire(order, verb="deliver", actor=LAST_UNIT, at=moment, fields=fields)


def give_back(payments: Sequence[Payment], cut: Cut, actor: Actor, reason: str) -> Back:
    """The cut's part of the money: of all, the rest. What is only promised is let go first, then what
    was taken goes back, as far as it has not by hand.
    """
    left_minor = sys.maxsize if cut.is_whole else cut.goods_minor
    let_go_minor = _let_go(payments, cut, left_minor, actor)
    refund_minor = _refund(payments, cut, left_minor - let_go_minor, actor, reason)
    return Back(refund_minor, let_go_minor)


def _let_go(payments: Sequence[Payment], cut: Cut, most_minor: int, actor: Actor) -> int:
    order, let_go_minor = cut.order, 0
    for payment in payments:
        open_minor = untaken_minor(payment, order.id) - asked_minor(payment, order.id)
        amount_minor = min(open_minor, most_minor - let_go_minor)
        if amount_minor:
            share_void(payment=payment, order_id=order.id, amount_minor=amount_minor, actor=actor)
            let_go_minor += amount_minor
    return let_go_minor


def _refund(
    payments: Sequence[Payment], cut: Cut, most_minor: int, actor: Actor, reason: str
) -> int:
    order = cut.order
    parts = tenders_split(
        payments=payments, order_id=order.id, most_minor=most_minor, counts_pending=False
    )
    tenders_refund(
        parts=parts,
        order_id=order.id,
        merchant_id=order.merchant_id,
        request_key=f"cancel:{order.id}:{cut.gone_units}",
        actor=actor,
        reason=reason,
    )
    return sum(part.amount_minor for part in parts)


def told_of(
    cut: Cut, *, back: Back = NOTHING_BACK, called_off_minor: int = 0, cause: str = ""
) -> dict[str, object]:
    """What the event says beside the order itself."""
    return {
        "units": {str(line_id): units for line_id, units in sorted(cut.units.items())},
        "refund_minor": back.refund_minor,
        "let_go_minor": back.let_go_minor,
        "called_off_minor": called_off_minor,
        "cause": cause,
    }


def count_cancelled(cuts: Sequence[Cut]) -> None:
    """Counts the cuts' units, in the database only: the cuts go on to tell by the lines as they were."""
    for cut in cuts:
        for line_id, units in sorted(cut.units.items()):
            counted = OrderLine.objects.filter(
                pk=line_id,
                shard_key=cut.order.shard_key,
                quantity__gte=F("shipped_quantity") + F("cancelled_quantity") + units,
            ).update(cancelled_quantity=F("cancelled_quantity") + units)
            if not counted:
                raise ProgrammingMistake(f"line {line_id} changed under its order's lock")


def _units(cuts: Sequence[Cut]) -> dict[int, int]:
    return {line_id: units for cut in cuts for line_id, units in cut.units.items()}


def _line_ids(cuts: Sequence[Cut]) -> list[int]:
    return list(_units(cuts))
