"""What a machine is: its states, its edges, and the past words that its events are named by.

Each app lists its machines in its own `states.py` with these classes, and nothing else lists states:
the transitions of the models, the audit views and the tests read the machines.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django_fsm import transition


@dataclass(frozen=True, slots=True)
class State:
    """One state: what it means, who moves it on, whether a row may stay there for good."""

    name: str
    meaning: str
    driver: str = ""
    longest_age: timedelta | None = None

    @property
    def may_rest(self) -> bool:
        """True where nobody has to move the row on."""
        return not self.driver


@dataclass(frozen=True, slots=True)
class Edge:
    """One verb: the states that it leads out of, the state that it leads to, and its past word.

    `past` names the event; without it the step leaves only its state-change row. A birth has no
    sources.
    """

    verb: str
    sources: tuple[str, ...]
    target: str
    past: str = ""


@dataclass(frozen=True, slots=True)
class Machine:
    """The whole life of one noun."""

    noun: str
    states: tuple[State, ...]
    births: tuple[Edge, ...]
    edges: tuple[Edge, ...]

    def edge(self, verb: str) -> Edge:
        """The edge of that verb, births included. Raises KeyError where there is none."""
        for edge in (*self.births, *self.edges):
            if edge.verb == verb:
                return edge
        raise KeyError(f"{self.noun} has no verb {verb}")

    def event_type(self, verb: str) -> str:
        """`order.paid` for `pay`; '' for a verb that emits nothing."""
        past = self.edge(verb).past
        return f"{self.noun}.{past}" if past else ""

    def may(self, verb: str, state: str) -> bool:
        """True where that verb leads out of that state."""
        return state in self.edge(verb).sources

    def transition(self, verb: str) -> Callable[[Any], Any]:
        """Decorates the model's method of that name as its django-fsm transition."""
        edge = self.edge(verb)
        decorate: Callable[[Any], Any] = transition(
            field="status", source=list(edge.sources), target=edge.target
        )
        return decorate
