"""Reading a statement: its numbers, the entries behind each, and why so much is paid out."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection
from django.db.models import Q
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from core.clock import now as business_time
from core.money import Money
from payments.models import MerchantAccount, Payout, PayoutHold, Statement
from payments.sections import DELIVERY_LEG, TABLE, WORDS, Section
from payments.selectors import UNKNOWN_FOR

# The merchant's own accounts: what is credited there is owed to it.
OWN = "('merchant_payable', 'merchant_receivable')"
# What is on a closed statement, and what would be on an open one by now.
LISTED = """
    SELECT DISTINCT entry.shard_key, entry.transaction_id
    FROM payments_statemententry listed
    JOIN payments_ledgerentry entry
         ON entry.id = listed.entry_id AND entry.shard_key = listed.shard_key
    WHERE listed.statement_id = %(statement)s
"""
WAITING = f"""
    SELECT DISTINCT entry.shard_key, entry.transaction_id
    FROM payments_ledgerentry entry
    JOIN payments_ledgeraccount account ON account.id = entry.account_id
         AND account.code IN {OWN}
    JOIN payments_ledgertransaction posting
         ON posting.id = entry.transaction_id AND posting.shard_key = entry.shard_key
    WHERE entry.merchant_id = %(merchant)s AND entry.currency = %(currency)s
      AND posting.posted_at < %(period_to)s
      AND NOT EXISTS (SELECT FROM payments_statemententry listed
                      WHERE listed.shard_key = entry.shard_key AND listed.entry_id = entry.id)
"""
# One row per entry that is told, from the merchant's side. A posting whose legs of this merchant
# do not sum to zero is told by the merchant's own legs alone, so that the numbers always sum.
LINES = f"""
    WITH touched AS ({{touched}}),
    leg AS (
        SELECT entry.*, posting.kind, posting.ref, posting.posted_at,
               account.code IN {OWN} AS own,
               account.code || CASE WHEN posting.kind = 'completion' AND account.code = 'escrow'
                    AND row_number() OVER (PARTITION BY entry.transaction_id, entry.order_id,
                                           account.code ORDER BY entry.id) > 1
                    THEN ':delivery' ELSE '' END AS code
        FROM touched
        JOIN payments_ledgerentry entry ON entry.transaction_id = touched.transaction_id
             AND entry.shard_key = touched.shard_key
        JOIN payments_ledgeraccount account ON account.id = entry.account_id
        JOIN payments_ledgertransaction posting
             ON posting.id = entry.transaction_id AND posting.shard_key = entry.shard_key
        WHERE entry.merchant_id = %(merchant)s AND entry.currency = %(currency)s),
    weighed AS (
        SELECT leg.*, bool_and(own) OVER of_posting OR sum(amount_minor) OVER of_posting <> 0
               AS by_own
        FROM leg WINDOW of_posting AS (PARTITION BY transaction_id)),
    line AS (
        SELECT weighed.id, weighed.kind, weighed.code, ref, order_id, posted_at,
               CASE WHEN own THEN -amount_minor ELSE amount_minor END AS amount_minor,
               coalesce(exact.section, rest.section, '{Section.ADJUSTMENTS}') AS section
        FROM weighed
        LEFT JOIN unnest(%(kinds)s::text[], %(codes)s::text[], %(sections)s::text[])
             AS exact (kind, code, section)
             ON exact.kind = weighed.kind AND exact.code = weighed.code
        LEFT JOIN unnest(%(kinds)s::text[], %(codes)s::text[], %(sections)s::text[])
             AS rest (kind, code, section) ON rest.kind = weighed.kind AND rest.code = ''
        WHERE own = by_own)
