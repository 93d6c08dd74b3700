"""All that has happened to an order or a group, told from the rows that prove it, newest last.

Steps, postings, stock movements, parcels' scans, mails and notes: there is no table of it, and it
costs a fixed number of statements, however much has happened.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from operator import attrgetter
from typing import TypeVar

from django.db.models import Model, Q, QuerySet, TextChoices
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.actors import Role
from accounts.models import User
from core.models import StateChange
from core.money import Money
from delivery.models import ParcelEvent, Shipment
from inventory.models import StockMovement
from orders.models import CancelRequest, Mail, Note, Order, OrderGroup, OrderLine
from orders.selectors.history import MODELS, field_of, value_of
from payments.models import Attempt, Capture, LedgerEntry, Payment, Refund

MOST_ENTRIES = 500
# Named where they change, and not shown: who may see them is said elsewhere.
PRIVATE = frozenset({"email", "shipping_address"})

M = TypeVar("M", bound=Model)
Names = Mapping[str, Mapping[int, str]]  # noun → id → what it is called
Origins = Mapping[tuple[datetime, str], tuple[str, str]]  # (at, actor) → (source, request id)


class Kind(TextChoices):
    """What an entry is told from."""

    STEP = "step", gettext_lazy("Steps")
    MONEY = "money", gettext_lazy("Money")
    STOCK = "stock", gettext_lazy("Stock")
    PARCEL = "parcel", gettext_lazy("Parcels")
    MAIL = "mail", gettext_lazy("Mails")
    NOTE = "note", gettext_lazy("Notes")


@dataclass(frozen=True, slots=True)
class Change:
    """A field that a step has changed, in words; both are empty where it is not for all to see."""

    field: str
    old: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line: when, about what, from which state to which, by whom, why and from where."""

    at: datetime
    kind: Kind
    noun: str
    subject: str
    verb: str
    actor: str
    from_state: str = ""
    to_state: str = ""
    detail: str = ""
    reason: str = ""
    changes: tuple[Change, ...] = ()
    source: str = ""
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Timeline:
    """The last entries; `is_capped` where there were more."""

    entries: list[Entry]
    is_capped: bool


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose history is told: these orders of one shard, with what is named in it.

    `known` are the users who may be named to the reader.
    """

    shard_key: int
    orders: Collection[int]
    names: Names
    mails: QuerySet[Mail]
    notes: QuerySet[Note]
    known: QuerySet[User]


def order_timeline(
    order: Order, kinds: Collection[Kind] = tuple(Kind), *, role: Role = Role.STAFF
) -> Timeline:
    """What concerns this order alone: nothing of the group's other merchants is in it.

    Staff are told who did it; any other role only which of the merchant's own people did.
    At most 12 statements.
    """
    key, mine = order.shard_key, [order.id]
    names = {
        "order": {order.id: order.number},
        "cancel_request": _requests(key, mine),
        "capture": _captures(key, mine),
        "refund": _refunds(Refund.objects.filter(shard_key=key, reference__in=mine)),
        "shipment": _shipments(key, mine),
    }
    return _told(
        Scope(
            key,
            mine,
            names,
            mails=Mail.objects.filter(order=order, shard_key=key),
            notes=Note.objects.filter(order=order, shard_key=key),
            known=User.objects.all()
            if role is Role.STAFF
            else User.objects.filter(memberships__merchant=order.merchant_id),
        ),
        kinds,
    )


def group_timeline(group: OrderGroup, kinds: Collection[Kind] = tuple(Kind)) -> Timeline:
    """Everything about a group: its orders, its payment with attempts and refunds, its parcels.

    At most 15 statements.
    """
    key = group.shard_key
    orders = dict(group.orders.values_list("id", "number"))
    payments = Payment.objects.filter(reference=group.id, shard_key=key)
    attempts = Attempt.objects.filter(payment__in=payments, shard_key=key)
    names = {
        "order_group": {group.id: group.number},
        "order": orders,
        "payment": dict.fromkeys(payments.values_list("id", flat=True), ""),
        "attempt": dict(attempts.values_list("id", "channel")),
        "capture": _captures(key, list(orders)),
        "cancel_request": _requests(key, list(orders)),
        "refund": _refunds(Refund.objects.filter(payment__in=payments, shard_key=key)),
        "shipment": _shipments(key, list(orders)),
    }
    return _told(
        Scope(
            key,
            list(orders),
            names,
            mails=Mail.objects.filter(group=group, shard_key=key),
            notes=Note.objects.filter(group=group, shard_key=key),
            known=User.objects.all(),
        ),
        kinds,
    )


def _requests(shard_key: int, order_ids: Collection[int]) -> dict[int, str]:
    rows = CancelRequest.objects.filter(shard_key=shard_key, order__in=order_ids)
    return dict(rows.values_list("id", "reason"))


def _captures(shard_key: int, order_ids: Collection[int]) -> dict[int, str]:
    rows = Capture.objects.filter(shard_key=shard_key, order_id__in=order_ids)
    return {row.id: _amount(row.amount_minor, row.currency) for row in rows}


def _refunds(rows: QuerySet[Refund]) -> dict[int, str]:
    return {row.id: _amount(row.amount_minor, row.currency) for row in rows}


def _shipments(shard_key: int, order_ids: Collection[int]) -> dict[int, str]:
    rows = Shipment.objects.filter(shard_key=shard_key, reference__in=order_ids)
    return {row.id: row.tracking_number or row.carrier for row in rows}


def _amount(minor: int, currency: str) -> str:
    return f"{Money(minor, currency).decimal_text()} {currency}"


def _told(scope: Scope, kinds: Collection[Kind]) -> Timeline:
    steps = _steps(scope)
    # What was written by the work of a step has its moment and its actor, and came from where it did.
    origins = {(step.at, step.actor): (step.source, step.request_id) for step in steps}
    entries: list[Entry] = []
    if Kind.STEP in kinds:
        entries += (_step(step, scope.names) for step in steps)
    if Kind.MONEY in kinds:
        entries += _postings(scope, origins)
    if Kind.STOCK in kinds:
        entries += _movements(scope, origins)
    if Kind.PARCEL in kinds:
        entries += _scans(scope)
    if Kind.MAIL in kinds:
        entries += map(_mail, _latest(scope.mails, "created_at"))
    if Kind.NOTE in kinds:
        entries += map(_note, _latest(scope.notes, "at"))
    # Steps of one transaction have one time; the sort keeps them in the order of their ids.
    entries.sort(key=attrgetter("at"))
    shown = entries[-MOST_ENTRIES:]
    people = _people((entry.actor for entry in shown), scope.known)
    named = [replace(entry, actor=people[entry.actor]) for entry in shown]
    return Timeline(named, is_capped=len(entries) > MOST_ENTRIES)


def _latest(rows: QuerySet[M], moment: str) -> list[M]:
    """The last rows, one more than are shown, oldest first."""
    return list(rows.order_by(f"-{moment}", "-id")[: MOST_ENTRIES + 1])[::-1]


def _steps(scope: Scope) -> list[StateChange]:
    wanted = Q(pk__in=[])
    for noun, ids in scope.names.items():
        wanted |= Q(noun=noun, object_id__in=list(ids))
    return _latest(StateChange.objects.filter(wanted, shard_key=scope.shard_key), "at")


def _step(step: StateChange, names: Names) -> Entry:
    return Entry(
        at=step.at,
        kind=Kind.STEP,
        noun=step.noun,
        subject=names[step.noun][step.object_id],
        verb=step.verb,
        from_state=step.from_state.replace("_", " "),
        to_state=step.to_state.replace("_", " "),
        actor=step.actor,
        reason=step.reason,
        changes=tuple(_changes(step)),
        source=step.source,
        request_id=step.request_id,
    )


def _changes(step: StateChange) -> Iterator[Change]:
    """Of the told fields of groups and orders; a birth changes nothing, it says the first values."""
    model = MODELS.get(step.noun)
    if model is None or not step.from_state:
        return
    for name in model.told:
        if name in step.changes:
            label = str(field_of(model, name).verbose_name)
            old, new = (in_words(value_of(model, name, kept)) for kept in step.changes[name])
            yield Change(label, "", "") if name in PRIVATE else Change(label, old, new)


def in_words(value: object) -> str:
    """A field's value as pages show it."""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    return "–" if value is None else str(value).replace("_", " ")


