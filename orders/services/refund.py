"""Giving back a part of an order's money by hand, without calling anything off."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from django.conf import settings
from django.db.models import Sum
from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor, Role
from accounts.permissions import require_platform
from core import clock
from core.command import command, in_savepoint
from core.errors import Conflict, Denied, Invalid, NotFound
from core.money import prorate_half_up
from orders.locks import lock_order
from orders.models import Order, OrderGroup, OrderRefund
from orders.pricing import units_share_minor
from orders.services.summary import summaries_refresh
from payments.locks import lock_payments
from payments.models import LedgerEntry, Payment, PaymentShare, Refund
from payments.services.approval import refund_approve, refund_decline
from payments.services.tenders import refuse_short, tenders_refund, tenders_split

OTHER = OrderRefund.ReasonCode.OTHER


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundParts:
    """What is to go back of an order: the price of units per line, of delivery, for goodwill."""

    units: Mapping[int, int] = field(default_factory=dict)
    delivery_minor: int = 0
    goodwill_minor: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRefunded:
    """What goes back, or would: in all, to whose cost, and whether somebody must approve it.

    The merchant gets `merchant_minor` less, and the house gives back `fee_minor` of its commission.
    """

    currency: str
    amount_minor: int
    merchant_minor: int
    fee_minor: int
    waits: bool
    refunds: list[Refund]


@command
def order_refund(
    *,
    order_id: int,
    reason: str,
    request_key: str,
    actor: Actor,
    amount_minor: int = 0,
    parts: RefundParts | None = None,
    reason_code: str = OTHER,
    dry_run: bool = False,
) -> OrderRefunded:
    """Sends parts of what was paid for an order back, once per `request_key`.

    `amount_minor` alone is goodwill. What is asked for is capped by what is left, by line, for
    delivery and in all; what waits for approval counts as gone. Above the limit it waits for a
    second person. `dry_run` does all of it under the locks and undoes it.
    Locks the group, the order, its payments, store credit. Emits `refund.requested`, and unless it
    waits `refund.approved`. Raises Invalid `refund.reason_missing`, `refund.amount`, `refund.units`,
    `refund.delivery`, `refund.exceeds_captured`; Conflict `refund.key_reused`.
    """
    if not (reason.strip() or dry_run):
        raise Invalid("refund.reason_missing", _("Say why."))
    group, order = lock_order(order_id)
    asked = parts or RefundParts(goodwill_minor=amount_minor)
    payments = lock_payments(reference=group.id)
    key = f"order:{order.id}:{request_key}"
    known = OrderRefund.objects.filter(shard_key=order.shard_key, request_key=key).first()
    if known:
        return _same(known, order, asked)
    total_minor = _total_minor(order, asked)
    return in_savepoint(
        lambda: _refund(
            group, order, payments, asked, total_minor, key, (reason_code, reason), actor
        ),
        keep=lambda _: not dry_run,
    )


def _refund(
    group: OrderGroup,
    order: Order,
    payments: Sequence[Payment],
    asked: RefundParts,
    total_minor: int,
    key: str,
    why: tuple[str, str],
    actor: Actor,
) -> OrderRefunded:
    split = tenders_split(
        payments=payments, order_id=order.id, most_minor=total_minor, counts_pending=True
    )
    refuse_short(split, total_minor)
    before_minor = _left_minor(order)
    waits = _needs_second_person(total_minor, actor)
    row = OrderRefund.build(
        order.shard_key,
        order=order,
        request_key=key,
        units={str(line_id): units for line_id, units in sorted(asked.units.items())},
        delivery_minor=asked.delivery_minor,
        goodwill_minor=asked.goodwill_minor,
        amount_minor=total_minor,
        reason_code=why[0],
        reason=why[1][:200],
        actor=str(actor),
        at=clock.now(),
    )
    OrderRefund.objects.bulk_create([row])
    refunds = tenders_refund(
        parts=split,
        order_id=order.id,
        merchant_id=order.merchant_id,
        request_key=key,
        actor=actor,
        reason=why[1],
        waits=waits,
    )
    summaries_refresh(group, list(group.orders.all()), actor=actor)
    return _told(order, refunds, total_minor, before_minor, waits=waits)


def _total_minor(order: Order, asked: RefundParts) -> int:
    """What the parts come to; each is refused that is more than there is of it."""
    before = _asked_before(order)
    if asked.goodwill_minor < 0:
        raise _no_amount(asked.goodwill_minor)
    minor = asked.goodwill_minor + asked.delivery_minor
    left_minor = order.delivery_minor - sum(row.delivery_minor for row in before)
    if not 0 <= asked.delivery_minor <= left_minor:
        raise Invalid(
            "refund.delivery",
            _("More than delivery cost can't go back for it."),
            left_minor=left_minor,
        )
    for line in order.lines.filter(id__in=asked.units):
        gone = line.cancelled_quantity + sum(row.units.get(str(line.id), 0) for row in before)
        units = asked.units[line.id]
        if not 1 <= units <= line.quantity - gone:
            raise _no_units(line.id, units, line.quantity - gone)
        minor += units_share_minor(
            minor=line.total_minor - line.discount_minor + line.tax_minor,
            quantity=line.quantity,
            gone=gone,
            units=units,
        )
    for line_id in set(asked.units) - set(order.lines.values_list("id", flat=True)):
        raise _no_units(line_id, asked.units[line_id], 0)
    if minor <= 0:
        raise _no_amount(minor)
    return minor


def _asked_before(order: Order) -> list[OrderRefund]:
    """What was asked for already and not declined."""
    rows = list(OrderRefund.objects.filter(order=order, shard_key=order.shard_key))
    keys = {row.request_key for row in rows}
    declined = Refund.objects.filter(
        shard_key=order.shard_key, request_key__in=keys, status="declined"
    )
    gone = set(declined.values_list("request_key", flat=True))
    return [row for row in rows if row.request_key not in gone]


def _no_units(line_id: int, units: int, left: int) -> Invalid:
    return Invalid(
        "refund.units",
        _("Choose at least one unit, and no more than have not been refunded yet."),
        line_id=str(line_id),
        quantity=units,
        left=left,
    )


def _no_amount(amount_minor: int) -> Invalid:
    return Invalid("refund.amount", _("This amount can't be refunded."), amount_minor=amount_minor)


def _needs_second_person(amount_minor: int, actor: Actor) -> bool:
    limit_minor: int = settings.REFUND_LIMIT_MINOR
    return actor.role in (Role.MERCHANT, Role.STAFF) and amount_minor > limit_minor


def _same(known: OrderRefund, order: Order, asked: RefundParts) -> OrderRefunded:
    same = (
        known.units == {str(line_id): units for line_id, units in asked.units.items()},
        known.delivery_minor == asked.delivery_minor,
        known.goodwill_minor == asked.goodwill_minor,
    )
    if not all(same):
        raise Conflict(
            "refund.key_reused",
            _("This refund was requested with another amount."),
            request_key=known.request_key,
        )
    refunds = refunds_of_request(known)
    waits = any(refund.status == "pending" for refund in refunds)
    left_minor = _left_minor(order)
    return _told(order, refunds, known.amount_minor, left_minor + known.amount_minor, waits=waits)


def refunds_of_request(request: OrderRefund) -> list[Refund]:
    """The refunds that a request became, one per payment that it takes from."""
    rows = Refund.objects.filter(
        shard_key=request.shard_key,
        reference=request.order_id,
        request_key__regex=rf"^{request.request_key}(\.\d+)?$",
    )
    return list(rows.order_by("pk"))


def _told(
    order: Order, refunds: list[Refund], amount_minor: int, before_minor: int, *, waits: bool
) -> OrderRefunded:
    """The commission goes back by the rule of `order_accrue()`; booked, as the book has it."""
    fee_minor = _booked_fee_minor(refunds)
    if fee_minor is None:
        after_minor = before_minor - amount_minor
        fee_minor = _fee_minor(order, before_minor) - _fee_minor(order, after_minor)
    return OrderRefunded(
        currency=order.currency,
        amount_minor=amount_minor,
        merchant_minor=amount_minor - fee_minor,
        fee_minor=fee_minor,
        waits=waits,
        refunds=refunds,
    )


def _fee_minor(order: Order, left_minor: int) -> int:
    goods_minor = max(0, left_minor - order.delivery_minor)
    if not order.items_minor:
        return 0
    return prorate_half_up(order.commission_minor, goods_minor, order.items_minor)


def _booked_fee_minor(refunds: Sequence[Refund]) -> int | None:
    """The commission that the postings of these refunds took back; None before the completion."""
    refs = [f"refund:{refund.id}:{refund.tries}" for refund in refunds]
    entries = LedgerEntry.objects.filter(
        shard_key__in={refund.shard_key for refund in refunds},
        transaction__kind="refund_approved",
        transaction__ref__in=refs,
    )
    if not entries.filter(account__code="merchant_payable").exists():
        return None
    fee: int = entries.filter(account__code="commission_income").aggregate(
        minor=Sum("amount_minor", default=0)
    )["minor"]
    return fee


def _left_minor(order: Order) -> int:
    shares = PaymentShare.objects.filter(order_id=order.id, shard_key=order.shard_key)
    return sum(share.left_minor for share in shares)


@command
def order_refund_approve(*, order_refund_id: int, actor: Actor) -> list[Refund]:
    """A second person lets a refund go that waits; quiet where it went.

    Locks the group, the order, its payments, store credit. Emits `refund.approved`. Raises NotFound
    `refund.unknown`; Denied `actor.not_platform`, `refund.same_person`; Invalid
    `refund.exceeds_captured` where the money went elsewhere meanwhile; Conflict `state.conflict`.
    """
    require_platform(actor)
    group, request = _locked_request(order_refund_id)
    if person_of(request.actor) == person_of(str(actor)):
        raise Denied("refund.same_person", _("Somebody else has to approve this."))
    refunds = refund_approve(
        payments=lock_payments(reference=group.id), request=_keys(request), actor=actor
    )
    summaries_refresh(group, list(group.orders.all()), actor=actor)
    return refunds


@command
def order_refund_decline(*, order_refund_id: int, reason: str, actor: Actor) -> list[Refund]:
    """The money stays; what was asked for can be asked for anew. Quiet where it was declined.

    Locks the group, the order, its payments. Emits `refund.declined`. Raises NotFound
    `refund.unknown`; Denied `actor.not_platform`; Conflict `state.conflict`.
    """
    require_platform(actor)
    group, request = _locked_request(order_refund_id)
    return refund_decline(
        payments=lock_payments(reference=group.id),
        request=_keys(request),
        reason=reason,
        actor=actor,
    )


def _keys(request: OrderRefund) -> list[str]:
    return [refund.request_key for refund in refunds_of_request(request)]


def _locked_request(order_refund_id: int) -> tuple[OrderGroup, OrderRefund]:
    request = OrderRefund.objects.filter(pk=order_refund_id).first()
    if request is None:
        raise NotFound("refund.unknown", _("There is no such refund."), id=str(order_refund_id))
    group, _order = lock_order(request.order_id)
    return group, request


def person_of(actor: str) -> str:
    """Who it is in whatever role: `merchant:7/user:12` and `staff:user:12` are one person."""
    _role, mark, number = actor.rpartition("user:")
    return f"{mark}{number}" if mark else actor
