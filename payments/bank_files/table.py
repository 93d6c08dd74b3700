"""A statement as CSV: UTF-8, comma or semicolon, the header below, one line per booking.

    bank_ref,account,booked_on,amount,currency,name,iban,text

`bank_ref` is the bank's own name of the booking, `account` ours, `amount` in major units with a point
and a minus for what left, `name` and `iban` of the other party, the IBAN may be empty.
"""

import csv
from io import StringIO

from django.utils.translation import gettext as _

from payments.bank_files.rows import Cell, Problem, Row, Unreadable, judge

HEADER = ("bank_ref", "account", "booked_on", "amount", "currency", "name", "iban", "text")


def read(text: str) -> list[Row]:
    """The lines of the file. Raises Unreadable with all that is wrong."""
    delimiter = ";" if ";" in text.partition("\n")[0] else ","
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True)
    problems: list[Problem] = []
    rows: list[Row] = []
    try:
        _require_header(next(reader, []))
        line = reader.line_num + 1
        for values in reader:
            judged = _judge(values, line) if any(values) else []
            if isinstance(judged, Row):
                rows.append(judged)
            problems += judged if isinstance(judged, list) else []
            line = reader.line_num + 1
    except csv.Error as error:
        problems.append(Problem(reader.line_num, 1, str(error)))
    if problems:
        raise Unreadable(problems)
    return rows


def _require_header(names: list[str]) -> None:
    given = [name.strip().lower() for name in names]
    for column, (expected, name) in enumerate(zip(HEADER, [*given, *HEADER], strict=False), 1):
        if len(given) < column or name != expected:
            raise Unreadable(
                [Problem(1, column, _("the header has no %(name)s here") % {"name": expected})]
            )
    if len(given) > len(HEADER):
        raise Unreadable([Problem(1, len(HEADER) + 1, _("the header has a column too many"))])


def _judge(values: list[str], line: int) -> Row | list[Problem]:
    if len(values) != len(HEADER):
        column = min(len(values), len(HEADER)) + 1
        return [Problem(line, column, _("%(count)s columns instead of 8") % {"count": len(values)})]
    return judge(
        {
            name: Cell(value, line, column)
            for column, (name, value) in enumerate(zip(HEADER, values, strict=True), 1)
        }
    )