"""
# Its sum keeps the planner from walking the whole ledger backwards for a merchant of few entries.
UNACCOUNTED = """
    SELECT merchant.id FROM accounts_merchant merchant
    CROSS JOIN LATERAL (
        SELECT max(entry.id + 0) AS id FROM payments_ledgerentry entry
        WHERE entry.merchant_id = merchant.id
          AND entry.account_id IN ('merchant_payable:' || merchant.currency,
                                   'merchant_receivable:' || merchant.currency)) AS newest
    WHERE newest.id IS NOT NULL
      AND NOT EXISTS (SELECT FROM payments_statement statement
                      WHERE statement.merchant_id = merchant.id AND statement.status = 'open')
      AND NOT EXISTS (SELECT FROM payments_statemententry listed
                      WHERE listed.shard_key = newest.id & 4095 AND listed.entry_id = newest.id)
    ORDER BY merchant.id
"""
FIGURES = "SELECT section, count(*), sum(amount_minor)::bigint FROM line GROUP BY section"
PAGE = """
    SELECT id, section, kind, code, ref, order_id, posted_at, amount_minor FROM line
    WHERE id > %(after)s AND (%(section)s = '' OR section = %(section)s)
    ORDER BY id LIMIT %(most)s
"""
_ROWS = [(kind, code, section) for kind, codes in TABLE.items() for code, section in codes.items()]
_TABLE = dict(zip(("kinds", "codes", "sections"), map(list, zip(*_ROWS, strict=True)), strict=True))
assert DELIVERY_LEG == "escrow:delivery", "LINES writes it so"


@dataclass(frozen=True, slots=True)
class Line:
    """An entry of the ledger as a statement tells it: what it changed for the merchant."""

    id: int
    section: str
    kind: str
    code: str
    ref: str
    order_id: int | None
    posted_at: datetime
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Figure:
    """A number of a statement, and how many entries it is the sum of."""

    section: Section
    words: str | Promise
    amount_minor: int
    entries: int


@dataclass(frozen=True, slots=True)
class Sheet:
    """A statement's numbers. `closing_minor` is what it was closed with, or would be by now."""

    statement: Statement
    opening_minor: int
    figures: list[Figure]
    closing_minor: int

    @property
    def sum_minor(self) -> int:
        """Opening balance and all numbers, added up from the entries."""
        return self.opening_minor + sum(figure.amount_minor for figure in self.figures)

    @property
    def agrees(self) -> bool:
        """True where the entries sum to the balance that it was closed with."""
        return self.sum_minor == self.closing_minor

    def rows(self) -> list[tuple[str, str | Promise, int]]:
        """Name, words and amount of each number, from the opening to the closing balance."""
        between = [(str(f.section), f.words, f.amount_minor) for f in self.figures]
        return [
            ("opening", _("Opening balance"), self.opening_minor),
            *between,
            ("closing", _("Closing balance"), self.closing_minor),
        ]


def sheet_of(statement: Statement) -> Sheet:
    """The numbers of a statement; of an open one, what is booked so far."""
    found = {section: (count, minor) for section, count, minor in _read(statement, FIGURES)}
    figures = [
        Figure(section, words, *reversed(found.get(section, (0, 0))))
        for section, words in WORDS.items()
    ]
    opening_minor = opening_minor_of(statement)
    closing_minor = statement.closing_minor
    if closing_minor is None:
        closing_minor = opening_minor + sum(figure.amount_minor for figure in figures)
    return Sheet(statement, opening_minor, figures, closing_minor)


def lines_of(
    statement: Statement, *, section: str = "", after: int = 0, most: int | None = None
) -> list[Line]:
    """The entries of a statement, or of one of its numbers, by id; those behind `after`."""
    rows = _read(statement, PAGE, section=section, after=after, most=most)
    return [Line(*row) for row in rows]


def opening_minor_of(statement: Statement) -> int:
    """What the merchant's statement before was closed with."""
    before = Statement.objects.filter(
        shard_key=statement.shard_key,
        merchant=statement.merchant_id,
        currency=statement.currency,
        number__lt=statement.number,
    ).order_by("-number")
    return before.values_list("closing_minor", flat=True).first() or 0


