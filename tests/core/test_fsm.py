"""start() and fire(): the only way into and between states, and what each step leaves behind."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core import clock
from core.command import command
from core.errors import Conflict, ProgrammingMistake
from core.fsm import fire, start
from core.locks import locked
from core.models import OutboxEvent, OutboxStream, StateChange
from core.write import Write
from tests.core.door import TESTER, Door, door_fire, doors_build

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("doors")]


def history(door: Door) -> list[tuple[int, str, str, str]]:
    """(seq, from, verb, to) of each step."""
    rows = StateChange.objects.filter(noun="door", object_id=door.id).order_by("seq")
    return [(row.seq, row.from_state, row.verb, row.to_state) for row in rows]


def events(door: Door) -> list[tuple[int, str]]:
    """(seq, type) of each event."""
    rows = OutboxEvent.objects.filter(object_id=door.id).order_by("seq")
    return [(row.seq, row.type) for row in rows]


def test_a_birth_sets_the_first_state_and_leaves_a_step_and_an_event() -> None:
    before = clock.now()

    [door] = doors_build(colour="red")

    stored = Door.objects.get(pk=door.id)
    assert (stored.status, stored.version, stored.shard_key) == ("closed", 1, 7)
    assert before <= stored.status_changed_at <= clock.now()
    assert history(door) == [(1, "", "build", "closed")]
    [event] = OutboxEvent.objects.all()
    assert (event.type, event.object_id, event.seq) == ("door.built", door.id, 1)
    assert event.payload == {"colour": "red"}
    assert StateChange.objects.get().event_id == event.id
    assert (event.stream.aggregate_type, event.stream.aggregate_id) == ("door", door.id)
    assert {event.shard_key, event.stream.shard_key, StateChange.objects.get().shard_key} == {7}


def test_a_birth_of_none_is_quiet() -> None:
    assert doors_build(0) == []

    assert not StateChange.objects.exists()


def test_a_birth_in_one_statement_writes_the_same_rows() -> None:
    @command
    def build() -> list[Door]:
        doors, write = [Door.build(7), Door.build(7)], Write()
        start(doors, verb="build", actor=TESTER, payload={"key": "a"}, write=write)
        assert not Door.objects.exists()
        write.run()
        return doors

    for door in build():
        stored = Door.objects.get(pk=door.id)
        assert (stored.status, stored.version) == ("closed", 1)
        assert stored.status_changed_at == door.status_changed_at
        assert history(door) == [(1, "", "build", "closed")]
        assert events(door) == [(1, "door.built")]
    assert OutboxStream.objects.filter(last_seq=1, delivered_seq=0).count() == 2
    assert OutboxEvent.objects.first().payload == {"colour": "white", "key": "a"}  # type: ignore[union-attr]
    assert set(StateChange.objects.values_list("event_id")) == set(
        OutboxEvent.objects.values_list("id")
    )


def test_a_step_changes_the_row_and_tells_who_why_and_when() -> None:
    [door] = doors_build()

    [fired] = door_fire(
        door.id, verb="lock", reason="night", payload={"by": "keeper"}, fields={"colour": "black"}
    )

    stored = Door.objects.get()
    for row in (stored, fired):
        assert (row.status, row.version, row.colour) == ("locked", 2, "black")
    assert stored.status_changed_at == fired.status_changed_at
    step = StateChange.objects.get(seq=2)
    assert (step.actor, step.reason, step.at) == (str(TESTER), "night", stored.status_changed_at)
    event = OutboxEvent.objects.get(seq=2)
    assert (event.id, event.type) == (step.event_id, "door.locked")
    assert event.payload == {"colour": "black", "by": "keeper"}
    assert OutboxStream.objects.get().last_seq == 2


def test_a_step_without_a_past_word_emits_nothing() -> None:
    [door] = doors_build()
    door_fire(door.id, verb="open")

    door_fire(door.id, verb="close")

    assert history(door)[2:] == [(3, "open", "close", "closed")]
    assert events(door) == [(1, "door.built"), (2, "door.opened")]
    assert StateChange.objects.get(seq=3).event_id is None


def test_many_rows_from_different_states_go_together() -> None:
    built = doors_build(4)
    door_fire(built[0].id, built[1].id, verb="open")

    door_fire(*[door.id for door in built], verb="lock")

    assert set(Door.objects.values_list("status", "version")) == {("locked", 3), ("locked", 2)}
    assert history(built[0])[-1] == (3, "open", "lock", "locked")
    assert history(built[3])[-1] == (2, "closed", "lock", "locked")


def test_many_rows_cost_no_more_statements_than_one() -> None:
    def statements(count: int) -> int:
        doors = doors_build(count)
        with CaptureQueriesContext(connection) as queries:
            door_fire(*[door.id for door in doors], verb="open")
        return len(queries)

    assert statements(1) == statements(30)


def test_firing_none_is_quiet() -> None:
    assert door_fire(verb="open") == []


def test_a_verb_that_does_not_lead_out_is_refused_and_nothing_changes() -> None:
    opened, shut = doors_build(2)
    door_fire(opened.id, verb="open")

    @command
    def open_both() -> list[Door]:
        doors = locked(Door.objects.all())
        with pytest.raises(Conflict) as refused:
            fire(doors[::-1], verb="open", actor=TESTER, fields={"colour": "red"})
        assert refused.value.code == "state.conflict"
        assert refused.value.facts == {
            "noun": "door",
            "id": str(opened.id),
            "state": "open",
            "verb": "open",
        }
        return doors

    in_memory = open_both()

    for row in (*in_memory, *Door.objects.all()):
        assert row.colour == "white"
    assert [door.status for door in in_memory] == ["open", "closed"]
    assert [door.version for door in in_memory] == [2, 1]
    assert Door.objects.get(pk=shut.id).status == "closed"
    assert len(history(opened)) == 2
    assert len(history(shut)) == 1


def test_a_row_whose_state_is_not_what_the_lock_saw_is_a_mistake() -> None:
    [door] = doors_build()

    @command
    def fire_behind_its_back() -> None:
        rows = locked(Door.objects.all())
        with connection.cursor() as cursor:
            cursor.execute("UPDATE door SET status = 'locked'")
        fire(rows, verb="open", actor=TESTER)

    with pytest.raises(ProgrammingMistake, match="0 of 1 Door were closed"):
        fire_behind_its_back()

    assert Door.objects.get().status == "closed"
    assert len(history(door)) == 1


def test_nobody_else_assigns_a_state() -> None:
    [door] = doors_build()

    for row in (door, Door.objects.get()):
        with pytest.raises(AttributeError, match="not allowed"):
            row.status = "open"


def test_a_row_can_be_read_again_and_stays_protected() -> None:
    [door] = doors_build()
    stale = Door.objects.get()
    door_fire(door.id, verb="open")

    stale.refresh_from_db()

    assert (stale.status, stale.version) == ("open", 2)
    with pytest.raises(AttributeError):
        stale.status = "closed"


@pytest.mark.parametrize("how", [{"fields": ["colour"]}, {"fields": ["status"]}])
def test_a_row_can_be_read_again_in_part(how: dict[str, Any]) -> None:
    doors_build()
    door = Door.objects.get()

    door.refresh_from_db(**how)

    assert door.status == "closed"
    with pytest.raises(AttributeError):
        door.status = "open"


def test_a_row_read_without_its_state_loads_it_when_asked() -> None:
    doors_build()

    assert Door.objects.only("colour").get().status == "closed"


def test_steps_are_told_in_business_time() -> None:
    clock.advance(timedelta(days=400))

    doors_build()

    at = StateChange.objects.get().at
    assert at - clock.now() < timedelta(minutes=1)
    assert {Door.objects.get().status_changed_at, OutboxEvent.objects.get().created_at} == {at}


def test_a_birth_can_be_told_when_it_happened() -> None:
    at = clock.now() - timedelta(hours=1)

    @command
    def build() -> None:
        start([Door.build(7)], verb="build", actor=TESTER, at=at)

    build()

    assert {Door.objects.get().status_changed_at, OutboxEvent.objects.get().created_at} == {at}


def test_a_verb_that_the_machine_does_not_know_is_a_mistake() -> None:
    [door] = doors_build()

    with pytest.raises(AttributeError):
        door_fire(door.id, verb="paint")
