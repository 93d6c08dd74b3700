"""Drawing up what a merchant has earned: a statement opens, its period ends, it closes."""

from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Max, QuerySet, Sum
from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor, system
from accounts.models import Merchant
from core import clock
from core.command import command
from core.errors import Conflict
from core.fsm import fire, start
from core.ids import new_id
from core.sweep import sweep
from payments.locks import lock_payee, lock_statement
from payments.models import LedgerEntry, Payout, Statement, StatementEntry
from payments.periods import period_of
from payments.sections import PAYOUT_KINDS
from payments.selectors import balance_minor
from payments.services.ledger import Leg, post
from payments.statements import (
    due_statement_ids,
    hold_of,
    merchants_to_account_for,
    opening_minor_of,
)

OWN_CODES = ("merchant_payable", "merchant_receivable")
BATCH = 1000


@command
def statement_open(*, merchant_id: int, currency: str, actor: Actor) -> Statement:
    """Opens the merchant's statement where none is open: from the last one on, or the first entry.

    Locks the merchant. Emits `statement.opened`.
    Raises NotFound `merchant.unknown`, Conflict `statement.nothing` where nothing is booked.
    """
    merchant = lock_payee(merchant_id)
    known = _statements(merchant, currency).filter(status="open").first()
    return known or _open(merchant, currency, actor)


def _statements(merchant: Merchant, currency: str) -> QuerySet[Statement]:
    return Statement.objects.filter(
        shard_key=merchant.shard_key, merchant=merchant, currency=currency
    )


def _open(merchant: Merchant, currency: str, actor: Actor) -> Statement:
    last = _statements(merchant, currency).aggregate(number=Max("number"), end=Max("period_to"))
    schedule, zone = merchant.payout_schedule, merchant.time_zone
    now = clock.now()
    begin = last["end"] or period_of(schedule, zone, _first_booking(merchant, currency))[0]
    statement = Statement.build(
        merchant.shard_key,
        merchant=merchant,
        currency=currency,
        number=(last["number"] or 0) + 1,
        period_from=begin,
        period_to=period_of(schedule, zone, max(now, begin))[1],
    )
    start([statement], verb="open", actor=actor)
    return statement


def _first_booking(merchant: Merchant, currency: str) -> datetime:
    first = (
        LedgerEntry.objects.filter(
            merchant=merchant, currency=currency, account__code__in=OWN_CODES
        )
        .order_by("pk")
        .values_list("transaction__posted_at", flat=True)
        .first()
    )
    if first is None:
        raise Conflict(
            "statement.nothing",
            _("Nothing is booked for this merchant yet."),
            merchant_id=str(merchant.pk),
        )
    return first


@command
def statement_close(*, statement_id: int, actor: Actor) -> Statement:
    """Closes a statement whose period is over: lists its entries, nets, schedules the payout.

    A negative balance is made explicit, and set against the next positive one. While anything is
    left on the account the next statement opens at once. Quiet when it is closed.
    Locks the merchant, the statement. Emits `statement.closed`, `payout.scheduled`,
    `statement.opened`. Raises NotFound `statement.unknown`, Conflict `statement.period_open`.
    """
    statement = lock_statement(statement_id)
    if statement.status == "closed":
        return statement
    now = clock.now()
    if now < statement.period_to:
        raise Conflict(
            "statement.period_open",
            _("The period of this statement is not over."),
            id=str(statement.id),
            period_to=statement.period_to.isoformat(),
        )
    closing_minor = opening_minor_of(statement) + _list_waiting(statement)
    _net(statement, closing_minor, actor)
    fire(statement, verb="close", actor=actor, at=now, fields={"closing_minor": closing_minor})
    _schedule_payout(statement, actor)
    if closing_minor:
        _open(statement.merchant, statement.currency, actor)
    return statement


WAITING = """
    SELECT entry.id, entry.shard_key, entry.amount_minor
    FROM payments_ledgerentry entry
    JOIN payments_ledgeraccount account ON account.id = entry.account_id
    JOIN payments_ledgertransaction posting
         ON posting.id = entry.transaction_id AND posting.shard_key = entry.shard_key
    WHERE entry.merchant_id = %(merchant)s AND entry.currency = %(currency)s
      AND account.code = ANY (%(codes)s) AND posting.posted_at < %(before)s
      AND NOT EXISTS (SELECT FROM payments_statemententry listed
                      WHERE listed.shard_key = entry.shard_key AND listed.entry_id = entry.id)
"""