def _read(statement: Statement, select: str, **parameters: Any) -> Iterable[tuple[Any, ...]]:
    touched = WAITING if statement.closing_minor is None else LISTED
    given = {
        "statement": statement.id,
        "merchant": statement.merchant_id,
        "currency": statement.currency,
        "period_to": statement.period_to,
        **_TABLE,
        **parameters,
    }
    with connection.cursor() as cursor:
        cursor.execute(LINES.format(touched=touched) + select, given)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def merchants_to_account_for() -> list[int]:
    """Merchants whose newest booking is on no statement, and that have none open."""
    with connection.cursor() as cursor:
        cursor.execute(UNACCOUNTED)
        return [merchant_id for (merchant_id,) in cursor.fetchall()]


def due_statement_ids(*, most: int = 500) -> list[int]:
    """Open statements whose period is over, the longest over first."""
    rows = Statement.objects.filter(status="open", period_to__lte=business_time())
    return list(rows.order_by("period_to", "pk").values_list("pk", flat=True)[:most])


def unknown_payout_ids(*, most: int) -> list[int]:
    """Payouts whose outcome the channel has owed us for too long, oldest first."""
    late = Payout.objects.filter(status="sent", status_changed_at__lt=business_time() - UNKNOWN_FOR)
    return list(late.order_by("status_changed_at").values_list("pk", flat=True)[:most])


def hold_of(merchant_id: int, at: datetime | None = None) -> PayoutHold | None:
    """What holds a merchant's payouts now, or held them then."""
    moment = at or business_time()
    rows = PayoutHold.objects.filter(
        Q(until__isnull=True) | Q(until__gt=moment),
        Q(released_at__isnull=True) | Q(released_at__gt=moment),
        merchant=merchant_id,
        held_at__lte=moment,
    )
    return rows.order_by("-pk").first()


def account_of(merchant_id: int) -> MerchantAccount | None:
    """Where the merchant is paid to now."""
    return MerchantAccount.objects.filter(merchant=merchant_id).order_by("-pk").first()


def amount(minor: int, currency: str) -> str:
    """9.50 EUR."""
    return f"{Money(minor, currency).decimal_text()} {currency}"


def day(moment: datetime, statement: Statement) -> str:
    """A boundary of the statement's period, in the merchant's zone."""
    local = moment.astimezone(ZoneInfo(statement.merchant.time_zone))
    return date_format(local, "Y-m-d")


def payout_reason(sheet: Sheet) -> str:
    """Why so much is paid out by this statement, or nothing: one sentence."""
    statement = sheet.statement
    if statement.closing_minor is None:
        return _open_reason(sheet)
    payout = Payout.objects.filter(statement=statement, shard_key=statement.shard_key).first()
    if payout:
        return _payout_reason(sheet, payout)
    hold = hold_of(statement.merchant_id, statement.status_changed_at)
    if hold:
        return _("Nothing is paid out, because payouts are on hold: %(reason)s") % {
            "reason": hold.reason
        }
    if sheet.closing_minor < 0:
        return _(
            "Nothing is paid out, because the balance is below zero; later sales make up for it."
        )
    return _("Nothing is paid out, because nothing is owed beyond the payouts before.")


def _open_reason(sheet: Sheet) -> str:
    statement = sheet.statement
    given = {
        "day": day(statement.period_to, statement),
        "amount": amount(sheet.closing_minor, statement.currency),
    }
    hold = hold_of(statement.merchant_id)
    if hold:
        given["reason"] = hold.reason
        return (
            _("No payout on %(day)s, because payouts are on hold: %(reason)s (%(amount)s so far)")
            % given
        )
    return (
        _(
            "The next payout is scheduled on %(day)s, because the period ends then: %(amount)s so far."
        )
        % given
    )


def _payout_reason(sheet: Sheet, payout: Payout) -> str:
    currency = payout.currency
    given = {"amount": amount(payout.amount_minor, currency)}
    earlier_minor = sheet.closing_minor - payout.amount_minor
    if not earlier_minor:
        return _("%(amount)s is paid out, because that is the closing balance.") % given
    given["earlier"] = amount(earlier_minor, currency)
    return (
        _("%(amount)s is paid out: the closing balance less %(earlier)s that earlier payouts take.")
        % given
    )
