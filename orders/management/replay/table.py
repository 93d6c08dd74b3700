"""CSV files, checked: what is wrong is told with its file, line, column and value."""

import csv
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from core.money import InvalidAmount, parse

CURRENCY = "BRL"
TIME_FORMAT = "%Y-%m-%d %H:%M:%S"
LONGEST_TEXT = 100
# Ids become parts of addresses, codes and keys here.
IDENTIFIER = re.compile(r"[0-9A-Za-z_-]{1,40}")
WHOLE_NUMBER = re.compile(r"[0-9]{1,9}")


class BrokenInput(Exception):
    """A file can't be used. Nothing has been changed when this is raised."""

    def __init__(self, file: str, line: int, column: str, value: str, problem: str) -> None:
        super().__init__(f"{file}, line {line}, column {column!r}: {value[:60]!r} {problem}")


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a file. Every method reads one column, and raises BrokenInput."""

    file: str
    line: int
    values: dict[str, str]

    def broken(self, column: str, problem: str) -> BrokenInput:
        """The error that names this row and its value."""
        return BrokenInput(self.file, self.line, column, self.values[column], problem)

    def text(self, column: str) -> str:
        """A short text of one line; may be empty."""
        value = self.values[column]
        if len(value) > LONGEST_TEXT or not value.isprintable():
            raise self.broken(column, "is not a short text of one line")
        return value

    def identifier(self, column: str) -> str:
        """A name that the data gives a thing."""
        return self._matching(IDENTIFIER, column, "is not an id")

    def known(self, column: str, names: Collection[str]) -> str:
        """A name of a thing that another file tells of, or one of a few words."""
        value = self.values[column]
        if value not in names:
            raise self.broken(column, "is unknown")
        return value

    def new(self, column: str, names: Collection[object]) -> str:
        """The name of a thing that no line before has told of."""
        value = self.identifier(column)
        if value in names:
            raise self.broken(column, "comes twice")
        return value

    def amount_minor(self, column: str, *, lowest: int = 0, highest: int) -> int:
        """An amount of money, in minor units."""
        try:
            amount_minor = parse(self.values[column], CURRENCY).amount_minor
        except InvalidAmount:
            raise self.broken(column, f"is not an amount of {CURRENCY}") from None
        if not lowest <= amount_minor <= highest:
            raise self.broken(column, "is too little or too much")
        return amount_minor

    def number(self, column: str, *, highest: int = 10**9) -> int:
        """A whole number from 0."""
        number = int(self._matching(WHOLE_NUMBER, column, "is not a whole number"))
        if number > highest:
            raise self.broken(column, "is too much")
        return number

    def require_moment(self, column: str) -> None:
        """A time as the data has them: of São Paulo, without a zone."""
        try:
            datetime.strptime(self.values[column], TIME_FORMAT)  # noqa: DTZ007 its form is all
        except ValueError:
            raise self.broken(column, "is not a time") from None

    def has(self, column: str) -> bool:
        """False where the column is empty."""
        return bool(self.values[column])

    def _matching(self, pattern: re.Pattern[str], column: str, problem: str) -> str:
        value = self.values[column]
        if not pattern.fullmatch(value):
            raise self.broken(column, problem)
        return value


def rows(path: Path, columns: Collection[str]) -> Iterator[Row]:
    """The lines of a file that has at least these columns. Raises BrokenInput."""
    line = 0
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = next(reader, [])
            line = 1
            for column in columns:
                if column not in header:
                    raise BrokenInput(path.name, 1, column, "", "is not there")
            for values in reader:
                line = reader.line_num
                if values:
                    yield _row(path.name, line, header, values)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BrokenInput(path.name, line + 1, "", "", f"can't be read: {error}") from error


def _row(file: str, line: int, header: list[str], values: list[str]) -> Row:
    if len(values) < len(header):
        raise BrokenInput(file, line, header[len(values)], "", "is not there")
    if len(values) > len(header):
        raise BrokenInput(file, line, "", values[len(header)], "belongs to no column")
    return Row(file, line, dict(zip(header, values, strict=True)))
