"""Row locks: inside a command only, in order of the key, and remembered on the rows."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core.command import command
from core.errors import ProgrammingMistake
from core.fsm import fire
from core.locks import locked, require_locked
from tests.core.door import TESTER, Door, doors_build
from tests.threads import succeeded, together

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("doors")]


def test_a_lock_outside_of_a_command_is_refused() -> None:
    with pytest.raises(ProgrammingMistake):
        locked(Door.objects.all())


def test_rows_are_locked_in_order_of_their_key_and_leave_inserts_beside_them_alone() -> None:
    built = doors_build(3)

    @command
    def lock_all() -> list[Door]:
        return locked(Door.objects.order_by("-colour"))

    with CaptureQueriesContext(connection) as queries:
        found = lock_all()

    assert [door.id for door in found] == sorted(door.id for door in built)
    [sql] = [query["sql"] for query in queries if "FOR NO KEY UPDATE" in query["sql"]]
    assert 'ORDER BY "door"."id" ASC' in sql


def test_a_locked_row_is_marked_and_a_read_one_is_not() -> None:
    doors_build()

    @command
    def look() -> None:
        [door] = locked(Door.objects.all())
        require_locked(door)
        with pytest.raises(ProgrammingMistake, match="is not locked"):
            require_locked(Door.objects.get())

    look()


def test_a_row_that_this_transaction_made_counts_as_locked() -> None:
    @command
    def build_and_open() -> None:
        from core.fsm import start

        door = Door.build(7)
        start([door], verb="build", actor=TESTER)
        fire(door, verb="open", actor=TESTER)

    build_and_open()

    assert Door.objects.get().status == "open"


def test_the_lock_of_another_transaction_does_not_count() -> None:
    doors_build()

    @command
    def lock_it() -> Door:
        return locked(Door.objects.all())[0]

    @command
    def fire_it(door: Door) -> None:
        fire(door, verb="open", actor=TESTER)

    door = lock_it()
    with pytest.raises(ProgrammingMistake, match="is not locked"):
        fire_it(door)

    assert Door.objects.get().status == "closed"


@pytest.mark.django_db(transaction=True)
def test_a_row_that_another_holds_can_be_skipped() -> None:
    held, free = doors_build(2)

    @command
    def take_free() -> list[int]:
        return [door.id for door in locked(Door.objects.all(), skip_locked=True)]

    @command
    def hold_one() -> list[int]:
        locked(Door.objects.filter(pk=held.pk))
        [ids] = succeeded(together(take_free))
        return ids

    assert hold_one() == [free.id]
