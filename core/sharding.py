"""Where a row lives: every model says its kind, and rows of one owner share one shard key.

`group` rows live on their owner's shard and carry its gene (0..4095) in the low 12 bits of their
id, `reference` rows are small, rarely written and copied everywhere, `local` rows stay on one
database. `docs/adr/0004-shard-keys.md` tells why; the system check at the end holds the rules.
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import Any, ClassVar, Self

from django.apps import apps
from django.core.checks import CheckMessage, Error, register
from django.db import models
from django.db.models import F, Q

from core.ids import new_id

GENE_MASK = 4095
OUR_APPS = frozenset(
    (
        "core",
        "accounts",
        "catalog",
        "inventory",
        "payments",
        "delivery",
        "orders",
        "shop",
        "analytics",
    )
)


class Kind(StrEnum):
    """Where the rows of a model live."""

    GROUP = "group"
    REFERENCE = "reference"
    LOCAL = "local"


class GroupModel(models.Model):
    """A row on its owner's shard: a snowflake id that carries the owner's gene."""

    shard_kind: ClassVar[Kind] = Kind.GROUP

    id = models.BigIntegerField(primary_key=True, editable=False)
    shard_key = models.SmallIntegerField(editable=False)

    class Meta:
        abstract = True
        constraints = [
            models.CheckConstraint(
                condition=Q(shard_key=F("id").bitand(GENE_MASK)),
                name="%(app_label)s_%(class)s_gene",
            )
        ]

    @classmethod
    def build(cls, shard_key: int, **fields: Any) -> Self:
        """An unsaved row with a new id of that gene."""
        return cls(id=new_id(shard_key), shard_key=shard_key, **fields)


class ReferenceModel(models.Model):
    """A small, rarely written row that every shard has a copy of."""

    shard_kind: ClassVar[Kind] = Kind.REFERENCE

    class Meta:
        abstract = True


class LocalModel(models.Model):
    """A row that is never sharded. It may use a database sequence."""

    shard_kind: ClassVar[Kind] = Kind.LOCAL

    class Meta:
        abstract = True


def kind_of(model: type[models.Model]) -> Kind:
    """The declared kind; models of Django and of libraries are local."""
    return getattr(model, "shard_kind", Kind.LOCAL)


@register("sharding")
def check_models(**_: Any) -> list[CheckMessage]:
    """Holds the shard rules for every model of ours."""
    ours = (model for model in apps.get_models() if model._meta.app_label in OUR_APPS)
    return [message for model in ours for message in check_model(model)]


def check_model(model: type[models.Model]) -> Iterator[CheckMessage]:
    """The shard rules that one model breaks."""
    if "shard_kind" not in {name for base in model.__mro__ for name in vars(base)}:
        yield Error(f"{model.__name__} does not say its kind", obj=model, id="sharding.E001")
    if kind_of(model) is Kind.GROUP:
        yield from _check_uniques(model)
    for field in model._meta.get_fields():
        if isinstance(field, models.ForeignKey):
            yield from _check_foreign_key(model, field)
        if isinstance(field, models.ManyToManyField) and Kind.GROUP in _kinds_of(field):
            yield Error(f"{field} is many-to-many on a group model", obj=model, id="sharding.E005")
    for constraint in model._meta.constraints:
        if len(constraint.name) > 50:
            yield Error(f"{constraint.name} is too long", obj=model, id="sharding.E006")


def _kinds_of(field: "models.ManyToManyField[Any, Any]") -> set[Kind]:
    """The kinds of both ends."""
    return {kind_of(field.model), kind_of(field.related_model)}


def _check_uniques(model: type[models.Model]) -> Iterator[CheckMessage]:
    if isinstance(model._meta.pk, models.AutoField):
        yield Error(f"{model.__name__} counts its own ids", obj=model, id="sharding.E007")
    for together in model._meta.unique_together:
        if "shard_key" not in together:
            yield Error(f"{together} lacks shard_key", obj=model, id="sharding.E003")
    for field in model._meta.local_concrete_fields:
        if field.unique and not field.primary_key:
            yield Error(f"{field} is unique without shard_key", obj=model, id="sharding.E002")
    uniques = (c for c in model._meta.constraints if isinstance(c, models.UniqueConstraint))
    for constraint in uniques:
        if "shard_key" not in constraint.fields:
            yield Error(f"{constraint.name} lacks shard_key", obj=model, id="sharding.E003")


def _check_foreign_key(
    model: type[models.Model], field: "models.ForeignKey[Any, Any]"
) -> Iterator[CheckMessage]:
    source, target = kind_of(model), kind_of(field.related_model)
    wrong = {
        (Kind.LOCAL, Kind.GROUP): True,
        (Kind.REFERENCE, Kind.GROUP): True,
        (Kind.GROUP, Kind.LOCAL): field.db_constraint,  # type: ignore[attr-defined]
    }
    if wrong.get((source, target), False):
        yield Error(f"{field}: {source} may not point at {target}", obj=model, id="sharding.E004")
