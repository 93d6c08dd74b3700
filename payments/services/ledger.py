"""The book of double entries: postings that sum to zero, and their mirror. Nothing is edited."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from accounts.actors import Actor
from core import clock
from core.command import running
from core.errors import ProgrammingMistake
from payments.models import LedgerAccount, LedgerEntry, LedgerTransaction

Kind = LedgerAccount.Kind

# Code → what it is, and the floor under its balance in its normal direction.
CHART: dict[str, tuple[LedgerAccount.Kind, int | None]] = {
    "channel_clearing": (Kind.ASSET, None),
    "channel_fees": (Kind.EXPENSE, None),
    "escrow": (Kind.LIABILITY, 0),
    "merchant_payable": (Kind.LIABILITY, None),
    "merchant_receivable": (Kind.ASSET, 0),
    "commission_income": (Kind.INCOME, None),
    "tax_payable": (Kind.LIABILITY, None),
    "store_credit": (Kind.LIABILITY, 0),
    "goodwill": (Kind.EXPENSE, None),
    "refunds_in_flight": (Kind.LIABILITY, 0),
    "voucher_cost": (Kind.EXPENSE, None),
    "payouts_in_flight": (Kind.LIABILITY, 0),
    "chargeback_loss": (Kind.EXPENSE, None),
    "rounding": (Kind.EXPENSE, None),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One side of a posting, in minor units: debit positive, credit negative."""

    code: str
    amount_minor: int
    currency: str
    channel: str = ""
    order_id: int | None = None
    merchant_id: int | None = None


def post(
    *,
    shard_key: int,
    kind: str,
    ref: str,
    legs: Sequence[Leg],
    actor: Actor,
    at: datetime | None = None,
    reverses: LedgerTransaction | None = None,
) -> LedgerTransaction:
    """Books a fact once: `kind` and `ref` name it, and a repetition answers the first posting.

    Part of a service. Legs of nothing are left out; accounts come into being where they are needed.
    Raises ProgrammingMistake unless there are two legs and they sum to zero in each currency.
    """
    running()
    legs = [leg for leg in legs if leg.amount_minor]
    _refuse_unbalanced(legs)
    known = LedgerTransaction.objects.filter(shard_key=shard_key, kind=kind, ref=ref).first()
    if known:
        return known
    _open_accounts(legs)
    posting = LedgerTransaction.build(
        shard_key,
        kind=kind,
        ref=ref,
        actor=str(actor),
        posted_at=at or clock.now(),
        reverses=reverses,
    )
    LedgerTransaction.objects.bulk_create([posting])
    LedgerEntry.objects.bulk_create(_entry(posting, leg) for leg in legs)
    return posting


def reverse(
    *, posting: LedgerTransaction, kind: str, ref: str, actor: Actor, at: datetime | None = None
) -> LedgerTransaction:
    """Books the mirror of a posting, once; the original stays as it is. Part of a service."""
    legs = [
        Leg(
            code=entry.account.code,
            amount_minor=-entry.amount_minor,
            currency=entry.currency,
            channel=entry.channel,
            order_id=entry.order_id,
            merchant_id=entry.merchant_id,
        )
        for entry in posting.entries.select_related("account").order_by("pk")
    ]
    return post(
        shard_key=posting.shard_key,
        kind=kind,
        ref=ref,
        legs=legs,
        actor=actor,
        at=at,
        reverses=posting,
    )


def _refuse_unbalanced(legs: Sequence[Leg]) -> None:
    sums: dict[str, int] = defaultdict(int)
    for leg in legs:
        sums[leg.currency] += leg.amount_minor
    if len(legs) < 2 or any(sums.values()):
        raise ProgrammingMistake(f"{len(legs)} legs that sum to {dict(sums)}")


def _open_accounts(legs: Sequence[Leg]) -> None:
    """In one order for everybody, so that two first postings never wait in a ring."""
    LedgerAccount.objects.bulk_create(
        [
            LedgerAccount(
                id=f"{code}:{currency}",
                code=code,
                currency=currency,
                kind=CHART[code][0],
                min_balance_minor=CHART[code][1],
            )
            for code, currency in sorted({(leg.code, leg.currency) for leg in legs})
        ],
        ignore_conflicts=True,
    )


def _entry(posting: LedgerTransaction, leg: Leg) -> LedgerEntry:
    return LedgerEntry.build(
        posting.shard_key,
        transaction=posting,
        account_id=f"{leg.code}:{leg.currency}",
        amount_minor=leg.amount_minor,
        currency=leg.currency,
        channel=leg.channel,
        order_id=leg.order_id,
        merchant_id=leg.merchant_id,
    )
