"""Files for the bank: transfers that somebody has to send."""

import csv
from collections.abc import Iterable
from io import StringIO

from core.money import Money
from payments.models import ManualTransfer

HEADER = ("reference", "holder", "iban", "amount", "currency", "requested_on")
# A spreadsheet takes what begins so for a formula; a quote before it is not shown and stops it.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def transfers_csv(transfers: Iterable[ManualTransfer]) -> str:
    """One line per transfer, in the order given."""
    file = StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(HEADER)
    for transfer in transfers:
        writer.writerow(
            [
                transfer.reference,
                harmless(transfer.holder),
                harmless(transfer.iban),
                Money(transfer.amount_minor, transfer.currency).decimal_text(),
                transfer.currency,
                f"{transfer.status_changed_at:%Y-%m-%d}",
            ]
        )
    return file.getvalue()


def harmless(text: str) -> str:
    """A text that no spreadsheet computes."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