def _postings(scope: Scope, origins: Origins) -> Iterator[Entry]:
    """Per posting what moved on the orders' own accounts: one side of it, for both are equal."""
    rows = LedgerEntry.objects.filter(shard_key=scope.shard_key, order_id__in=scope.orders)
    legs = defaultdict(list)
    for row in _latest(rows.select_related("transaction"), "transaction__posted_at"):
        legs[row.transaction].append(row)
    for posting, entries in legs.items():
        debit_minor = sum(max(row.amount_minor, 0) for row in entries)
        credit_minor = -sum(min(row.amount_minor, 0) for row in entries)
        source, request_id = origins.get((posting.posted_at, posting.actor), ("", ""))
        yield Entry(
            at=posting.posted_at,
            kind=Kind.MONEY,
            noun="posting",
            subject=_amount(max(debit_minor, credit_minor), entries[0].currency),
            verb=posting.kind.replace("_", " "),
            actor=posting.actor,
            source=source,
            request_id=request_id,
        )


def _movements(scope: Scope, origins: Origins) -> Iterator[Entry]:
    """Of the stock that the orders' lines are promised; the rows lie with their merchants."""
    lines = OrderLine.objects.filter(order__in=scope.orders, shard_key=scope.shard_key)
    titles = dict(lines.values_list("id", "title"))
    for row in _latest(StockMovement.objects.filter(reference__in=list(titles)), "at"):
        source, request_id = origins.get((row.at, row.actor), ("", ""))
        yield Entry(
            at=row.at,
            kind=Kind.STOCK,
            noun="stock",
            subject=titles[row.reference or 0],
            verb=str(row.get_reason_display()),
            detail=_("on hand %(on_hand)s, reserved %(reserved)s")
            % {"on_hand": f"{row.on_hand_change:+}", "reserved": f"{row.reserved_change:+}"},
            actor=row.actor,
            reason=row.note,
            source=source,
            request_id=request_id,
        )


