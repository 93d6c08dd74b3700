"""Two parties on one group, the one in the middle of the other's work: at each of its statements."""

import random
from collections.abc import Iterator
from functools import partial
from itertools import product

import pytest

from core import audit
from tests.concurrency.interleave import NEVER, Meeting, Stage, stage
from tests.concurrency.scenes import ACTS, Scene, World, place_of, settle, troubles
from tests.concurrency.threads import deadlocks

pytestmark = pytest.mark.django_db(transaction=True)

PAIRS = list(product(ACTS, ACTS))


class Evening:
    """All meetings of a test, on one stage and one world."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._world = World.made()
        self._groups: dict[int, str] = {}

    def meet(self, first: str, second: str, *, at: int) -> Meeting:
        scene: Scene = place_of(first, second)(self._world)
        meeting = self._stage.meet(partial(ACTS[first], scene), partial(ACTS[second], scene), at=at)
        settle(scene)
        told = f"{second} at {meeting.pause} of {first}: {meeting.first}, {meeting.second}"
        self._groups[scene.group.id] = told
        assert troubles(scene) == [], told
        return meeting

    def end(self) -> None:
        """The books of all of them; who fails can find the meeting by its group."""
        assert audit.run(final=True) == [], self._groups


@pytest.fixture
def evening(transactional_db: None) -> Iterator[Evening]:
    before = deadlocks()
    with stage() as made:
        evening = Evening(made)
        yield evening
    evening.end()
    assert deadlocks() == before


@pytest.mark.parametrize("first", ACTS)
def test_whoever_comes_between_the_books_hold(first: str, evening: Evening) -> None:
    """One moment of each pair, the same in every run; the test below takes all of them."""
    chance = random.Random(first)
    statements = evening.meet(first, first, at=NEVER).statements
    for second in ACTS:
        evening.meet(first, second, at=chance.randint(1, statements))


@pytest.mark.long
@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_at_every_statement_the_books_hold(first: str, second: str, evening: Evening) -> None:
    """Says which pauses it has covered: `pytest -m long -rP`."""
    meetings: list[Meeting] = []
    while not meetings or meetings[-1].pause:
        meetings.append(evening.meet(first, second, at=len(meetings) + 1))
    pauses = [meeting.pause for meeting in meetings if meeting.pause]
    assert [pause.statement for pause in pauses] == list(range(1, len(pauses) + 1))
    assert {"COMMIT"} < {pause.what for pause in pauses}
    waited = sum(meeting.waited for meeting in meetings)
    print(f"{second} in {len(pauses)} pauses of {first}, {waited} times behind a lock:")  # noqa: T201
    print(", ".join(map(str, pauses)))  # noqa: T201
