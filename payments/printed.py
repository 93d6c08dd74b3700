"""A statement to take away: as CSV and as PDF, with the numbers of its page."""

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from core.export import csv_of
from core.money import Money
from payments.models import Statement
from payments.sections import WORDS, Section
from payments.statements import Line, Sheet, amount, day, lines_of, payout_reason

if TYPE_CHECKING:
    from fpdf import FPDF

FONTS = Path(__file__).parent / "fonts"
FONT = "DejaVu"
MOST_LINES = 5000  # that are printed; the CSV has all of them
WIDTH_MM, HEIGHT_MM = 130, 7
LINE_WIDTHS_MM = (34, 70, 46, 30)


def title_of(sheet: Sheet) -> str:
    """Statement harbour-tea-0003 of Harbour Tea."""
    statement = sheet.statement
    return _("Statement %(number)s of %(merchant)s") % {
        "number": statement,
        "merchant": statement.merchant.name,
    }


def period_words(statement: Statement) -> str:
    """From its first day to the day on which it ended, in the merchant's zone."""
    return _("%(first)s to %(end)s, midnight in %(zone)s") % {
        "first": day(statement.period_from, statement),
        "end": day(statement.period_to, statement),
        "zone": statement.merchant.time_zone,
    }


def statement_csv(sheet: Sheet) -> str:
    """Its numbers, then its entries; amounts in major units as a spreadsheet adds them."""
    statement = sheet.statement
    heads = [
        ("statement", str(statement)),
        ("merchant", statement.merchant.name),
        ("from", statement.period_from.isoformat()),
        ("to", statement.period_to.isoformat()),
        ("currency", statement.currency),
    ]
    return csv_of(
        [
            *heads,
            (),
            ("number", "amount"),
            *((name, _plain(minor, sheet)) for name, _words, minor in sheet.rows()),
            (),
            ("entry", "posted", "section", "kind", "account", "reference", "order", "amount"),
            *(_row(line, sheet) for line in lines_of(statement)),
        ]
    )


def _row(line: Line, sheet: Sheet) -> tuple[object, ...]:
    return (
        f"{line.id}",
        line.posted_at.isoformat(timespec="seconds"),
        line.section,
        line.kind,
        line.code,
        line.ref,
        f"{line.order_id or ''}",
        _plain(line.amount_minor, sheet),
    )


def _plain(minor: int, sheet: Sheet) -> Decimal:
    return Decimal(Money(minor, sheet.statement.currency).decimal_text())


def statement_pdf(sheet: Sheet) -> bytes:
    """One page of numbers with the sum check, and the entries behind them on the pages after it."""
    pdf = _document(title_of(sheet))
    _say(pdf, title_of(sheet), size=16, bold=True)
    _say(pdf, period_words(sheet.statement))
    pdf.ln(HEIGHT_MM)
    for name, words, minor in sheet.rows():
        _pair(pdf, str(words), amount(minor, sheet.statement.currency), bold=name in BALANCES)
    pdf.ln(HEIGHT_MM)
    _say(pdf, sum_check(sheet), bold=True)
    _say(pdf, payout_reason(sheet))
    lines = lines_of(sheet.statement, most=MOST_LINES)
    if lines:
        _entries(pdf, lines, sheet)
    return bytes(pdf.output())


BALANCES = ("opening", "closing")


def sum_check(sheet: Sheet) -> str:
    """The numbers, added up once more from their entries: 0.00 + 5.00 - 1.00 = 4.00 EUR."""
    currency = sheet.statement.currency
    terms = [Money(sheet.opening_minor, currency).decimal_text()]
    for figure in sheet.figures:
        if figure.amount_minor:
            sign = "-" if figure.amount_minor < 0 else "+"
            terms += [sign, Money(abs(figure.amount_minor), currency).decimal_text()]
    told = f"{' '.join(terms)} = {amount(sheet.sum_minor, currency)}"
    if sheet.agrees:
        return told
    closing = amount(sheet.closing_minor, currency)
    return _("%(sum)s, which is not the closing balance of %(closing)s: tell the platform.") % {
        "sum": told,
        "closing": closing,
    }


def _document(title: str) -> "FPDF":
    from fpdf import FPDF  # takes a while to load, and few processes print

    pdf = FPDF(format="A4")
    pdf.set_title(title)
    pdf.add_font(FONT, "", FONTS / "DejaVuSans.ttf")
    pdf.add_font(FONT, "B", FONTS / "DejaVuSans-Bold.ttf")
    pdf.set_auto_page_break(auto=True, margin=15)
    pdf.add_page()
    return pdf


def _say(pdf: "FPDF", text: str, *, size: int = 10, bold: bool = False) -> None:
    pdf.set_font(FONT, "B" if bold else "", size)
    pdf.multi_cell(0, HEIGHT_MM, text, align="L", new_x="LMARGIN", new_y="NEXT")


def _pair(pdf: "FPDF", words: str, told: str, *, bold: bool) -> None:
    pdf.set_font(FONT, "B" if bold else "", 10)
    pdf.cell(WIDTH_MM, HEIGHT_MM, words)
    pdf.cell(0, HEIGHT_MM, told, align="R", new_x="LMARGIN", new_y="NEXT")


def _entries(pdf: "FPDF", lines: list[Line], sheet: Sheet) -> None:
    pdf.add_page()
    _say(pdf, _("Entries"), size=12, bold=True)
    pdf.set_font(FONT, "", 8)
    for line in lines:
        cells = (
            f"{line.posted_at:%Y-%m-%d %H:%M}",
            f"{line.kind} {line.ref}",
            str(WORDS[Section(line.section)]),
        )
        for width_mm, cell in zip(LINE_WIDTHS_MM, cells, strict=False):
            pdf.cell(width_mm, 5, cell)
        told = amount(line.amount_minor, sheet.statement.currency)
        pdf.cell(0, 5, told, align="R", new_x="LMARGIN", new_y="NEXT")
    total = sum(figure.entries for figure in sheet.figures)
    if total > len(lines):
        more = _("%(count)s more entries stand in the CSV.") % {"count": total - len(lines)}
        _say(pdf, more, size=8)
