"""Where two parties meet at our account at the bank."""

from payments.models import LineMatch, ManualTransfer
from payments.services.bank import line_give_back, line_match
from payments.services.bank_import import statement_import
from payments.services.transfer import transfer_send
from tests.concurrency.scenes import World
from tests.factories import TESTER
from tests.factories.bank import FINANCE, line, statement


def new_line(_world: World) -> LineMatch:
    """It has come in, and nobody has looked at it."""
    content = statement(line(700, "for nothing"))
    imported = statement_import(name="a.csv", content=content, actor=FINANCE)
    return LineMatch.objects.get(line__statement=imported.statement)


def match(row: LineMatch) -> None:
    line_match(match_id=row.pk, actor=TESTER)


def unsent(world: World) -> ManualTransfer:
    """It goes back to its sender, and somebody has to send it."""
    row = new_line(world)
    match(row)
    line_give_back(match_id=row.pk, reason="unknown", actor=FINANCE)
    return ManualTransfer.objects.latest("pk")


def send(transfer: ManualTransfer) -> None:
    transfer_send(transfer_id=transfer.pk, actor=FINANCE)
