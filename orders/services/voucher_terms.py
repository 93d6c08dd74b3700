"""What vouchers promise: create, amend, stop ↔ resume. The platform any, a merchant its own."""

from dataclasses import asdict, dataclass
from datetime import datetime

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor
from accounts.models import Merchant
from accounts.permissions import PLATFORM, own
from accounts.rows import insert, valid
from core import clock
from core.command import command
from core.errors import Conflict, Denied, Invalid, NotFound
from core.ids import gene
from core.money import EXPONENTS
from core.outbox import Fact, emit
from orders.locks import lock_voucher
from orders.models import Voucher
from orders.selectors.voucher import most_uses_of_one

Kind, Funder = Voucher.Kind, Voucher.Funder


@dataclass(frozen=True, slots=True, kw_only=True)
class NewVoucher:
    """What a voucher starts with; the fields are those of the model.

    It begins at once where `starts_at` is None. Amounts are in minor units of `currency`.
    """

    code: str
    kind: str
    funded_by: str
    basis_points: int = 0
    amount_minor: int = 0
    currency: str = ""
    merchant_id: int | None = None
    minimum_minor: int = 0
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    per_customer_limit: int | None = None
    total_limit: int | None = None


@command
def voucher_create(*, voucher: NewVoucher, actor: Actor) -> Voucher:
    """A voucher that may be used from its beginning on. Emits `voucher.created`.

    A merchant's actor makes only what that merchant pays for.
    Raises Denied `voucher.funder`, NotFound `merchant.unknown`, Invalid `voucher.invalid`,
    Conflict `voucher.code_taken`.
    """
    merchant = _merchant(voucher, actor)
    given = asdict(voucher) | {"code": voucher.code.strip().upper()}
    row = valid(Voucher(**given | {"starts_at": voucher.starts_at or clock.now()}))
    _refuse_terms(row, merchant)
    insert([row], code="voucher.code_taken", taken=_("There is a voucher with this code already."))
    emit([_fact(row, "voucher.created", actor)])
    return row


@command
def voucher_amend(
    *,
    voucher_id: int,
    ends_at: datetime | None,
    per_customer_limit: int | None,
    total_limit: int | None,
    actor: Actor,
) -> Voucher:
    """Gives a voucher another end and other limits; None takes one away. Emits `voucher.amended`.

    What is used already stays so. Locks the voucher. Raises NotFound `voucher.unknown`, Invalid
    `voucher.invalid`, Conflict `voucher.used_more`.
    """
    row = _own(voucher_id, actor)
    row.ends_at, row.per_customer_limit, row.total_limit = ends_at, per_customer_limit, total_limit
    valid(row)
    _refuse_dates(row)
    _refuse_below_use(row.used_count, total_limit)
    _refuse_below_use(most_uses_of_one(row), per_customer_limit)
    fields = {
        "ends_at": ends_at,
        "per_customer_limit": per_customer_limit,
        "total_limit": total_limit,
    }
    Voucher.objects.filter(pk=row.pk).update(**fields)
    emit([_fact(row, "voucher.amended", actor)])
    return row


@command
def voucher_stop(*, voucher_id: int, reason: str, actor: Actor) -> Voucher:
    """Nobody can use it from now on; orders that carry it keep it. Quiet where it is stopped.

    Locks the voucher. Emits `voucher.stopped`. Raises NotFound `voucher.unknown`.
    """
    return _set_active(voucher_id, False, "voucher.stopped", reason, actor)


@command
def voucher_resume(*, voucher_id: int, reason: str, actor: Actor) -> Voucher:
    """It can be used again, within its dates and limits. Quiet where it can.

    Locks the voucher. Emits `voucher.resumed`. Raises NotFound `voucher.unknown`.
    """
    return _set_active(voucher_id, True, "voucher.resumed", reason, actor)


def _set_active(
    voucher_id: int, active: bool, event_type: str, reason: str, actor: Actor
) -> Voucher:
    row = _own(voucher_id, actor)
    if row.active != active:
        row.active = active
        Voucher.objects.filter(pk=row.pk).update(active=active)
        emit([_fact(row, event_type, actor, reason=reason)])
    return row


def _own(voucher_id: int, actor: Actor) -> Voucher:
    """The voucher, locked, where the actor may change it: a merchant only what it pays for."""
    row = lock_voucher(voucher_id)
    mine = own(Voucher.objects.filter(pk=row.pk), actor=actor)
    if actor.role not in PLATFORM:
        mine = mine.filter(funded_by=Funder.MERCHANT)
    if not mine.exists():
        raise NotFound("voucher.unknown", _("There is no such voucher."), id=str(voucher_id))
    return row


def _merchant(voucher: NewVoucher, actor: Actor) -> Merchant | None:
    if actor.role not in PLATFORM and (
        voucher.funded_by != Funder.MERCHANT or voucher.merchant_id is None
    ):
        raise Denied("voucher.funder", _("Only the platform can pay for a voucher of others."))
    if voucher.merchant_id is None:
        return None
    sellers = own(Merchant.objects.filter(pk=voucher.merchant_id), actor=actor, field="pk")
    for merchant in sellers:
        return merchant
    raise NotFound("merchant.unknown", _("There is no such merchant."), id=str(voucher.merchant_id))


def _refuse_terms(row: Voucher, merchant: Merchant | None) -> None:
    """What no field can say alone. Raises Invalid `voucher.invalid`."""
    if row.kind == Kind.PERCENTAGE and not row.basis_points:
        raise _invalid("basis_points", _("Say how much of the goods it takes off."))
    if row.kind != Kind.PERCENTAGE and row.basis_points:
        raise _invalid("basis_points", _("Only a part of the goods is given in per cent."))
    if row.kind == Kind.FIXED and not row.amount_minor:
        raise _invalid("amount_minor", _("Say how much it takes off."))
    if row.kind == Kind.PERCENTAGE and row.amount_minor:
        raise _invalid("amount_minor", _("A part of the goods has no amount of its own."))
    if row.funded_by == Funder.MERCHANT and merchant is None:
        raise _invalid("merchant", _("Say which merchant pays for it."))
    _refuse_currency(row, merchant)
    _refuse_dates(row)


def _refuse_currency(row: Voucher, merchant: Merchant | None) -> None:
    if (row.amount_minor or row.minimum_minor) and not row.currency:
        raise _invalid("currency", _("An amount needs its currency."))
    if row.currency and row.currency not in EXPONENTS:
        raise _invalid("currency", _("This is not the code of a currency."))
    if row.currency and merchant and row.currency != merchant.currency:
        raise _invalid(
            "currency",
            _("%(merchant)s sells in %(currency)s.")
            % {"merchant": merchant.name, "currency": merchant.currency},
        )


def _refuse_dates(row: Voucher) -> None:
    if row.ends_at is not None and row.ends_at <= row.starts_at:
        raise _invalid("ends_at", _("It must end after it has begun."))


def _refuse_below_use(used: int, limit: int | None) -> None:
    if limit is not None and limit < used:
        raise Conflict(
            "voucher.used_more",
            _("It is used %(used)s times already. The limit can't be below that.") % {"used": used},
            used=used,
        )


def _invalid(field: str, message: str | Promise) -> Invalid:
    fields = {field: [str(message)]}
    return Invalid("voucher.invalid", _("Some of this is not right."), fields=fields)


def _fact(row: Voucher, event_type: str, actor: Actor, **payload: str) -> Fact:
    return Fact(
        stream=("voucher", row.pk),
        shard_key=gene(row.pk),
        type=event_type,
        object_id=row.pk,
        payload={"code": row.code, "actor": str(actor), **payload},
    )
