"""One statement for rows of many tables, for changes of rows, and for counters that have a bound."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core.command import command
from core.errors import ProgrammingMistake
from core.write import Addition, Write
from tests.core.door import Door, Specimen, doors_build
from tests.threads import succeeded, together

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("doors")]

MICROSECOND = datetime(2026, 11, 22, 23, 59, 59, 123_457, UTC)


def specimen(**fields: Any) -> Specimen:
    given = {
        "text": "plain",
        "number": 1,
        "flag": True,
        "day": date(2026, 2, 28),
        "at": MICROSECOND,
        "token": uuid4(),
        **fields,
    }
    return Specimen.build(7, **given)


def stored(left: int, **fields: Any) -> Specimen:
    row = specimen(left=left, **fields)
    row.save(force_insert=True)
    return row


def addition(amounts: dict[int, int], *, where: str = "r.left_over >= a.amount") -> Addition:
    return Addition(Specimen, "left_over", amounts, where)


def run(write: Write) -> set[int]:
    return command(lambda: write.run())()


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"text": "", "number": -(2**63), "flag": False, "at": None},
        {"text": "“quoted” \\ \" ' \n\t %s {} 漢 🚪 NULL", "number": 2**63 - 1},
        {"facts": {"deep": [{"a": None}, 1.5, "x", True], "漢": "\"'\\"}},
        {"facts": None, "span": None},
        {"facts": "just text"},
        {"facts": [], "day": date(1, 1, 1)},
        {"at": datetime(2026, 1, 1, 1, tzinfo=UTC).astimezone()},
    ],
    ids=["plain", "empty", "text", "json", "null", "json text", "json list", "zone"],
)
def test_a_row_comes_back_as_it_was_given(fields: dict[str, Any]) -> None:
    given = specimen(**fields)
    write = Write()
    write.insert(given)

    run(write)

    found = Specimen.objects.get()
    for field in Specimen._meta.concrete_fields:
        assert getattr(found, field.attname) == getattr(given, field.attname), field.name


def test_it_writes_what_the_orm_writes() -> None:
    by_orm, by_write = specimen(facts={"a": 1}), specimen(facts={"a": 1})
    by_write.token = by_orm.token
    write = Write()
    write.insert(by_write)

    Specimen.objects.bulk_create([by_orm])
    run(write)

    columns = [field.name for field in Specimen._meta.concrete_fields if field.name != "id"]
    first, second = Specimen.objects.values(*columns)
    assert first == second


def test_rows_changes_and_counters_go_in_one_statement() -> None:
    [door] = doors_build(colour="white")
    shelf = stored(left=5)
    write = Write()
    write.insert(specimen(text="a"), Door.build(7, status="closed", status_changed_at=MICROSECOND))
    write.insert(specimen(text="b"))
    write.update(door, colour="red", status_changed_at=MICROSECOND)
    write.add(addition({shelf.id: -2}, where="r.left_over + a.amount >= 0"))

    with CaptureQueriesContext(connection) as queries:
        short = run(write)

    assert short == set()
    assert len([q for q in queries if "SAVEPOINT" not in q["sql"]]) == 1
    assert sorted(Specimen.objects.values_list("text", "left")) == [
        ("a", 0),
        ("b", 0),
        ("plain", 3),
    ]
    assert Door.objects.count() == 2
    door.refresh_from_db()
    assert (door.colour, door.status_changed_at) == ("red", MICROSECOND)


def test_a_write_without_counters_answers_none_short() -> None:
    write = Write()
    write.insert(specimen())

    assert run(write) == set()


def test_counters_move_by_exactly_their_amounts() -> None:
    first, second, other = stored(left=10), stored(left=10), stored(left=10)
    write = Write()
    write.add(addition({second.id: 3, first.id: 10}))

    run(write)

    assert [Specimen.objects.get(pk=row.pk).left for row in (first, second, other)] == [20, 13, 10]


def test_rows_that_are_short_come_back_and_are_not_moved() -> None:
    rich, poor, gone = stored(left=10), stored(left=1), specimen()
    write = Write()
    write.add(addition({rich.id: 2, poor.id: 2, gone.id: 2}))

    assert run(write) == {poor.id, gone.id}
    assert Specimen.objects.get(pk=poor.pk).left == 1


def test_a_write_moves_the_counters_of_one_table() -> None:
    write = Write()
    write.add(addition({1: 1}))

    with pytest.raises(ProgrammingMistake):
        write.add(addition({2: 1}))


@pytest.mark.django_db(transaction=True)
def test_counters_moved_at_once_lose_nothing_and_keep_their_bound() -> None:
    shelves = [stored(left=20) for _ in range(3)]
    where = "r.left_over + a.amount >= 0"

    def take_one_of_each() -> int:
        taken = 0
        for _ in range(4):
            write = Write()
            write.add(addition({shelf.id: -1 for shelf in reversed(shelves)}, where=where))

            @command
            def take(write: Write = write) -> bool:
                if write.run():
                    raise LookupError
                return True

            try:
                taken += take()
            except LookupError:
                break
        return taken

    taken = succeeded(together(*[take_one_of_each] * 8))

    assert sum(taken) == 20
    assert set(Specimen.objects.values_list("left", flat=True)) == {0}


@pytest.mark.django_db(transaction=True)
def test_a_span_of_time_is_refused_rather_than_written_wrong() -> None:
    write = Write()
    write.insert(specimen(span=timedelta(1)))

    with pytest.raises(TypeError):
        run(write)

    assert not Specimen.objects.exists()
