"""A noun of the kernel's tests: a door with a machine, and rows of every kind of column.

The models live in a registry of their own, so neither migrations nor checks nor the auditor know
them; the fixture `doors` makes their tables.
"""

from datetime import timedelta
from typing import Any, ClassVar

from django.apps.registry import Apps
from django.db import connection, models

from accounts.actors import system
from core.command import command
from core.fsm import Stateful, fire, start
from core.locks import locked
from core.sharding import GroupModel
from core.states import Edge, Machine, State

REGISTRY = Apps()
TESTER = system("test")

DOOR = Machine(
    noun="door",
    states=(
        State("closed", "Can be opened."),
        State("open", "Anybody can pass.", driver="system", longest_age=timedelta(hours=1)),
        State("locked", "Needs a key."),
    ),
    births=(Edge("build", (), "closed", "built"),),
    edges=(
        Edge("open", ("closed",), "open", "opened"),
        Edge("close", ("open",), "closed"),
        Edge("lock", ("closed", "open"), "locked", "locked"),
    ),
)


class Door(Stateful):
    """It tells of everything but of being closed."""

    machine = DOOR
    objects: ClassVar[models.Manager["Door"]] = models.Manager()

    colour = models.CharField(max_length=20, default="white")

    class Meta:
        app_label = "core"
        apps = REGISTRY
        db_table = "door"

    def __str__(self) -> str:
        return f"door {self.id}"

    def event_payload(self) -> dict[str, Any]:
        return {"colour": self.colour}

    @DOOR.transition("open")
    def open(self) -> None:
        """It swings."""

    @DOOR.transition("close")
    def close(self) -> None:
        """It stays."""

    @DOOR.transition("lock")
    def lock(self) -> None:
        """It clicks."""


class Specimen(GroupModel):
    """A column of every kind that group rows have."""

    objects: ClassVar[models.Manager["Specimen"]] = models.Manager()

    text = models.TextField()
    number = models.BigIntegerField()
    flag = models.BooleanField()
    day = models.DateField()
    at = models.DateTimeField(null=True)
    token = models.UUIDField()
    facts = models.JSONField(default=dict, null=True)
    span = models.DurationField(null=True)
    left = models.IntegerField(default=0, db_column="left_over")

    class Meta:
        app_label = "core"
        apps = REGISTRY
        db_table = "specimen"

    def __str__(self) -> str:
        return self.text


def make_tables() -> None:
    """Creates the tables that are not there yet."""
    known = connection.introspection.table_names()
    with connection.schema_editor() as editor:
        for model in (Door, Specimen):
            if model._meta.db_table not in known:
                editor.create_model(model)


@command
def doors_build(count: int = 1, *, shard_key: int = 7, **fields: Any) -> list[Door]:
    """New closed doors."""
    doors = [Door.build(shard_key, **fields) for _ in range(count)]
    start(doors, verb="build", actor=TESTER)
    return doors


@command
def door_fire(*ids: int, verb: str, **how: Any) -> list[Door]:
    """Locks the doors and moves them on."""
    doors = locked(Door.objects.filter(pk__in=ids))
    fire(doors, verb=verb, actor=TESTER, **how)
    return doors
