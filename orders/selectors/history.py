"""A group and its orders as they were at any instant, rebuilt from their state changes alone."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Field

from core.fsm import Stateful
from core.models import StateChange
from orders.models import Order, OrderGroup

MODELS: dict[str, type[Stateful]] = {
    model.machine.noun: model for model in (OrderGroup, Order) if model.told
}


@dataclass(slots=True)
class AsOf:
    """A row as it was: its state since when, its version, and the fields that it tells of."""

    id: int
    state: str = ""
    since: datetime | None = None
    version: int = 0
    fields: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GroupAsOf:
    """A group and those of its orders that there were."""

    group: AsOf
    orders: list[AsOf]


def order_as_of(group: OrderGroup, at: datetime) -> GroupAsOf | None:
    """The group with its orders as they were at that instant; None before it was placed."""
    order_ids = list(group.orders.order_by("id").values_list("id", flat=True))
    groups = rows_as_of(OrderGroup, [group.id], shard_key=group.shard_key, at=at)
    orders = rows_as_of(Order, order_ids, shard_key=group.shard_key, at=at)
    return GroupAsOf(groups[0], orders) if groups else None


def rows_as_of(
    model: type[Stateful], ids: Collection[int], *, shard_key: int, at: datetime
) -> list[AsOf]:
    """Those of the rows that there were at that instant, by id; one statement."""
    steps = StateChange.objects.filter(
        noun=model.machine.noun, object_id__in=ids, shard_key=shard_key, at__lte=at
    )
    return rebuilt(model, steps.order_by("object_id", "seq"))


def rebuilt(model: type[Stateful], steps: Iterable[StateChange]) -> list[AsOf]:
    """The rows that these steps lead to; the steps of one row stand in their order."""
    rows: dict[int, AsOf] = {}
    for step in steps:
        row = rows.setdefault(step.object_id, AsOf(step.object_id))
        if step.to_state != row.state:
            row.state, row.since = step.to_state, step.at
        row.version = step.seq
        for name, (_old, new) in step.changes.items():
            if name in model.told:
                row.fields[name] = value_of(model, name, new)
    return list(rows.values())


def value_of(model: type[Stateful], name: str, kept: object) -> Any:
    """A field's value out of what a state change keeps of it: the inverse of `core.fsm.kept`."""
    return field_of(model, name).to_python(kept)


def field_of(model: type[Stateful], name: str) -> "Field[Any, Any]":
    """The model's own field of that name."""
    found = model._meta.get_field(name)
    assert isinstance(found, Field), "what is told is a column"
    return found
