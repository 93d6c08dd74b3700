"""What the tests of the outbox share: a registry of their own, facts, and a look at the streams."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from core import outbox, relay
from core.command import command
from core.models import EPOCH, OutboxEvent, OutboxStream
from core.outbox import Consumer, Event, Fact, Mode, emit

SHARD = 7


@contextmanager
def registry() -> Iterator[None]:
    """No consumer but those of the test."""
    with (
        patch.object(outbox, "consumers", []),
        patch.object(outbox, "external_handlers", {}),
        patch.object(outbox, "patient_types", set()),
    ):
        yield


def consume(name: str, handle: Callable[[Any], object], *types: str, batch: bool = False) -> None:
    """Registers a consumer for these types, for `told` if there are none."""
    mode = Mode.BATCH if batch else Mode.EACH
    outbox.consumers.append(Consumer(name, frozenset(types or ["told"]), mode, handle))


def fact(stream: int = 1, type: str = "told", *, external: bool = False, **payload: Any) -> Fact:
    """A fact in the stream of that number."""
    return Fact(
        stream=("channel" if external else "test", stream),
        shard_key=SHARD,
        type=type,
        object_id=stream,
        payload=payload,
        external=external,
    )


@command
def tell(*facts: Fact) -> list[OutboxEvent]:
    """Records facts in a transaction of their own."""
    return emit(facts)


def tell_each(stream: int, count: int, *, external: bool = False) -> None:
    """So many facts of one stream, each in its own transaction, numbered from 1."""
    for number in range(1, count + 1):
        tell(fact(stream, external=external, number=number))


def numbers(events: list[Event]) -> list[tuple[int, int]]:
    """(stream, number) of each event."""
    return [(event.object_id, event.payload["number"]) for event in events]


def stream(number: int = 1) -> OutboxStream:
    """The stream of that number as it is stored."""
    return OutboxStream.objects.get(aggregate_id=number)


def make_due() -> None:
    """Ends every wait."""
    OutboxStream.objects.update(available_at=EPOCH)


def deliver() -> list[int]:
    """One round of a relay; the ids of the external streams that it handed over."""
    handed: list[int] = []
    relay.deliver(handed.append)
    return handed
