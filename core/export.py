"""Tables for spreadsheets."""

import csv
from collections.abc import Iterable, Sequence
from io import StringIO

# What a spreadsheet takes for the beginning of a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_of(rows: Iterable[Sequence[object]]) -> str:
    """Rows as CSV with a byte order mark, by which spreadsheets know UTF-8.

    Numbers stay numbers; a text that a spreadsheet would run as a formula gets a `'` before it.
    """
    text = StringIO()
    text.write("\ufeff")
    csv.writer(text).writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, str) and value.startswith(FORMULA):
        return f"'{value}"
    return value
