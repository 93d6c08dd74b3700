"""What a person does about a stream that stands still: again, or on without that event."""

from collections.abc import Iterator
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from core import clock
from core.errors import Conflict, DomainError, Invalid, NotFound
from core.intervene import stream_retry, stream_skip
from core.models import OutboxIntervention, OutboxStream
from core.outbox import Event
from core.relay import MOST_ATTEMPTS
from tests.core.outbox_parts import consume, deliver, make_due, numbers, registry, stream, tell_each

STAFF = "staff:ada"
taken: list[Event] = []
refused: set[int] = set()


@pytest.fixture(autouse=True)
def picky_consumer(transactional_db: None) -> Iterator[None]:
    """Takes every event whose sequence number is not refused."""
    taken.clear()
    refused.clear()

    def take(event: Event) -> None:
        if event.seq in refused:
            raise Conflict("test.refused", "Not this one.")
        taken.append(event)

    with registry():
        consume("take", take)
        yield


def park(refusing: int = 2) -> OutboxStream:
    """A stream of three events, parked before this one."""
    refused.add(refusing)
    tell_each(1, 3)
    for _ in range(MOST_ATTEMPTS):
        deliver()
        make_due()
    assert stream().parked
    return stream()


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("outbox", *arguments, stdout=out)
    return out.getvalue()


def test_a_stream_goes_on_once_its_trouble_is_over() -> None:
    parked = park()
    refused.clear()

    stream_retry(stream_id=parked.id, reason="the bug is mended", actor=STAFF)
    deliver()

    assert numbers(taken) == [(1, 1), (1, 2), (1, 3)]
    assert (stream().parked, stream().attempts, stream().delivered_seq) == (False, 0, 3)


def test_an_event_can_be_given_up_and_what_follows_is_delivered() -> None:
    parked = park()

    stream_skip(stream_id=parked.id, reason="it was a test", actor=STAFF)
    deliver()

    assert numbers(taken) == [(1, 1), (1, 3)]
    assert (stream().parked, stream().delivered_seq) == (False, 3)


def test_who_did_it_and_why_is_kept() -> None:
    parked = park()
    before = clock.now()

    stream_retry(stream_id=parked.id, reason="once more", actor=STAFF)
    for _ in range(MOST_ATTEMPTS):
        deliver()
        make_due()
    stream_skip(stream_id=parked.id, reason="hopeless", actor=STAFF)

    retry, skip = OutboxIntervention.objects.order_by("pk")
    assert (retry.action, retry.reason, retry.actor) == ("retry", "once more", STAFF)
    assert (skip.action, skip.reason, skip.actor) == ("skip", "hopeless", STAFF)
    assert (retry.event_id, skip.event_id) == (None, stream().events.get(seq=2).id)
    assert {retry.stream_id, skip.stream_id} == {parked.id}
    assert before <= retry.at <= skip.at <= clock.now()


def test_an_event_of_a_stream_that_moves_is_not_given_up() -> None:
    refused.add(1)
    tell_each(1, 2)
    deliver()

    with pytest.raises(Conflict):
        stream_skip(stream_id=stream().id, reason="impatience", actor=STAFF)

    assert stream().delivered_seq == 0


@pytest.mark.parametrize(
    ("stream_id", "reason", "error"), [(1, "why not", NotFound), (None, "  ", Invalid)]
)
def test_what_makes_no_sense_is_refused(
    stream_id: int | None, reason: str, error: type[DomainError]
) -> None:
    parked = park()

    for service in (stream_retry, stream_skip):
        with pytest.raises(error):
            service(stream_id=stream_id or parked.id, reason=reason, actor=STAFF)

    assert stream().parked
    assert not OutboxIntervention.objects.exists()


def test_the_command_lists_what_stands_still_and_takes_it_up() -> None:
    parked = park()
    tell_each(2, 1)

    [line] = run("list").splitlines()
    assert line.startswith(f"{parked.id} test 1: event 2 of 3, 12 failures, parked:")
    assert "Not this one" in line

    assert run("skip", str(parked.id), "--reason", "hopeless") == "test 1: skip\n"
    assert run("list") == ""


def test_the_command_tells_of_a_refusal() -> None:
    with pytest.raises(CommandError, match="no such stream"):
        run("retry", "1", "--reason", "why not")
