"""A line of a statement, and the judgement on each of its values, whatever the file's format."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

from django.utils.translation import gettext as _
from stdnum import iban

from core.money import EXPONENTS, InvalidAmount, parse

LONGEST = {"bank_ref": 100, "account": 34, "name": 140, "text": 1000}
MOST_TOLD = 100


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong at a place of the file; line and column count from 1."""

    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return _("line %(line)s, column %(column)s: %(message)s") % {
            "line": self.line,
            "column": self.column,
            "message": self.message,
        }


class Unreadable(Exception):
    """The places that are wrong, in the order of the file."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(str(problem) for problem in problems[:MOST_TOLD]))
        self.problems = problems


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One booked line: money that came or, below zero, left."""

    line: int
    account: str
    bank_ref: str
    booked_on: date
    amount_minor: int
    currency: str
    name: str
    iban: str
    text: str


@dataclass(frozen=True, slots=True)
class Cell:
    """A value as the file has it, and where."""

    value: str
    line: int
    column: int

    def wrong(self, message: str) -> Problem:
        """What is wrong with it."""
        return Problem(self.line, self.column, message)


def judge(cells: Mapping[str, Cell]) -> Row | list[Problem]:
    """The line of these cells, one per field of `Row`; or what is wrong with each."""
    values = {name: " ".join(cell.value.split()) for name, cell in cells.items()}
    for name in ("account", "iban"):
        values[name] = values[name].replace(" ", "").upper()
    problems = [
        cell.wrong(message)
        for name, cell in cells.items()
        if (message := _fault(name, values[name], values))
    ]
    if problems:
        return problems
    return Row(
        line=cells["bank_ref"].line,
        account=values["account"],
        bank_ref=values["bank_ref"],
        booked_on=date.fromisoformat(values["booked_on"]),
        amount_minor=parse(values["amount"], values["currency"]).amount_minor,
        currency=values["currency"],
        name=values["name"],
        iban=values["iban"],
        text=values["text"],
    )


def _fault(name: str, value: str, values: Mapping[str, str]) -> str:
    """What is wrong with one value; '' where nothing is."""
    if not value.isprintable():
        return _("%(name)s has a character that is not printable") % {"name": name}
    if len(value) > LONGEST.get(name, len(value)):
        return _("%(name)s is longer than %(most)s characters") % {
            "name": name,
            "most": LONGEST[name],
        }
    return FAULTS[name](value, values["currency"]) if name in FAULTS else ""


def _of_reference(value: str, currency: str) -> str:
    return "" if value else _("bank_ref is empty")


def _of_account(value: str, currency: str) -> str:
    return "" if iban.is_valid(value) else _("account is no IBAN")


def _of_iban(value: str, currency: str) -> str:
    return "" if not value or iban.is_valid(value) else _("iban is no IBAN")


def _of_currency(value: str, currency: str) -> str:
    return "" if value in EXPONENTS else _("currency is unknown")


def _of_date(value: str, currency: str) -> str:
    try:
        is_sound = date.fromisoformat(value).isoformat() == value
    except ValueError:
        is_sound = False
    return "" if is_sound else _("booked_on is no date, which looks like 2026-11-22")


def _of_amount(value: str, currency: str) -> str:
    if currency not in EXPONENTS:
        return ""  # told of the currency
    try:
        return "" if parse(value, currency).amount_minor else _("amount is 0")
    except InvalidAmount as error:
        return _("amount is none of %(currency)s: %(reason)s") % {
            "currency": currency,
            "reason": error.reason,
        }


FAULTS: dict[str, Callable[[str, str], str]] = {
    "bank_ref": _of_reference,
    "account": _of_account,
    "iban": _of_iban,
    "currency": _of_currency,
    "booked_on": _of_date,
    "amount": _of_amount,
}
