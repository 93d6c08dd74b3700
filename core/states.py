"""What a machine is: its states, its steps, who may take them and when.

Each app lists its machines in its own `states.py` with these classes, and nothing else lists states:
the transitions of the models, what is offered on pages, in consoles and by the API, `docs/states.md`,
the audit views and the tests read the machines.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django_fsm import transition

# The target of a step that leaves the row in its state: it changes fields, and is told like any other.
STAYS = "="


@dataclass(frozen=True, slots=True)
class State:
    """One state: what it means, who moves it on, whether a row may stay there for good.

    `chapter` is what several states have in common where they are told or counted as one.
    """

    name: str
    meaning: str
    driver: str = ""
    longest_age: timedelta | None = None
    chapter: str = ""

    @property
    def may_rest(self) -> bool:
        """True where nobody has to move the row on."""
        return not self.driver


@dataclass(frozen=True, slots=True)
class Guard:
    """What must hold beside the state. `holds(row, at, parts)` reads nothing but what it is given.

    `at` is business time; `parts` are the rows that belong to the row (the orders of a group), where
    the caller has them.
    """

    words: str
    holds: Callable[[Any, datetime, Sequence[Any]], bool]


@dataclass(frozen=True, slots=True)
class Edge:
    """One verb: the states that it leads out of, the state that it leads to, and its past word.

    `past` names the event; without it the step leaves only its state-change row. A birth has no
    sources. `roles` may take the step; none named: the code alone does. A verb may have several
    edges to one target, with other roles or guards.
    """

    verb: str
    sources: tuple[str, ...]
    target: str
    past: str = ""
    roles: tuple[str, ...] = ()
    guard: Guard | None = None

    def leads_to(self, source: str) -> str:
        """The state after the step out of that state."""
        return source if self.target == STAYS else self.target

    def allows(self, role: str | None) -> bool:
        """True where that party may take the step."""
        return not self.roles or role in self.roles

    def holds(self, row: Any, at: datetime, parts: Sequence[Any] = ()) -> bool:
        """True where nothing but the state may stand in the way."""
        return self.guard is None or self.guard.holds(row, at, parts)


@dataclass(frozen=True, slots=True)
class Machine:
    """The whole life of one noun.

    `asks` are what a party may ask for in a state although the row itself does not move: paying
    starts an attempt, asking for a cancellation starts a request.
    """

    noun: str
    states: tuple[State, ...]
    births: tuple[Edge, ...]
    edges: tuple[Edge, ...]
    asks: tuple[Edge, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All states, in the order of the table."""
        return tuple(state.name for state in self.states)

    @property
    def waiting(self) -> tuple[str, ...]:
        """The states that somebody has to move a row on from."""
        return tuple(state.name for state in self.states if not state.may_rest)

    def driven_by(self, *parties: str) -> tuple[str, ...]:
        """The states that one of these parties moves a row on from."""
        return tuple(state.name for state in self.states if state.driver in parties)

    def in_chapter(self, *chapters: str) -> tuple[str, ...]:
        """The states of these chapters."""
        return tuple(state.name for state in self.states if state.chapter in chapters)

    def state(self, name: str) -> State:
        """The state of that name."""
        return self.states[self.names.index(name)]

    def verbs_into(self, *states: str) -> tuple[str, ...]:
        """The verbs that lead into one of these states, births first."""
        edges = (*self.births, *self.edges)
        return tuple(dict.fromkeys(edge.verb for edge in edges if edge.target in states))

    def edge(self, verb: str) -> Edge:
        """The first edge of that verb, births included. Raises KeyError where there is none."""
        for edge in (*self.births, *self.edges):
            if edge.verb == verb:
                return edge
        raise KeyError(f"{self.noun} has no verb {verb}")

    def edges_of(self, verb: str) -> list[Edge]:
        """All edges of that verb, births left out."""
        return [edge for edge in self.edges if edge.verb == verb]

    def event_type(self, verb: str) -> str:
        """`order.paid` for `pay`; '' for a verb that emits nothing."""
        past = self.edge(verb).past
        return f"{self.noun}.{past}" if past else ""

    def may(self, verb: str, state: str) -> bool:
        """True where that verb leads out of that state."""
        return any(state in edge.sources for edge in self.edges_of(verb))

    def allows(self, row: Any, verb: str, role: str | None, at: datetime) -> bool:
        """True where that party may take the verb with the row now."""
        return any(
            row.status in edge.sources and edge.allows(role) and edge.holds(row, at)
            for edge in self.edges_of(verb)
        )

    def offers(
        self, row: Any, role: str, at: datetime, parts: Sequence[Any] = ()
    ) -> Iterator[Edge]:
        """What that party may do with the row now, asks and steps, in the order of the table.

        Steps that no role is named for are the code's own and are not offered.
        """
        for edge in (*self.asks, *self.edges):
            if row.status in edge.sources and role in edge.roles and edge.holds(row, at, parts):
                yield edge

    def transition(self, verb: str) -> Callable[[Any], Any]:
        """Decorates the model's method of that name as its django-fsm transition."""
        edges = self.edges_of(verb)
        [target] = {edge.target for edge in edges}
        decorate: Callable[[Any], Any] = transition(
            field="status",
            source=[source for edge in edges for source in edge.sources],
            target=None if target == STAYS else target,
        )
        return decorate
