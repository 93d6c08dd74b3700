"""Money that is sent by hand, as its orders know it: where to, what is missing, whose it may be."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db.models import Q, Sum

from accounts.actors import Role
from core.ids import gene_of
from orders import states
from orders.models import OrderGroup
from orders.sentences import amount
from payments.channels import bank_transfer
from payments.models import Attempt, BankLine, LineMatch, ManualTransfer
from payments.models.bank import BANK_GENE
from payments.references import reference_of, spaced
from payments.states import MANUAL_TRANSFER

MOST_SUGGESTED = 5


@dataclass(frozen=True, slots=True)
class Instructions:
    """What a buyer has to give to their bank."""

    attempt: Attempt
    received_minor: int

    @property
    def holder(self) -> str:
        """Whose account it is."""
        holder: str = settings.BANK_TRANSFER_HOLDER
        return holder

    @property
    def iban(self) -> str:
        """The account."""
        return spaced(settings.BANK_TRANSFER_IBAN)

    @property
    def bic(self) -> str:
        """The bank; '' where the settings name none."""
        bic: str = settings.BANK_TRANSFER_BIC
        return bic

    @property
    def reference(self) -> str:
        """What has to stand in the transfer's text."""
        return spaced(reference_of(self.attempt.pk))

    @property
    def received(self) -> str:
        """What has come so far; '' where nothing has."""
        minor = self.received_minor
        return amount(minor, self.attempt.currency) if minor else ""

    @property
    def amount(self) -> str:
        """What is to be sent now."""
        return amount(self.attempt.amount_minor - self.received_minor, self.attempt.currency)


def instructions_for(attempt: Attempt) -> Instructions | None:
    """Of an attempt that waits for a transfer; None of any other. One query."""
    if attempt.channel != bank_transfer.NAME or attempt.status != "processing":
        return None
    resting = LineMatch.objects.filter(shard_key=BANK_GENE, attempt_id=attempt.pk, status="resting")
    received = resting.aggregate(sum=Sum("line__amount_minor", default=0))["sum"]
    return Instructions(attempt, received)


def undirected_transfers(group: OrderGroup) -> list[ManualTransfer]:
    """What would go back to the buyer if we knew where to."""
    rows = ManualTransfer.objects.filter(
        refund__payment__reference=group.pk,
        shard_key=gene_of(group.pk),
        status__in=MANUAL_TRANSFER.driven_by(Role.STAFF),
        iban="",
    )
    return list(rows.order_by("pk"))


@dataclass(frozen=True, slots=True)
class Suggestion:
    """An attempt that a line may be for, and why."""

    attempt: Attempt
    group: OrderGroup
    same_amount: bool
    same_name: bool


def suggestions_for(line: BankLine) -> list[Suggestion]:
    """Attempts that wait for a transfer and have the line's amount or its sender's name."""
    waiting = Attempt.objects.filter(
        channel=bank_transfer.NAME, status="processing", currency=line.currency
    ).select_related("payment")
    named = _group_ids_named(line.party_name)
    wanted = Q(amount_minor=line.amount_minor) | Q(payment__reference__in=named)
    attempts = list(waiting.filter(wanted).order_by("-pk")[:50])
    groups = OrderGroup.objects.in_bulk([attempt.payment.reference for attempt in attempts])
    found = [
        Suggestion(
            attempt=attempt,
            group=groups[attempt.payment.reference],
            same_amount=attempt.amount_minor == line.amount_minor,
            same_name=attempt.payment.reference in named,
        )
        for attempt in attempts
    ]
    return sorted(found, key=lambda each: -(each.same_amount + each.same_name))[:MOST_SUGGESTED]


def _group_ids_named(name: str) -> Sequence[int]:
    if not name:
        return []
    rows = OrderGroup.objects.filter(
        status=states.PENDING_PAYMENT, shipping_address__name__iexact=name
    )
    return list(rows.values_list("pk", flat=True)[:50])


def attempt_id_of(text: str) -> int | None:
    """The newest attempt by transfer of the group of that number; None where there is none."""
    group = OrderGroup.objects.filter(number=text).first() if text.isprintable() else None
    if group is None:
        return None
    attempts = Attempt.objects.filter(
        payment__reference=group.pk, shard_key=group.shard_key, channel=bank_transfer.NAME
    )
    return attempts.order_by("-pk").values_list("pk", flat=True).first()
