"""Reference rows that are written from the code: machines, routes, and what apps add to them.

`migrate` calls `write_all()` at its end, so the auditor's SQL always sees the machines and consumers
that the code has.
"""

from collections.abc import Callable

from django.apps import apps
from django.db import transaction

from core import clock, outbox
from core.fsm import Stateful
from core.models import OutboxRoute, StateEdge, StateRule
from core.states import Machine

writers: list[Callable[[], None]] = []


def reference(write: Callable[[], None]) -> Callable[[], None]:
    """Registers a function that writes reference rows; it must be repeatable."""
    writers.append(write)
    return write


def write_all() -> None:
    """Writes all reference rows anew, in one transaction."""
    with transaction.atomic():
        for write in writers:
            write()


def machines() -> list[Machine]:
    """The machine of every stateful model."""
    return [model.machine for model in apps.get_models() if issubclass(model, Stateful)]


@reference
def write_machines() -> None:
    """States and edges as rows, for the views that judge histories."""
    StateRule.objects.all().delete()
    StateEdge.objects.all().delete()
    for machine in machines():
        StateRule.objects.bulk_create(
            StateRule(
                noun=machine.noun,
                state=state.name,
                may_rest=state.may_rest,
                longest_age=state.longest_age,
            )
            for state in machine.states
        )
        StateEdge.objects.bulk_create(_edges(machine))


def _edges(machine: Machine) -> list[StateEdge]:
    return [
        StateEdge(
            noun=machine.noun,
            verb=edge.verb,
            from_state=source,
            to_state=edge.leads_to(source),
            emits=bool(edge.past),
        )
        for edge in (*machine.births, *machine.edges)
        for source in edge.sources or ("",)
    ]


@reference
def write_routes() -> None:
    """Which consumer takes which event, and since when, for the view that looks for effects."""
    wanted = {
        (event_type, consumer.name)
        for consumer in outbox.consumers
        for event_type in consumer.types
    }
    known = {(route.type, route.consumer): route for route in OutboxRoute.objects.all()}
    for key in known.keys() - wanted:
        known[key].delete()
    since = clock.now()
    OutboxRoute.objects.bulk_create(
        OutboxRoute(type=event_type, consumer=consumer, since=since)
        for event_type, consumer in sorted(wanted - known.keys())
    )
