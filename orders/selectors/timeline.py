"""All that has happened to an order or a group, told from the rows that prove it, newest last."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from accounts.models import User
from core.models import StateChange
from core.money import Money
from delivery.models import ParcelEvent, Shipment
from orders.models import Mail, Order, OrderGroup
from payments.models import Attempt, Payment, Refund

MOST_ENTRIES = 500

Names = Mapping[str, Mapping[int, str]]  # noun → id → what it is called


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: when, about what, from which state to which, by whom and why."""

    at: datetime
    noun: str
    subject: str
    verb: str
    from_state: str
    to_state: str
    actor: str
    reason: str


def order_timeline(order: Order) -> list[Entry]:
    """What concerns this order alone: nothing of the group's other merchants is in it."""
    shard_key, mine = order.shard_key, [order.id]
    names = {
        "order": {order.id: order.number},
        "refund": _refunds(Refund.objects.filter(shard_key=shard_key, reference__in=mine)),
        "shipment": _shipments(shard_key, mine),
    }
    mails = Mail.objects.filter(order=order, shard_key=shard_key)
    return _told(shard_key, names, mails)


def group_timeline(group: OrderGroup) -> list[Entry]:
    """Everything about a group: its orders, its payment with attempts and refunds, its parcels."""
    key = group.shard_key
    orders = dict(group.orders.values_list("id", "number"))
    payments = Payment.objects.filter(reference=group.id, shard_key=key)
    attempts = Attempt.objects.filter(payment__in=payments, shard_key=key)
    names = {
        "order_group": {group.id: group.number},
        "order": orders,
        "payment": dict.fromkeys(payments.values_list("id", flat=True), ""),
        "attempt": dict(attempts.values_list("id", "channel")),
        "refund": _refunds(Refund.objects.filter(payment__in=payments, shard_key=key)),
        "shipment": _shipments(key, list(orders)),
    }
    return _told(key, names, Mail.objects.filter(group=group, shard_key=key))


def _refunds(rows: QuerySet[Refund]) -> dict[int, str]:
    return {
        row.id: f"{Money(row.amount_minor, row.currency).decimal_text()} {row.currency}"
        for row in rows
    }


def _shipments(shard_key: int, order_ids: Collection[int]) -> dict[int, str]:
    rows = Shipment.objects.filter(shard_key=shard_key, reference__in=order_ids)
    return {row.id: row.tracking_number or row.carrier for row in rows}


def _told(shard_key: int, names: Names, mails: QuerySet[Mail]) -> list[Entry]:
    entries = [*_steps(shard_key, names), *_scans(shard_key, names["shipment"]), *_mails(mails)]
    # Steps of one transaction have one time; the sort keeps them in the order of their ids.
    return sorted(entries, key=lambda entry: entry.at)[-MOST_ENTRIES:]


def _steps(shard_key: int, names: Names) -> Iterable[Entry]:
    wanted = Q(pk__in=[])
    for noun, ids in names.items():
        wanted |= Q(noun=noun, object_id__in=list(ids))
    steps = list(StateChange.objects.filter(wanted, shard_key=shard_key).order_by("at", "id"))
    people = _people(step.actor for step in steps)
    for step in steps:
        yield Entry(
            at=step.at,
            noun=step.noun,
            subject=names[step.noun][step.object_id],
            verb=step.verb,
            from_state=step.from_state.replace("_", " "),
            to_state=step.to_state.replace("_", " "),
            actor=people[step.actor],
            reason=step.reason,
        )


def _scans(shard_key: int, shipments: Mapping[int, str]) -> Iterable[Entry]:
    rows = ParcelEvent.objects.filter(shipment__in=list(shipments), shard_key=shard_key)
    for row in rows.order_by("at", "id"):
        yield Entry(
            at=row.at,
            noun="scan",
            subject=shipments[row.shipment_id],
            verb=row.code,
            from_state="",
            to_state="",
            actor=_("carrier"),
            reason=row.note,
        )


def _mails(mails: QuerySet[Mail]) -> Iterable[Entry]:
    for mail in mails.order_by("created_at", "id"):
        yield Entry(
            at=mail.created_at,
            noun="mail",
            subject=mail.subject,
            verb="send",
            from_state="",
            to_state=_("sent") if mail.sent_at else _("waits to be sent"),
            actor=_("system"),
            reason="",
        )


def _people(actors: Iterable[str]) -> dict[str, str]:
    """Actors in words: the party, and the user's name where a user did it."""
    users: dict[str, int] = {}
    words: dict[str, str] = defaultdict(str)
    for actor in set(actors):
        party, _colon, rest = actor.partition(":")
        words[actor] = party
        user_id = rest.rpartition("user:")[2]
        if "user:" in rest and user_id.isdecimal():
            users[actor] = int(user_id)
    known = User.objects.in_bulk(set(users.values()))
    for actor in users:
        if user := known.get(users[actor]):
            words[actor] += f" · {user.name or user.email}"
    return words
