"""Models: foreign keys point down, shard rules hold, transitions are those of the machines."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.db import models
from django.test.utils import isolate_apps

from core.fsm import Stateful
from core.sharding import (
    OUR_APPS,
    GroupModel,
    Kind,
    LocalModel,
    ReferenceModel,
    check_model,
    check_models,
)
from core.states import STAYS, Edge, Machine, State

FLOOR = {
    "core": 0,
    "accounts": 1,
    "catalog": 2,
    "payments": 3,
    "inventory": 3,
    "delivery": 3,
    "orders": 4,
    "shop": 5,
    "analytics": 5,
}


def our_models() -> list[type[models.Model]]:
    return [model for model in apps.get_models() if model._meta.app_label in OUR_APPS]


def upward_keys(of: list[type[models.Model]]) -> Iterator[str]:
    """Foreign keys that go up, or to a sibling; orders and capabilities know each other by id."""
    for model in of:
        for field in model._meta.get_fields():
            if not (isinstance(field, models.ForeignKey) and field.related_model):
                continue
            source, target = model._meta.app_label, field.related_model._meta.app_label
            if source == target or target not in FLOOR:
                continue
            if FLOOR[target] >= FLOOR[source] or FLOOR[target] == FLOOR["payments"]:
                yield f"{model.__name__}.{field.name} → {target}"


def test_foreign_keys_point_down_only() -> None:
    assert list(upward_keys(our_models())) == []


@pytest.mark.parametrize(
    ("app", "target"),
    [
        ("payments", "orders.Order"),
        ("payments", "inventory.StockItem"),
        ("orders", "payments.Payment"),
        ("core", "accounts.Merchant"),
    ],
)
def test_a_planted_foreign_key_is_found(app: str, target: str) -> None:
    with isolate_apps(app):
        body = {
            "__module__": "planted",
            "Meta": type("Meta", (), {"app_label": app}),
            "up": models.ForeignKey(
                apps.get_model(target), on_delete=models.CASCADE, related_name="+"
            ),
        }
        planted = type("Planted", (LocalModel,), body)
        assert list(upward_keys([planted]))


def test_every_model_keeps_the_shard_rules() -> None:
    assert check_models() == []
    assert {model.__name__ for model in our_models()} >= {"OrderGroup", "StockItem", "Customer"}


def planted_model(base: type[models.Model], **fields: Any) -> type[models.Model]:
    meta = type("Meta", (), {"app_label": "core", **fields.pop("meta", {})})
    return type("Planted", (base,), {"__module__": "planted", "Meta": meta, **fields})


def to(model: str, *, constraint: bool = True) -> Any:
    return models.ForeignKey(
        apps.get_model(model),
        on_delete=models.CASCADE,
        related_name="+",
        db_constraint=constraint,
    )


def many_to(model: str) -> Any:
    return models.ManyToManyField(apps.get_model(model), related_name="+")


@pytest.mark.parametrize(
    ("rule", "base", "fields"),
    [
        ("sharding.E001", models.Model, {}),
        ("sharding.E002", GroupModel, {"code": models.CharField(max_length=5, unique=True)}),
        (
            "sharding.E003",
            GroupModel,
            {
                "code": models.CharField(max_length=5),
                "meta": {
                    "constraints": [models.UniqueConstraint(fields=["code"], name="planted_code")]
                },
            },
        ),
        ("sharding.E004", LocalModel, {"group": lambda: to("orders.OrderGroup")}),
        ("sharding.E004", ReferenceModel, {"group": lambda: to("orders.OrderGroup")}),
        ("sharding.E004", GroupModel, {"customer": lambda: to("accounts.Customer")}),
        (
            "sharding.E003",
            GroupModel,
            {
                "code": models.CharField(max_length=5),
                "meta": {"unique_together": [("code",)]},
            },
        ),
        ("sharding.E005", GroupModel, {"many": lambda: many_to("catalog.Category")}),
        ("sharding.E005", LocalModel, {"many": lambda: many_to("orders.OrderGroup")}),
        ("sharding.E007", models.Model, {"shard_kind": Kind.GROUP}),
        (
            "sharding.E006",
            GroupModel,
            {
                "meta": {
                    "constraints": [
                        models.UniqueConstraint(fields=["shard_key"], name="planted_" + "x" * 50)
                    ]
                }
            },
        ),
    ],
)
def test_a_planted_model_breaks_its_shard_rule(
    rule: str, base: type[models.Model], fields: dict[str, Any]
) -> None:
    with isolate_apps("core"):
        given = {name: value() if callable(value) else value for name, value in fields.items()}
        found = {message.id for message in check_model(planted_model(base, **given))}
    assert found == {rule}


def test_a_group_row_may_point_at_a_local_one_without_a_constraint() -> None:
    with isolate_apps("core"):
        model = planted_model(GroupModel, customer=to("accounts.Customer", constraint=False))
        assert list(check_model(model)) == []


def drawn(machine: Machine) -> dict[str, tuple[set[str], str]]:
    return {
        edge.verb: (
            {source for same in machine.edges_of(edge.verb) for source in same.sources},
            edge.target,
        )
        for edge in machine.edges
    }


def missing_transitions(model: type[Stateful]) -> list[str]:
    """Verbs of the machine that the model's django-fsm transitions do not carry out as drawn."""
    wrong = []
    for verb, (sources, target) in drawn(model.machine).items():
        method = getattr(model, verb, None)
        made = getattr(getattr(method, "_django_fsm", None), "transitions", {})
        reached = None if target == STAYS else target
        if {(source, step.target) for source, step in made.items()} != {
            (source, reached) for source in sources
        }:
            wrong.append(verb)
    return wrong


def test_every_edge_is_a_transition_of_its_model() -> None:
    stateful = [model for model in our_models() if issubclass(model, Stateful)]
    assert {model.__name__: missing_transitions(model) for model in stateful} == {
        model.__name__: [] for model in stateful
    }


def test_an_edge_without_its_transition_is_found() -> None:
    machine = Machine(
        noun="lamp",
        states=(State("off", "dark"), State("on", "bright")),
        births=(Edge("build", (), "off"),),
        edges=(Edge("light", ("off",), "on"), Edge("put_out", ("on",), "off")),
    )
    with isolate_apps("core"):
        lamp = planted_model(
            Stateful, machine=machine, light=machine.transition("light")(lambda self: None)
        )
    assert missing_transitions(lamp) == ["put_out"]  # type: ignore[arg-type]
