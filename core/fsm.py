"""The only place where a status changes.

`start()` gives birth to rows, `fire()` moves locked rows on; both leave a state-change row and an
outbox event per step. `fire()` checks the step by the machine: its states, roles and guard. The
transitions themselves are inert django-fsm methods on the models: stock, money and mail happen in
the service that fires them.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

from django.db import models
from django.db.models import F
from django.utils.translation import gettext_lazy as _
from django_fsm import FSMField, can_proceed

from core.clock import now as business_time
from core.errors import Conflict, ProgrammingMistake
from core.locks import mark_born, require_locked
from core.models import OutboxEvent, StateChange
from core.origin import origin
from core.outbox import Fact, emit
from core.sharding import GroupModel
from core.states import Machine
from core.write import Write


class Stateful(GroupModel):
    """A row with a machine. `version` counts its steps; `status` is written by this module only."""

    machine: ClassVar[Machine]
    # Fields that may change later on: their first values are kept with the birth, so that the row can
    # be shown as it was at any instant.
    told: ClassVar[tuple[str, ...]] = ()

    status = FSMField(max_length=20, protected=True)
    status_changed_at = models.DateTimeField()
    version = models.IntegerField(default=1)

    class Meta(GroupModel.Meta):
        abstract = True

    def refresh_from_db(self, *args: Any, **kwargs: Any) -> None:
        """Reads the row again; a protected field can only be set where it is not set yet."""
        self.__dict__.pop("status", None)
        super().refresh_from_db(*args, **kwargs)

    def stream(self) -> tuple[str, int]:
        """The outbox stream of the row's events: its own, unless a model says otherwise."""
        return self.machine.noun, self.id

    def event_payload(self) -> dict[str, Any]:
        """What every event of the row carries, so that consumers need not read it; ids as text."""
        return {}


def start(
    rows: Sequence[Stateful],
    *,
    verb: str,
    actor: object,
    at: datetime | None = None,
    payload: dict[str, Any] | None = None,
    write: Write | None = None,
) -> None:
    """Births unsaved rows of one model: their first state, their rows, their events.

    With `write` everything is added to that statement, and each row must be the first of its
    stream; without it the rows are written at once.
    """
    if not rows:
        return
    moment = at or business_time()
    steps = []
    for row in rows:
        row.__dict__["status"] = row.machine.edge(verb).target  # protected against anyone else
        row.status_changed_at = moment
        mark_born(row)
        first = {name: [None, kept(getattr(row, name))] for name in row.told}
        steps.append(_step(row, "", verb, actor, "", moment, first))
    if write:
        write.insert(*rows)
    else:
        type(rows[0])._default_manager.bulk_create(rows)
    _record(rows, steps, moment, payload or {}, write)


def fire(
    rows: Stateful | Sequence[Stateful],
    *,
    verb: str,
    actor: object,
    reason: str = "",
    at: datetime | None = None,
    payload: dict[str, Any] | None = None,
    fields: dict[str, Any] | None = None,
) -> None:
    """Moves locked rows of one model on by one verb, all or none.

    `fields` are set on every row by the same UPDATE, and kept with the step as old and new value;
    `at` is the business time read under the lock, where the service has read it. Raises Conflict
    `state.conflict` where the verb does not lead out of a row's state, its guard does not hold or it
    is not the actor's to take. Emits the verb's event for each row.
    """
    rows = [rows] if isinstance(rows, Stateful) else rows
    if not rows:
        return
    for row in rows:
        require_locked(row)
    moment = at or business_time()
    for row in rows:
        _require_possible(row, verb, actor, moment)
    before: dict[str, list[Stateful]] = defaultdict(list)
    steps = []
    for row in rows:
        before[row.status].append(row)
        steps.append(_advance(row, verb, actor, reason, moment, fields or {}))
    for status, group in before.items():
        _update(group, status, moment, fields or {})
    _record(rows, steps, moment, payload or {}, None)


def _require_possible(row: Stateful, verb: str, actor: object, moment: datetime) -> None:
    role = getattr(actor, "role", None)
    if not (can_proceed(getattr(row, verb)) and row.machine.allows(row, verb, role, moment)):
        raise Conflict(
            "state.conflict",
            _("This is not possible in the present state."),
            noun=row.machine.noun,
            id=str(row.id),
            state=row.status,
            verb=verb,
        )


def _advance(
    row: Stateful,
    verb: str,
    actor: object,
    reason: str,
    moment: datetime,
    fields: dict[str, Any],
) -> StateChange:
    source = row.status
    getattr(row, verb)()
    row.version += 1
    if row.status != source:
        row.status_changed_at = moment
    changes = {
        name: [kept(getattr(row, name)), kept(value)]
        for name, value in fields.items()
        if getattr(row, name) != value
    }
    for name, value in fields.items():
        setattr(row, name, value)
    return _step(row, source, verb, actor, reason, moment, changes)


def kept(value: object) -> object:
    """A field's value as a state change keeps it: a moment as text, to the microsecond."""
    return value.isoformat() if isinstance(value, datetime) else value


def _update(rows: list[Stateful], status: str, moment: datetime, fields: dict[str, Any]) -> None:
    """One conditional UPDATE for rows that leave the same state; the lock makes a miss a mistake."""
    model = type(rows[0])
    if rows[0].status != status:
        fields = {**fields, "status": rows[0].status, "status_changed_at": moment}
    changed = model._default_manager.filter(
        id__in=[row.id for row in rows],
        shard_key__in={row.shard_key for row in rows},
        status=status,
    ).update(version=F("version") + 1, **fields)
    if changed != len(rows):
        raise ProgrammingMistake(f"{changed} of {len(rows)} {model.__name__} were {status}")


def _step(
    row: Stateful,
    source: str,
    verb: str,
    actor: object,
    reason: str,
    moment: datetime,
    changes: dict[str, list[object]],
) -> StateChange:
    known = origin()
    return StateChange.build(
        row.shard_key,
        noun=row.machine.noun,
        object_id=row.id,
        seq=row.version,
        from_state=source,
        to_state=row.status,
        verb=verb,
        actor=str(actor),
        reason=reason[:200],
        changes=changes,
        source=known.source,
        request_id=known.request_id,
        at=moment,
    )


def _record(
    rows: Sequence[Stateful],
    steps: list[StateChange],
    moment: datetime,
    payload: dict[str, Any],
    write: Write | None,
) -> None:
    facts, emitting = [], []
    for row, step in zip(rows, steps, strict=True):
        event_type = row.machine.event_type(step.verb)
        if event_type:
            facts.append(
                Fact(
                    stream=row.stream(),
                    shard_key=row.shard_key,
                    type=event_type,
                    object_id=row.id,
                    payload={**row.event_payload(), **payload},
                )
            )
            emitting.append(step)
    events: list[OutboxEvent] = emit(facts, at=moment, write=write)
    for step, event in zip(emitting, events, strict=True):
        step.event_id = event.id
    if write:
        write.insert(*steps)
    else:
        StateChange.objects.bulk_create(steps)
