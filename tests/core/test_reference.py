"""Reference rows: what the auditor knows of machines and consumers is what the code has."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from core import clock, reference
from core.models import OutboxRoute, StateEdge, StateRule
from tests.core.outbox_parts import consume, registry

pytestmark = pytest.mark.django_db


@pytest.fixture
def own_registry() -> Iterator[None]:
    with registry():
        reference.write_all()
        yield


def test_every_state_and_edge_of_every_machine_is_a_row() -> None:
    reference.write_all()

    assert set(StateRule.objects.values_list("noun", "state", "may_rest", "longest_age")) == {
        (machine.noun, state.name, not state.driver, state.longest_age)
        for machine in reference.machines()
        for state in machine.states
    }
    assert set(
        StateEdge.objects.values_list("noun", "verb", "from_state", "to_state", "emits")
    ) == {
        (machine.noun, edge.verb, source, edge.leads_to(source), edge.past != "")
        for machine in reference.machines()
        for edge in (*machine.births, *machine.edges)
        for source in edge.sources or [""]
    }


def test_writing_them_again_changes_nothing() -> None:
    reference.write_all()
    before = [list(model.objects.values()) for model in (OutboxRoute,)]
    sizes = StateRule.objects.count(), StateEdge.objects.count()

    reference.write_all()

    assert [list(model.objects.values()) for model in (OutboxRoute,)] == before
    assert (StateRule.objects.count(), StateEdge.objects.count()) == sizes


@pytest.mark.usefixtures("own_registry")
def test_a_new_consumer_has_its_route_from_now_on() -> None:
    before = clock.now()
    consume("take", print, "a", "b")

    reference.write_routes()

    assert set(OutboxRoute.objects.values_list("type", "consumer")) == {
        ("a", "take"),
        ("b", "take"),
    }
    assert all(before <= route.since <= clock.now() for route in OutboxRoute.objects.all())


@pytest.mark.usefixtures("own_registry")
def test_a_known_route_keeps_its_beginning_and_one_that_is_gone_goes() -> None:
    consume("stays", print, "a")
    consume("goes", print, "a")
    reference.write_routes()
    since = OutboxRoute.objects.get(consumer="stays").since
    clock.advance(timedelta(days=1))

    with registry():
        consume("stays", print, "a")
        reference.write_routes()

    route = OutboxRoute.objects.get()
    assert (route.consumer, route.since) == ("stays", since)
