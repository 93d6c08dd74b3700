"""Statements of our bank taken in: all of a file or nothing, each line once."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor
from accounts.permissions import require_platform
from core import clock
from core.command import command
from core.errors import Invalid
from core.fsm import start
from payments.bank_files import Row, Unreadable, read
from payments.models import BankLine, BankStatement, LineMatch, SenderAccount
from payments.models.bank import BANK_GENE, masked


@dataclass(frozen=True, slots=True)
class Imported:
    """What a file brought: how many lines that were new, and how many that were known."""

    statement: BankStatement
    new: int
    known: int


@command
def statement_import(*, name: str, content: bytes, actor: Actor) -> Imported:
    """Takes a statement in, all of it or nothing; a file or a line that is known is quiet.

    Emits `line_match.received` per new line, which `line_match` follows. Raises Denied; Invalid
    `statement.unreadable` with every place that is wrong, `statement.contradicts` where a line is
    told in another way than before.
    """
    require_platform(actor)
    rows = _read(content)
    statement = BankStatement.build(
        BANK_GENE,
        name=name[:200],
        sha256=sha256(content).hexdigest(),
        imported_at=clock.now(),
        actor=str(actor),
    )
    BankStatement.objects.bulk_create([statement], ignore_conflicts=True)
    if not BankStatement.objects.filter(pk=statement.pk).exists():
        known = BankStatement.objects.get(shard_key=BANK_GENE, sha256=statement.sha256)
        return Imported(known, 0, len(rows))
    lines = _insert(statement, rows)
    matches = [LineMatch.build(BANK_GENE, line=line) for line in lines]
    start(matches, verb="receive", actor=actor)
    return Imported(statement, len(lines), len(rows) - len(lines))


def _read(content: bytes) -> list[Row]:
    try:
        return read(content)
    except Unreadable as error:
        raise Invalid(
            "statement.unreadable",
            _("Nothing was imported, for the file is wrong here: %(places)s.")
            % {"places": str(error)},
            problems=[str(problem) for problem in error.problems],
        ) from error


def _insert(statement: BankStatement, rows: Sequence[Row]) -> list[BankLine]:
    """The lines that were new, with their senders; in one order for all who import at once."""
    rows = sorted(rows, key=lambda row: (row.account, row.bank_ref))
    given = [_line(statement, row) for row in rows]
    BankLine.objects.bulk_create(given, ignore_conflicts=True)
    accounts = {row.account for row in rows}
    references = {row.bank_ref for row in rows}
    kept = {
        (line.account, line.bank_ref): line
        for line in BankLine.objects.filter(
            shard_key=BANK_GENE, account__in=accounts, bank_ref__in=references
        )
    }
    _refuse_contradictions(rows, given, kept)
    new = [(row, line) for row, line in zip(rows, given, strict=True) if _is_kept(line, kept)]
    SenderAccount.objects.bulk_create(
        SenderAccount.build(BANK_GENE, line=line, holder=row.name, iban=row.iban)
        for row, line in new
        if row.iban and row.amount_minor > 0
    )
    return [line for _row, line in new]


def _line(statement: BankStatement, row: Row) -> BankLine:
    return BankLine.build(
        BANK_GENE,
        statement=statement,
        account=row.account,
        bank_ref=row.bank_ref,
        booked_on=row.booked_on,
        amount_minor=row.amount_minor,
        currency=row.currency,
        party_name=row.name,
        party_account=masked(row.iban),
        text=row.text,
    )


Kept = dict[tuple[str, str], BankLine]


def _is_kept(line: BankLine, kept: Kept) -> bool:
    return kept[line.account, line.bank_ref].pk == line.pk


def _refuse_contradictions(rows: Sequence[Row], given: Sequence[BankLine], kept: Kept) -> None:
    wrong = []
    for row, line in zip(rows, given, strict=True):
        known = kept[line.account, line.bank_ref]
        told = (known.amount_minor, known.currency, known.booked_on)
        if told != (line.amount_minor, line.currency, line.booked_on):
            wrong.append(row)
    if wrong:
        places = ", ".join(f"{row.line} ({row.bank_ref})" for row in wrong[:20])
        raise Invalid(
            "statement.contradicts",
            _(
                "Nothing was imported, for these lines bear the name of others that differ from"
                " them: %(places)s."
            )
            % {"places": places},
            lines=[row.line for row in wrong],
        )
