"""Paying a merchant: approved by one person or two, sent to the channel, folded from what it says."""

from dataclasses import dataclass

from django.conf import settings
from django.db import connection
from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor, Role
from core import clock
from core.command import command
from core.errors import Conflict, Denied
from core.fsm import fire
from core.locks import require_locked
from payments import states
from payments.channels.base import Answer
from payments.channels.payout import NAME
from payments.locks import lock_payout
from payments.models import (
    ChannelFact,
    LedgerTransaction,
    MerchantAccount,
    Payout,
    PayoutApproval,
    PayoutFact,
)
from payments.services.ledger import Leg, post, reverse
from payments.statements import account_of, amount, hold_of

Kind = PayoutFact.Kind
# What the auditor must not find of a merchant before money leaves for it.
BOOKS = ("settlement_02_closing", "settlement_04_payout_amount")


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutSaid:
    """One statement of the channel about a try of a payout, and how we came to know it."""

    kind: str
    try_number: int
    amount_minor: int
    currency: str
    channel_ref: str
    origin: str
    failure_code: str = ""


def approvals_needed(payout: Payout) -> int:
    """Two above the limit, one up to it."""
    return 2 if payout.amount_minor > settings.PAYOUT_SECOND_PERSON_ABOVE_MINOR else 1


@command
def payout_approve(*, payout_id: int, actor: Actor) -> Payout:
    """Adds one person's approval to the merchant's present account; the last one lets it leave.

    Above the limit it takes two people. Quiet when it is on its way.
    Locks the merchant, the payout. Emits `payout.approved` with the last one.
    Raises NotFound `payout.unknown`; Denied `actor.not_platform`, `payout.needs_people`; Conflict
    `payout.held`, `payout.no_account`, `payout.not_scheduled`, `payout.approved_by_you`.
    """
    payout = lock_payout(payout_id)
    _require_person(payout, actor)
    if payout.status in states.PAYOUT.in_chapter("on_its_way", "arrived"):
        return payout
    if not states.PAYOUT.may("approve", payout.status):
        raise Conflict(
            "payout.not_scheduled",
            _("This payout has failed. Have it tried again first, then approve it."),
            id=str(payout.id),
            state=payout.status,
        )
    _refuse_held(payout)
    account = _account(payout)
    if _add_approval(payout, account, actor) >= approvals_needed(payout):
        _take(payout, actor)
        fire(payout, verb="approve", actor=actor, fields={"account_id": account.pk})
    return payout


def _require_person(payout: Payout, actor: Actor) -> None:
    if actor.role is not Role.STAFF:
        raise Denied("actor.not_platform", _("Only the platform's staff may do this."))
    if approvals_needed(payout) > 1 and actor.name.startswith("key:"):
        raise Denied(
            "payout.needs_people",
            _("A payout of this size is approved by two people, in the console."),
        )


def _refuse_held(payout: Payout) -> None:
    if hold := hold_of(payout.merchant_id):
        raise Conflict(
            "payout.held",
            _("Payouts to this merchant are on hold: %(reason)s") % {"reason": hold.reason},
            id=str(payout.id),
            reason=hold.reason,
        )


def _account(payout: Payout) -> MerchantAccount:
    account = account_of(payout.merchant_id)
    if account is None:
        raise Conflict(
            "payout.no_account",
            _("It is not known yet to which bank account this merchant is paid."),
            id=str(payout.id),
        )
    return account


def _add_approval(payout: Payout, account: MerchantAccount, actor: Actor) -> int:
    """How many people have approved this try to this account, with this one."""
    approvals = PayoutApproval.objects.filter(
        shard_key=payout.shard_key, payout=payout, account=account, try_number=payout.tries
    )
    if approvals.filter(approver=str(actor)).exists():
        raise Conflict(
            "payout.approved_by_you",
            _("You have approved this payout already. Above %(limit)s somebody else has to, too.")
            % {"limit": amount(settings.PAYOUT_SECOND_PERSON_ABOVE_MINOR, payout.currency)},
            id=str(payout.id),
        )
    approval = PayoutApproval.build(
        payout.shard_key,
        payout=payout,
        account=account,
        try_number=payout.tries,
        approver=str(actor),
        at=clock.now(),
    )
    PayoutApproval.objects.bulk_create([approval])
    return approvals.count()


@command
def payout_send(*, payout_id: int, actor: Actor) -> Payout:
    """Says, before the channel is called, that it will be; quiet unless the payout is approved.

    Locks the merchant, the payout. Emits `payout.sent`. Raises NotFound `payout.unknown`; Conflict
    `payout.held`, and `payout.books` while the merchant's statements are not what the ledger says.
    """
    payout = lock_payout(payout_id)
    if payout.status != "approved":
        return payout
    _refuse_held(payout)
    if _books_differ(payout.merchant_id):
        raise Conflict(
            "payout.books",
            _("This merchant's statements are not what the ledger says: nothing is paid out."),
            id=str(payout.id),
        )
    fire(payout, verb="send", actor=actor)
    return payout


def _books_differ(merchant_id: int) -> bool:
    found = " OR ".join(
        f"EXISTS (SELECT FROM audit.{view} WHERE merchant_id = %(merchant)s)" for view in BOOKS
    )
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {found}", {"merchant": merchant_id})
        differ: bool = cursor.fetchone()[0]
    return differ


