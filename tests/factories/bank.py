"""Statements of a bank, made up line by line, and taken in as the platform's staff would."""

from django.db.models import F, Q, QuerySet

from accounts.actors import Actor, Role
from core import relay
from core.models import OutboxStream
from core.money import Money
from orders.models import OrderGroup
from payments.models import Attempt, LineMatch, ManualTransfer
from payments.services.bank_import import Imported, statement_import
from payments.services.transfer import transfer_send
from tests.factories import fresh
from tests.factories.money import fresh_row
from tests.factories.story import deliver_events, make_group, start_payment

FINANCE = Actor(Role.STAFF, "finance")
OUR_IBAN = "DE02120300000000202051"
SENDERS_IBAN = "DE89370400440532013000"
HEADER = "bank_ref,account,booked_on,amount,currency,name,iban,text"


def line(amount_minor: int, text: str = "", **fields: str) -> str:
    """A line of a CSV statement, with a name of its own at the bank."""
    currency = fields.get("currency", "EUR")
    given = {
        "bank_ref": fresh("bank-{}"),
        "account": OUR_IBAN,
        "booked_on": "2026-11-22",
        "amount": Money(amount_minor, currency).decimal_text(),
        "currency": currency,
        "name": "Ada Lovelace",
        "iban": SENDERS_IBAN,
        "text": text,
        **fields,
    }
    return ",".join(f'"{given[name]}"' for name in HEADER.split(","))


def statement(*lines: str) -> bytes:
    """A file of these lines."""
    return "\n".join([HEADER, *lines, ""]).encode()


def take_in(*lines: str, name: str = "statement.csv") -> Imported:
    """The file is imported, and its lines are matched."""
    imported = statement_import(name=name, content=statement(*lines), actor=FINANCE)
    deliver_events()
    return imported


def receive(amount_minor: int, text: str = "", **fields: str) -> LineMatch:
    """One line comes in; what became of it."""
    imported = take_in(line(amount_minor, text, **fields))
    return LineMatch.objects.get(line__statement=imported.statement)


def make_awaited(group: OrderGroup | None = None) -> tuple[OrderGroup, Attempt]:
    """A group of 15.00 whose buyer has chosen to send the money."""
    group = group or make_group()
    attempt = start_payment(group, channel="bank_transfer")
    settle_channel()
    return fresh_row(group), fresh_row(attempt)


def settle_channel() -> None:
    """Events to their consumers, then what they ask this channel and the post for, until all is still.

    Other channels are left alone: nobody is there to answer.
    """
    deliver_events()
    while waiting := list(_waiting()):
        for stream in waiting:
            assert relay.deliver_external(stream.pk), stream.last_error
        deliver_events()


def _waiting() -> QuerySet[OutboxStream]:
    payments = Attempt.objects.filter(channel="bank_transfer").values("payment_id")
    ours = Q(aggregate_type="channel", aggregate_id__in=payments) | Q(aggregate_type="mail")
    return OutboxStream.objects.filter(ours, parked=False, last_seq__gt=F("delivered_seq"))


def send(transfer: ManualTransfer, **fields: str) -> LineMatch:
    """Somebody sends it, and the next statement shows it."""
    transfer_send(transfer_id=transfer.pk, actor=FINANCE)
    return receive(-transfer.amount_minor, transfer.reference, **fields)
