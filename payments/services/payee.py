"""Where a merchant is paid to, and why it is paid nothing for now."""

from datetime import datetime

from django.utils.translation import gettext_lazy as _
from stdnum import iban as bank_account
from stdnum.exceptions import ValidationError

from accounts.actors import Actor
from accounts.locks import lock_merchant
from accounts.models import Merchant
from accounts.permissions import require_platform
from accounts.rows import valid
from core import clock
from core.command import command
from core.errors import Conflict, Invalid
from core.outbox import Fact, emit
from payments.locks import lock_payee
from payments.models import MerchantAccount, PayoutHold
from payments.statements import account_of, hold_of


@command
def merchant_account_change(
    *, merchant_id: int, holder: str, iban: str, actor: Actor
) -> MerchantAccount:
    """Has the merchant paid to that account from now on; the one before is kept. Quiet for the same.

    What two people have approved goes to the account that they have approved.
    Locks the merchant. Emits `merchant.account_changed`. Raises NotFound `merchant.unknown` for one
    that is not the actor's; Invalid `account.iban`, `merchantaccount.invalid`.
    """
    merchant = lock_merchant(merchant_id, actor=actor)
    given, name = _checked(iban), " ".join(holder.split())
    known = account_of(merchant.pk)
    if known and (known.iban, known.holder) == (given, name):
        return known
    account = valid(
        MerchantAccount.build(
            merchant.shard_key,
            merchant=merchant,
            holder=name,
            iban=given,
            actor=str(actor),
            at=clock.now(),
        )
    )
    MerchantAccount.objects.bulk_create([account])
    emit([_fact(merchant, "merchant.account_changed", actor, account=account.masked)])
    return account


def _checked(iban: str) -> str:
    try:
        return str(bank_account.validate(iban))
    except ValidationError:
        raise Invalid("account.iban", _("This is no IBAN: look at its digits again.")) from None


@command
def payout_hold(
    *, merchant_id: int, reason: str, until: datetime | None, actor: Actor
) -> PayoutHold:
    """Has a merchant paid nothing, until then or until it is released. Locks the merchant.

    What is on its way goes on; what is approved and not sent waits. Emits `merchant.payouts_held`.
    Raises Denied; NotFound `merchant.unknown`; Invalid `hold.reason`, `hold.past`; Conflict
    `hold.held` where they are on hold for another reason.
    """
    require_platform(actor)
    merchant, now = lock_payee(merchant_id), clock.now()
    if not reason.strip():
        raise Invalid("hold.reason", _("Say why."))
    if until and until <= now:
        raise Invalid("hold.past", _("The hold would be over already."))
    if known := hold_of(merchant.pk, now):
        return _same(known, reason, until)
    _end(merchant, actor, now)
    hold = valid(
        PayoutHold.build(
            merchant.shard_key,
            merchant=merchant,
            reason=reason,
            until=until,
            held_by=str(actor),
            held_at=now,
        )
    )
    PayoutHold.objects.bulk_create([hold])
    emit([_fact(merchant, "merchant.payouts_held", actor, reason=reason)])
    return hold


def _same(known: PayoutHold, reason: str, until: datetime | None) -> PayoutHold:
    if (known.reason, known.until) != (reason, until):
        raise Conflict(
            "hold.held",
            _("Payouts are on hold already: %(reason)s") % {"reason": known.reason},
            reason=known.reason,
        )
    return known


@command
def payout_release(*, merchant_id: int, actor: Actor) -> None:
    """Ends the hold of a merchant's payouts; quiet where there is none. Locks the merchant.

    The next statement pays what was kept back. Emits `merchant.payouts_released`.
    Raises Denied, NotFound `merchant.unknown`.
    """
    require_platform(actor)
    merchant, now = lock_payee(merchant_id), clock.now()
    if _end(merchant, actor, now):
        emit([_fact(merchant, "merchant.payouts_released", actor)])


def _end(merchant: Merchant, actor: Actor, now: datetime) -> bool:
    """Ends the hold that nobody has ended, be it over by itself or not."""
    holds = PayoutHold.objects.filter(
        shard_key=merchant.shard_key, merchant=merchant, released_at__isnull=True
    )
    return bool(holds.update(released_at=now, released_by=str(actor)))


def _fact(merchant: Merchant, event_type: str, actor: Actor, **payload: str) -> Fact:
    return Fact(
        stream=("merchant", merchant.pk),
        shard_key=merchant.shard_key,
        type=event_type,
        object_id=merchant.pk,
        payload={"merchant_id": str(merchant.pk), "actor": str(actor), **payload},
    )