@command
def payout_retry(*, payout_id: int, actor: Actor) -> Payout:
    """Schedules a failed payout anew, for instance when the account was mended; it needs approval.

    Quiet when that was done. Locks the merchant, the payout. Emits `payout.scheduled`.
    Raises NotFound `payout.unknown`, Conflict `state.conflict`.
    """
    payout = lock_payout(payout_id)
    if payout.status != "failed" and payout.tries > 1:
        return payout
    fields = {"tries": payout.tries + 1, "account_id": None, "failure_code": ""}
    fire(payout, verb="retry", actor=actor, fields=fields)
    return payout


@command
def payout_answer_record(
    *,
    payout_id: int,
    try_number: int,
    answer: Answer,
    actor: Actor,
    origin: str = ChannelFact.Origin.ANSWER,
) -> Payout:
    """Records what the channel answered when it was called about a try; repeated, it is quiet.

    Locks the merchant, the payout. Emits `payout.paid` or `payout.failed`; nothing while the channel
    is still at it. Raises NotFound `payout.unknown`; Conflict `fact.…`.
    """
    payout = lock_payout(payout_id)
    if answer.status in Kind.values:
        said = PayoutSaid(
            kind=answer.status,
            try_number=try_number,
            amount_minor=answer.amount_minor,
            currency=answer.currency,
            channel_ref=answer.ref,
            origin=origin,
            failure_code=answer.failure_code,
        )
        payout_tell(payout=payout, said=said, actor=actor)
    return payout


def payout_tell(*, payout: Payout, said: PayoutSaid, actor: Actor) -> None:
    """Keeps a statement about a locked payout and acts on it once. Part of a service.

    That money arrived is final, whatever is said before or after it. Emits `payout.paid`,
    `payout.failed`. Raises Conflict, before anything is written: `fact.amount` for another amount
    or currency, `fact.reference` for a try that never was, `fact.twice` for money that left twice.
    """
    require_locked(payout)
    if (said.amount_minor, said.currency) != (payout.amount_minor, payout.currency):
        raise _refusal("fact.amount", payout, said)
    if not 1 <= said.try_number <= payout.tries:
        raise _refusal("fact.reference", payout, said)
    known = PayoutFact.objects.filter(shard_key=payout.shard_key, payout=payout, kind=said.kind)
    if known.filter(try_number=said.try_number).exists():
        return
    if said.kind == Kind.PAID and known.exists():
        raise _refusal("fact.twice", payout, said)
    fact = _keep(payout, said)
    if fact.kind == Kind.PAID:
        _confirm(payout, fact, actor)
    elif fact.try_number == payout.tries and states.PAYOUT.may("fail", payout.status):
        _restore(payout, actor)
        fields = {"channel_ref": said.channel_ref, "failure_code": said.failure_code}
        fire(payout, verb="fail", actor=actor, reason=said.failure_code, fields=fields)


def _keep(payout: Payout, said: PayoutSaid) -> PayoutFact:
    fact = PayoutFact.build(
        payout.shard_key,
        payout=payout,
        try_number=said.try_number,
        kind=said.kind,
        amount_minor=said.amount_minor,
        currency=said.currency,
        channel_ref=said.channel_ref[:100],
        origin=said.origin,
        at=clock.now(),
    )
    PayoutFact.objects.bulk_create([fact])
    return fact


def _confirm(payout: Payout, fact: PayoutFact, actor: Actor) -> None:
    """The money arrived: what a failure had restored is taken anew, and the channel's account pays."""
    tries = payout.tries
    if payout.status in states.PAYOUT.in_chapter("owed"):
        payout.tries += payout.status == "failed"  # each taking is booked under a try of its own
        _take(payout, actor)
    post(
        shard_key=payout.shard_key,
        kind="payout_paid",
        ref=f"payout:{payout.id}",
        legs=[
            _leg(payout, "payouts_in_flight", payout.amount_minor),
            Leg(
                code="channel_clearing",
                amount_minor=-payout.amount_minor,
                currency=payout.currency,
                channel=NAME,
            ),
        ],
        actor=actor,
        at=fact.at,
    )
    fields = {"channel_ref": fact.channel_ref, "failure_code": "", "tries": payout.tries}
    payout.tries = tries
    fire(payout, verb="confirm", actor=actor, fields=fields)


def _take(payout: Payout, actor: Actor) -> None:
    """Books an approved payout as on its way."""
    post(
        shard_key=payout.shard_key,
        kind="payout_approved",
        ref=_try_ref(payout),
        legs=[
            _leg(payout, "merchant_payable", payout.amount_minor),
            _leg(payout, "payouts_in_flight", -payout.amount_minor),
        ],
        actor=actor,
    )


def _restore(payout: Payout, actor: Actor) -> None:
    """Undoes `_take` of the present try: the money is the merchant's again."""
    reverse(
        posting=LedgerTransaction.objects.get(
            shard_key=payout.shard_key, kind="payout_approved", ref=_try_ref(payout)
        ),
        kind="payout_failed",
        ref=_try_ref(payout),
        actor=actor,
    )


def _try_ref(payout: Payout) -> str:
    return f"payout:{payout.id}:{payout.tries}"


def _leg(payout: Payout, code: str, amount_minor: int) -> Leg:
    return Leg(
        code=code,
        amount_minor=amount_minor,
        currency=payout.currency,
        merchant_id=payout.merchant_id,
    )


def _refusal(code: str, payout: Payout, said: PayoutSaid) -> Conflict:
    return Conflict(
        code,
        _("What the channel says does not fit what it was asked."),
        id=str(payout.id),
        kind=said.kind,
        try_number=said.try_number,
        amount_minor=said.amount_minor,
        currency=said.currency,
        channel_ref=said.channel_ref,
    )
