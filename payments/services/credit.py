"""Store credit: issued, spent beside a channel or alone, released when the channel's part fails.

All of it happens in our own transaction. A payment by store credit is a tender of its group like
any other, and holds its own shares of the orders; the payment that a channel is asked for is so much
less.
"""

from collections.abc import Sequence

from django.db.models import F, QuerySet
from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor, system
from accounts.models import Customer
from accounts.permissions import require_platform
from core import clock
from core.command import command
from core.errors import Conflict, Invalid, ProgrammingMistake
from core.fsm import fire, start
from core.locks import require_locked
from core.money import allocate
from payments import states
from payments.locks import lock_credit
from payments.models import (
    Attempt,
    CreditAccount,
    CreditEntry,
    LedgerTransaction,
    Payment,
    PaymentShare,
    Refund,
)
from payments.selectors import live_attempt, shares_of
from payments.services.ledger import Leg, post, reverse

Kind = CreditEntry.Kind

TILL = system("store credit")


@command
def credit_issue(
    *,
    customer_id: int,
    currency: str,
    amount_minor: int,
    reason: str,
    request_key: str,
    actor: Actor,
) -> CreditEntry:
    """Gives a customer credit at the house's expense, once per `request_key`.

    Locks the customer's credit. Raises Denied `actor.not_platform`; Invalid `credit.reason_missing`,
    `credit.amount`; Conflict `credit.key_reused`.
    """
    require_platform(actor)
    if not reason.strip():
        raise Invalid("credit.reason_missing", _("Say why."))
    if amount_minor <= 0:
        raise Invalid("credit.amount", _("Enter an amount above zero."), amount_minor=amount_minor)
    shard_key = Customer.objects.get(pk=customer_id).shard_key
    account = lock_credit(customer_id=customer_id, shard_key=shard_key, currency=currency)
    ref = f"issue:{customer_id}:{request_key}"
    known = CreditEntry.objects.filter(shard_key=shard_key, ref=ref).first()
    if known:
        return _same(known, account, amount_minor)
    entry = _move(account, Kind.ISSUED, amount_minor, ref=ref, reason=reason, actor=actor)
    post(
        shard_key=shard_key,
        kind="credit_issued",
        ref=f"credit:{entry.id}",
        legs=[
            Leg(code="goodwill", amount_minor=amount_minor, currency=currency),
            Leg(code="store_credit", amount_minor=-amount_minor, currency=currency),
        ],
        actor=actor,
    )
    return entry


def _same(known: CreditEntry, account: CreditAccount, amount_minor: int) -> CreditEntry:
    if (known.account_id, known.amount_minor) != (account.id, amount_minor):
        raise Conflict(
            "credit.key_reused", _("This credit was issued with another amount."), ref=known.ref
        )
    return known


def credit_part_off(*, payment: Payment, amount_minor: int) -> list[PaymentShare]:
    """Takes what credit is to pay off an open payment and its shares, by largest remainder.

    Part of a service; `payment` is locked. Answers the shares of the credit, not saved yet. Where
    nothing is left the payment is closed. Emits `payment.closed` then.
    Raises Invalid `credit.amount`; Conflict `payment.not_open`.
    """
    require_locked(payment)
    if payment.status != "open":
        raise Conflict("payment.not_open", _("This can't be paid any more."), state=payment.status)
    if not 0 < amount_minor <= payment.amount_minor:
        raise Invalid(
            "credit.amount",
            _("Use no more store credit than there is to pay."),
            amount_minor=amount_minor,
            most_minor=payment.amount_minor,
        )
    shares = shares_of(payment)
    parts = allocate(amount_minor, [share.amount_minor for share in shares])
    taken = [
        PaymentShare.build(
            payment.shard_key,
            order_id=share.order_id,
            merchant_id=share.merchant_id,
            amount_minor=part_minor,
        )
        for share, part_minor in zip(shares, parts, strict=True)
        if part_minor
    ]
    _ask_for(payment, taken, -1)
    return taken


def credit_part_on(*, payment: Payment, shares: Sequence[PaymentShare]) -> None:
    """Undoes `credit_part_off()`: the channel is to bring these parts again. Part of a service."""
    require_locked(payment)
    _ask_for(payment, shares, +1)


