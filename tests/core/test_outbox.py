"""emit(): facts in streams, in the order in which they became true, without gaps."""

from collections.abc import Iterator
from threading import Event as Signal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core import outbox
from core.command import command
from core.errors import ProgrammingMistake
from core.models import OutboxEvent, OutboxStream
from core.outbox import Event, Fact, Mode, emit, external, on, on_batch
from core.write import Write
from tests.core.outbox_parts import SHARD, fact, registry, stream, tell
from tests.threads import succeeded, together

pytestmark = pytest.mark.django_db


def sequence(number: int = 1) -> list[tuple[int, str]]:
    return list(stream(number).events.order_by("seq").values_list("seq", "type"))


def test_a_fact_outside_of_a_command_is_refused() -> None:
    with pytest.raises(ProgrammingMistake):
        emit([fact()])


def test_no_fact_makes_no_stream() -> None:
    assert tell() == []

    assert not OutboxStream.objects.exists()


def test_facts_of_a_stream_are_numbered_in_the_order_given() -> None:
    first, second = tell(fact(type="a"), fact(type="b"))

    assert sequence() == [(1, "a"), (2, "b")]
    assert (first.seq, second.seq) == (1, 2)
    assert (stream().last_seq, stream().delivered_seq) == (2, 0)
    assert {first.shard_key, stream().shard_key, stream().id & 4095} == {SHARD}


def test_the_next_transaction_goes_on_counting() -> None:
    tell(fact(type="a"))

    tell(fact(type="b"), fact(2, type="x"), fact(type="c"))

    assert sequence() == [(1, "a"), (2, "b"), (3, "c")]
    assert sequence(2) == [(1, "x")]


def test_one_transaction_may_tell_twice() -> None:
    @command
    def tell_twice() -> None:
        emit([fact(type="a")])
        emit([fact(type="b")])

    tell_twice()

    assert sequence() == [(1, "a"), (2, "b")]


def test_what_is_undone_leaves_no_gap() -> None:
    @command
    def tell_and_fail() -> None:
        emit([fact(type="lost")])
        raise LookupError

    tell(fact(type="a"))
    with pytest.raises(LookupError):
        tell_and_fail()
    tell(fact(type="b"))

    assert sequence() == [(1, "a"), (2, "b")]


def test_the_same_aggregate_on_two_shards_has_two_streams() -> None:
    tell(fact())
    tell(Fact(stream=("test", 1), shard_key=SHARD + 1, type="told", object_id=1))

    assert set(OutboxStream.objects.values_list("shard_key", "last_seq")) == {
        (SHARD, 1),
        (SHARD + 1, 1),
    }


def test_telling_costs_two_statements_whatever_the_number_of_facts() -> None:
    with CaptureQueriesContext(connection) as queries:
        tell(*[fact(number) for number in range(20)])

    inserts = [query for query in queries if "INSERT" in query["sql"]]
    assert len(inserts) == 2


def test_facts_of_new_streams_can_go_with_a_write() -> None:
    @command
    def place() -> None:
        write = Write()
        emit([fact(1, type="a"), fact(1, type="b"), fact(2, type="x")], write=write)
        assert not OutboxEvent.objects.exists()
        write.run()

    place()
    tell(fact(1, type="c"))

    assert sequence(1) == [(1, "a"), (2, "b"), (3, "c")]
    assert sequence(2) == [(1, "x")]


@pytest.mark.django_db(transaction=True)
def test_order_in_a_stream_is_order_of_commit() -> None:
    told, go_on = Signal(), Signal()

    @command
    def slow() -> None:
        emit([fact(type="first")])
        told.set()
        go_on.wait(20)

    def fast() -> None:
        told.wait(20)
        tell(fact(2, type="elsewhere"))  # another stream does not wait
        go_on.set()
        tell(fact(type="second"))

    succeeded(together(slow, fast))

    assert sequence() == [(1, "first"), (2, "second")]


@pytest.mark.django_db(transaction=True)
def test_many_writers_of_one_stream_leave_no_gap() -> None:
    def write_some() -> None:
        for _ in range(10):
            tell(fact(), fact())

    succeeded(together(*[write_some] * 6))

    assert [seq for seq, _ in sequence()] == list(range(1, 121))
    assert stream().last_seq == 120


@pytest.fixture
def own_registry() -> Iterator[None]:
    with registry():
        yield


@pytest.mark.usefixtures("own_registry")
def test_consumers_are_named_by_their_function_and_registered_once() -> None:
    def take(event: Event) -> None:
        """One at a time."""

    def fold(events: list[Event]) -> None:
        """All at once."""

    assert on("a", "b")(take) is take
    on("a")(take)
    on_batch("c")(fold)

    prefix = f"{__name__}."
    assert [(c.name, c.types, c.mode) for c in outbox.consumers] == [
        (f"{prefix}take", frozenset("ab"), Mode.EACH),
        (f"{prefix}fold", frozenset("c"), Mode.BATCH),
    ]


@pytest.mark.usefixtures("own_registry")
def test_an_external_handler_takes_the_streams_of_a_type() -> None:
    @external("channel")
    def call(event: Event) -> None:
        """Calls the world."""

    assert outbox.external_handlers == {"channel": call}