def _list_waiting(statement: Statement) -> int:
    """Puts on the statement all that was booked before its end; answers what is owed for it."""
    given: dict[str, Any] = {
        "merchant": statement.merchant_id,
        "currency": statement.currency,
        "codes": list(OWN_CODES),
        "before": statement.period_to,
    }
    with connection.cursor() as cursor:
        cursor.execute(WAITING, given)
        rows: list[tuple[int, int, int]] = cursor.fetchall()
    _list(statement, [(id_, shard_key) for id_, shard_key, _minor in rows])
    return -sum(amount_minor for *_key, amount_minor in rows)


def _list(statement: Statement, entries: list[tuple[int, int]]) -> None:
    StatementEntry.objects.bulk_create(
        (
            StatementEntry(
                id=new_id(shard_key), shard_key=shard_key, statement=statement, entry_id=entry_id
            )
            for entry_id, shard_key in entries
        ),
        batch_size=BATCH,
    )


def _net(statement: Statement, closing_minor: int, actor: Actor) -> None:
    """Moves between what is owed to the merchant and by it, so that only one of them is left."""
    owed_by_minor = balance_minor(
        "merchant_receivable", statement.currency, merchant_id=statement.merchant_id
    )
    owed_to_minor = closing_minor + owed_by_minor
    if owed_to_minor < 0:
        _move(statement, "receivable_opened", -owed_to_minor, actor)
    elif owed_by_minor and owed_to_minor:
        _move(statement, "receivable_netted", -min(owed_by_minor, owed_to_minor), actor)


def _move(statement: Statement, kind: str, receivable_minor: int, actor: Actor) -> None:
    def leg(code: str, amount_minor: int) -> Leg:
        return Leg(
            code=code,
            amount_minor=amount_minor,
            currency=statement.currency,
            merchant_id=statement.merchant_id,
        )

    posting = post(
        shard_key=statement.shard_key,
        kind=kind,
        ref=f"statement:{statement.id}",
        legs=[
            leg("merchant_receivable", receivable_minor),
            leg("merchant_payable", -receivable_minor),
        ],
        actor=actor,
    )
    _list(statement, list(posting.entries.values_list("id", "shard_key")))


def _schedule_payout(statement: Statement, actor: Actor) -> None:
    """Schedules what was earned up to this statement and is in no payout yet; not while held."""
    due_minor = _due_minor(statement)
    if due_minor <= 0 or hold_of(statement.merchant_id):
        return
    payout = Payout.build(
        statement.shard_key,
        merchant=statement.merchant,
        statement=statement,
        amount_minor=due_minor,
        currency=statement.currency,
    )
    start([payout], verb="schedule", actor=actor)


def _due_minor(statement: Statement) -> int:
    """The closing balance less the payouts before, as far as they are not booked in it."""
    payouts = Payout.objects.filter(
        shard_key=statement.shard_key, merchant=statement.merchant_id, currency=statement.currency
    )
    given_minor: int = payouts.aggregate(given=Sum("amount_minor", default=0))["given"]
    booked = StatementEntry.objects.filter(
        shard_key=statement.shard_key,
        entry__transaction__kind__in=PAYOUT_KINDS,
        entry__merchant=statement.merchant_id,
        entry__currency=statement.currency,
    )
    booked_minor: int = booked.aggregate(booked=Sum("entry__amount_minor", default=0))["booked"]
    return (statement.closing_minor or 0) - (given_minor - booked_minor)


def settle_due() -> int:
    """Opens statements for whom they are missing, closes those that are due; answers how many."""
    clerk = system("settlement clock")
    opened = sweep(
        merchants_to_account_for(),
        lambda merchant_id: statement_open(
            merchant_id=merchant_id, currency=_currency_of(merchant_id), actor=clerk
        ),
    )
    return opened + sweep(
        due_statement_ids(),
        lambda statement_id: statement_close(statement_id=statement_id, actor=clerk),
    )


def _currency_of(merchant_id: int) -> str:
    return Merchant.objects.values_list("currency", flat=True).get(pk=merchant_id)
