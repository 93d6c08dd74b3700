"""The tables as a model: what a step is to do, and that it has done it."""

from datetime import datetime
from typing import Any

from django.db import transaction

from accounts.actors import Actor, Role
from core.fsm import Stateful, fire
from core.models import OutboxEvent, StateChange
from core.states import STAYS, Machine
from tests.factories.story import fresh_row


def drawn(machine: Machine, row: Stateful, verb: str, role: Role, at: datetime) -> str | None:
    """The state that the table leads to, read edge by edge; None where nobody has drawn a step."""
    for edge in machine.edges:
        is_mine = edge.verb == verb and row.status in edge.sources
        if is_mine and (not edge.roles or role in edge.roles):
            if edge.guard and not edge.guard.holds(row, at, ()):
                continue
            return row.status if edge.target == STAYS else edge.target
    return None


class TakenBackError(Exception):
    """The step was taken; its savepoint goes back."""


def taken(
    row: Stateful, verb: str, role: Role, at: datetime, fields: dict[str, Any] | None = None
) -> str:
    """The state after a legal step, which leaves a version, a state change and its event.

    `fields`: what the state that it leads to demands of the row.
    """
    before, version, facts = row.status, row.version, counted()
    try:
        with transaction.atomic():
            fire(row, verb=verb, actor=Actor(role, "contract"), at=at, fields=fields)
            stored = fresh_row(row)
            step = StateChange.objects.filter(object_id=row.pk, noun=row.machine.noun).latest("seq")
            told = row.machine.event_type(verb)
            event = OutboxEvent.objects.get(pk=step.event_id) if step.event_id else None
            assert stored.version == row.version == step.seq == version + 1
            assert (step.from_state, step.verb, step.to_state) == (before, verb, stored.status)
            assert (event.type if event else "") == told
            assert counted() == (facts[0] + 1, facts[1] + bool(told))
            raise TakenBackError(stored.status)
    except TakenBackError as done:
        return str(done)


def counted() -> tuple[int, int]:
    return StateChange.objects.count(), OutboxEvent.objects.count()