def _ask_for(payment: Payment, shares: Sequence[PaymentShare], sign: int) -> None:
    amount_minor = payment.amount_minor + sign * sum(share.amount_minor for share in shares)
    for share in shares:
        change_minor = sign * share.amount_minor
        counted = PaymentShare.objects.filter(
            payment=payment,
            order_id=share.order_id,
            shard_key=payment.shard_key,
            amount_minor__gte=-change_minor,
        ).update(amount_minor=F("amount_minor") + change_minor)
        if not counted:
            raise ProgrammingMistake(f"{share} is not a part of {payment!r}")
    if amount_minor == 0 and payment.status == "open":
        # In one statement: only what nobody waits for may ask for nothing.
        fields = {"amount_minor": 0}
        fire(payment, verb="close", actor=TILL, fields=fields, payload={"open_attempt_id": None})
        return
    rows = Payment.objects.filter(pk=payment.pk, shard_key=payment.shard_key)
    rows.update(amount_minor=amount_minor)
    payment.amount_minor = amount_minor


def credit_spend(
    *,
    payment: Payment,
    account: CreditAccount,
    shares: Sequence[PaymentShare],
    attempt: Attempt | None,
    actor: Actor,
) -> Payment:
    """Pays these parts of a group with credit; `attempt` is to bring the rest. Part of a service.

    `payment`, the channel's of the group, and `account` are locked.
    Emits `payment.opened`, `payment.captured`. Raises Conflict `credit.short`.
    """
    require_locked(payment)
    amount_minor = sum(share.amount_minor for share in shares)
    credit = Payment.build(
        payment.shard_key,
        reference=payment.reference,
        tender=Payment.Tender.STORE_CREDIT,
        currency=payment.currency,
        amount_minor=amount_minor,
        credit_account=account,
        beside=attempt,
    )
    for share in shares:
        share.payment = credit
    if not _is_enough(account, amount_minor):
        raise Conflict(
            "credit.short",
            _("There is not that much store credit any more."),
            amount_minor=amount_minor,
            balance_minor=account.balance_minor,
        )
    start([credit], verb="open", actor=actor)
    PaymentShare.objects.bulk_create(shares)
    _capture(credit, actor)
    return credit


def credit_release(*, credit: Payment, payment: Payment, actor: Actor, reason: str) -> None:
    """Undoes `credit_spend()`: the credit is the customer's again, `payment` asks for all of it.

    Part of a service; both payments and the credit's account are locked. Emits `payment.released`.
    """
    require_locked(credit)
    shares = shares_of(credit)
    ref = _ref(credit)
    posting = LedgerTransaction.objects.filter(
        shard_key=credit.shard_key, kind="credit_spent", ref__startswith=f"payment:{credit.id}:"
    ).latest("pk")
    _move(
        _account_of(credit),
        Kind.RETURNED,
        credit.amount_minor,
        ref=ref,
        reason=reason,
        actor=actor,
        payment=credit,
    )
    reverse(posting=posting, kind="credit_released", ref=ref, actor=actor)
    _shares(credit).update(captured_minor=0)
    credit_part_on(payment=payment, shares=shares)
    fire(credit, verb="release", actor=actor, reason=reason, fields={"captured_minor": 0})


def credit_retake(*, credit: Payment, payment: Payment, actor: Actor) -> bool:
    """Spends released credit once more, for its attempt has brought the rest after all.

    Part of a service; both payments and the account are locked. False, and nothing is changed, where
    the credit is gone, or the orders have come to cost less than it. Emits `payment.captured`.
    """
    require_locked(credit)
    shares = shares_of(credit)
    asked = {share.order_id: share.amount_minor for share in shares_of(payment)}
    fits = all(share.amount_minor <= asked[share.order_id] for share in shares)
    leaves_some = payment.amount_minor > credit.amount_minor
    if not (credit.status == "closed" and fits and leaves_some):
        return False
    if not _is_enough(_account_of(credit), credit.amount_minor):
        return False
    _ask_for(payment, shares, -1)
    _capture(credit, actor)
    return True


def credit_makes_up(*, attempt: Attempt, credit: Payment | None, actor: Actor) -> bool:
    """True where a locked attempt brings all that its payment asks for, if need be with its credit.

    Part of a service that has locked `credit`, the payment that was to make up the rest. Another
    attempt that lives may have its credit too: then it is not spent a second time.
    """
    payment = attempt.payment
    if attempt.amount_minor >= payment.amount_minor:
        return True
    live = live_attempt(payment)
    if credit is None or (live and live.pk != attempt.pk):
        return False
    return credit_retake(credit=credit, payment=payment, actor=actor)