def _scans(scope: Scope) -> Iterator[Entry]:
    shipments = scope.names["shipment"]
    rows = ParcelEvent.objects.filter(shipment__in=list(shipments), shard_key=scope.shard_key)
    for row in _latest(rows, "at"):
        yield Entry(
            at=row.at,
            kind=Kind.PARCEL,
            noun="scan",
            subject=shipments[row.shipment_id],
            verb=row.code,
            actor="carrier",
            reason=row.note,
            source="hook",
            request_id=row.event_id,
        )


def _mail(mail: Mail) -> Entry:
    return Entry(
        at=mail.created_at,
        kind=Kind.MAIL,
        noun="mail",
        subject=mail.subject,
        verb="send",
        to_state=_("sent") if mail.sent_at else _("waits to be sent"),
        actor="system",
        source="relay",
        request_id=str(mail.event_id),
    )


def _note(note: Note) -> Entry:
    return Entry(
        at=note.at,
        kind=Kind.NOTE,
        noun="note",
        subject="",
        verb="write",
        detail=note.text,
        actor=note.actor,
    )


def _people(actors: Iterable[str], users_known: QuerySet[User]) -> dict[str, str]:
    """Actors in words: the party, and the user's name where a user did it who may be named."""
    users: dict[str, int] = {}
    words: dict[str, str] = defaultdict(str)
    for actor in set(actors):
        party, _colon, rest = actor.partition(":")
        words[actor] = party
        user_id = rest.rpartition("user:")[2]
        if "user:" in rest and user_id.isdecimal():
            users[actor] = int(user_id)
    known = users_known.in_bulk(set(users.values()))
    for actor in users:
        if user := known.get(users[actor]):
            words[actor] += f" · {user.name or user.email}"
    return words
