"""What tests of reconciliation share: rows of lists, a snapshot of the money, the clock's tasks."""

from datetime import UTC, datetime
from typing import Any

from django.apps import apps

from accounts.actors import system
from payments.channels.base import Movement
from payments.models import Attempt, Capture, ChannelRecord, Difference, Refund
from payments.services.reconcile import channel_reconcile, movement_record

RECON = system("reconciliation")


def movement_of(subject: Attempt | Capture | Refund, **members: Any) -> Movement:
    """What the channel lists of it."""
    kind = "refund_succeeded" if isinstance(subject, Refund) else "captured"
    given: dict[str, Any] = {
        "kind": kind,
        "key": subject.channel_key,
        "ref": f"pay_{subject.pk}" if kind == "captured" else f"ref_{subject.channel_key}",
        "amount_minor": subject.amount_minor,
        "currency": subject.currency,
        "fee_minor": 39,
        "at": datetime.now(UTC),
        **members,
    }
    return Movement(**given)


def listed(subject: Attempt | Capture | Refund, **members: Any) -> ChannelRecord:
    """The row is taken in."""
    movement = movement_of(subject, **members)
    return movement_record(channel="sandbox", movement=movement, actor=RECON)


def reconcile() -> None:
    channel_reconcile(channel="sandbox", actor=RECON)


def differences() -> list[tuple[str, str, int, int]]:
    """Kind, what about, ours and theirs of all that was found, the first one first."""
    rows = Difference.objects.order_by("pk")
    return list(rows.values_list("kind", "about", "ours_minor", "theirs_minor"))


def all_rows() -> dict[str, list[tuple]]:
    """Everything that the money's tables hold, but for the notes that a list was read."""
    return {
        model.__name__: sorted(model._default_manager.values_list(), key=str)
        for model in apps.get_app_config("payments").get_models()
        if model.__name__ != "ReconciliationRun"
    }