def credit_release_in_vain(*, attempt: Attempt, credit: Payment, actor: Actor) -> None:
    """Releases the credit beside a try that has come to nothing, unless another try has paid.

    Part of a service that has locked all of them. Emits `payment.released`.
    """
    payment = attempt.payment
    has_ended = not attempt.is_live and attempt.status != "succeeded"
    is_unpaid = states.PAYMENT.may("capture", payment.status) and payment.status != "authorised"
    if has_ended and is_unpaid and credit.status == "captured":
        reason = f"attempt {attempt.status}"
        credit_release(credit=credit, payment=payment, actor=actor, reason=reason)


def credits_release(*, payments: Sequence[Payment], actor: Actor, reason: str) -> None:
    """Releases the credit of groups whose channels have not paid their part. Part of a service.

    All payments of the groups are given, locked. Emits `payment.released`.
    """
    waiting = {
        payment.reference: payment
        for payment in payments
        if not payment.is_credit and states.PAYMENT.may("close", payment.status)
    }
    for credit in payments:
        if credit.is_credit and credit.status == "captured" and credit.reference in waiting:
            payment = waiting[credit.reference]
            credit_release(credit=credit, payment=payment, actor=actor, reason=reason)


def credit_take_back(*, refund: Refund, actor: Actor) -> None:
    """A sent refund becomes the customer's credit. Part of a service that books it.

    The refund's account is locked.
    """
    account = refund.credit_account
    if account is None:
        raise ProgrammingMistake(f"{refund!r} has no account of store credit")
    _move(
        account,
        Kind.RETURNED,
        refund.amount_minor,
        ref=f"refund:{refund.id}:{refund.tries}",
        reason=refund.reason,
        actor=actor,
        payment=refund.payment if refund.payment.is_credit else None,
        refund=refund,
    )


def _is_enough(account: CreditAccount, amount_minor: int) -> bool:
    require_locked(account)
    return account.balance_minor >= amount_minor


def _capture(credit: Payment, actor: Actor) -> None:
    """Of a credit that is open, or was released; its account has enough."""
    ref = _ref(credit)
    _move(
        _account_of(credit), Kind.SPENT, -credit.amount_minor, ref=ref, actor=actor, payment=credit
    )
    _shares(credit).update(captured_minor=F("amount_minor"))
    own = Leg(code="store_credit", amount_minor=credit.amount_minor, currency=credit.currency)
    legs = [
        Leg(
            code="escrow",
            amount_minor=-share.amount_minor,
            currency=credit.currency,
            order_id=share.order_id,
            merchant_id=share.merchant_id,
        )
        for share in shares_of(credit)
    ]
    post(shard_key=credit.shard_key, kind="credit_spent", ref=ref, legs=[own, *legs], actor=actor)
    fields = {"captured_minor": credit.amount_minor}
    payload = {"attempt_id": None, "open_attempt_id": None}
    fire(credit, verb="capture", actor=TILL, fields=fields, payload=payload)


def _ref(credit: Payment) -> str:
    """Names what is done now: the version grows with each time it is spent or released."""
    return f"payment:{credit.id}:{credit.version}"


def _account_of(credit: Payment) -> CreditAccount:
    account = credit.credit_account
    if account is None:
        raise ProgrammingMistake(f"{credit!r} has no account of store credit")
    return account


def _shares(payment: Payment) -> QuerySet[PaymentShare]:
    return PaymentShare.objects.filter(payment=payment, shard_key=payment.shard_key)


def _move(
    account: CreditAccount,
    kind: str,
    amount_minor: int,
    *,
    ref: str,
    actor: Actor,
    reason: str = "",
    payment: Payment | None = None,
    refund: Refund | None = None,
) -> CreditEntry:
    """Moves the balance of a locked account and says why; the constraint stands behind it."""
    require_locked(account)
    counted = CreditAccount.objects.filter(
        pk=account.pk, shard_key=account.shard_key, balance_minor__gte=-amount_minor
    ).update(balance_minor=F("balance_minor") + amount_minor)
    if not counted:
        raise ProgrammingMistake(f"{account!r} changed under its lock")
    account.balance_minor += amount_minor
    entry = CreditEntry.build(
        account.shard_key,
        account=account,
        kind=kind,
        amount_minor=amount_minor,
        ref=ref,
        reason=reason[:200],
        payment=payment,
        refund=refund,
        actor=str(actor),
        at=clock.now(),
    )
    CreditEntry.objects.bulk_create([entry])
    return entry
