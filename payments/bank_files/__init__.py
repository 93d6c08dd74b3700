"""Statements of a bank, read: CSV with a header of ours, or CAMT.053. All or nothing.

`read()` answers the booked lines of a file, or raises Unreadable with every place that is wrong.
"""

from django.utils.translation import gettext as _

from payments.bank_files import camt, table
from payments.bank_files.rows import Problem, Row, Unreadable

LARGEST_BYTES = 5 * 1024 * 1024
MOST_ROWS = 20_000

__all__ = ["LARGEST_BYTES", "Problem", "Row", "Unreadable", "read"]


def read(content: bytes) -> list[Row]:
    """The lines in the order of the file. Raises Unreadable."""
    if len(content) > LARGEST_BYTES:
        raise Unreadable([Problem(1, 1, _("the file is larger than 5 MiB"))])
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise Unreadable([Problem(line, 1, _("this is not UTF-8"))]) from None
    rows = camt.read(text) if text.lstrip().startswith("<") else table.read(text)
    if len(rows) > MOST_ROWS:
        problem = _("the file has more than %(most)s lines") % {"most": MOST_ROWS}
        raise Unreadable([Problem(rows[MOST_ROWS].line, 1, problem)])
    return rows
