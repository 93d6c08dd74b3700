"""All machines of the house, in the order of the story, and how a person reads them.

`manage.py states` writes `docs/states.md` from here.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta

from core.states import STAYS, Edge, Machine, State
from delivery.states import SHIPMENT
from inventory.states import RESERVATION
from orders.states import CANCEL_REQUEST, GROUP, ORDER, RETURN
from payments.states import (
    ATTEMPT,
    CAPTURE,
    CHARGEBACK,
    LINE_MATCH,
    MANUAL_TRANSFER,
    PAYMENT,
    PAYOUT,
    REFUND,
    STATEMENT,
)

MACHINES = (
    *(GROUP, ORDER, PAYMENT, ATTEMPT, CAPTURE, RESERVATION, SHIPMENT),
    *(CANCEL_REQUEST, REFUND, CHARGEBACK, RETURN, LINE_MATCH, MANUAL_TRANSFER, STATEMENT, PAYOUT),
)

OPENING = """\
# States

Written by `make states` from the tables in the code (`*/states.py`), and checked by `make check`. The
same tables decide what `core/fsm.py` lets through, what pages, consoles and the API offer
(`orders/actions.py`), and what the auditor takes for a possible history.

In the diagrams a row may rest for good in the grey states. A verb that leaves a row in its state
stands in the tables alone. Whoever moves a row on is one of: buyer, merchant, staff of the platform,
channel (a payment provider), carrier, system (clocks and handlers of events).
"""
UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60))


def document() -> str:
    """The whole of `docs/states.md`."""
    return "\n".join([OPENING, *(_chapter(machine) for machine in MACHINES)])


def _chapter(machine: Machine) -> str:
    heading = machine.noun.replace("_", " ").capitalize()
    parts = [
        f"## {heading}\n",
        f"```mermaid\n{diagram(machine)}\n```\n",
        _table(
            ("State", "Meaning", "Who moves it on", "At most", "May rest"),
            (_state_row(state) for state in machine.states),
        ),
        _table(
            ("Verb", "From", "To", "When", "Who", "Event"),
            (_edge_row(machine, edge) for edge in (*machine.births, *machine.edges)),
        ),
    ]
    if machine.asks:
        parts += [
            "What may be asked for, though the row itself does not move by it:\n",
            _table(
                ("Verb", "In", "When", "Who"),
                ((ask.verb, _names(ask.sources), _when(ask), _who(ask)) for ask in machine.asks),
            ),
        ]
    return "\n".join(parts)


def diagram(machine: Machine) -> str:
    """The machine as a Mermaid state diagram."""
    verbs: dict[tuple[str, str], list[str]] = defaultdict(list)
    for source, edge in _moves(machine):
        if edge.verb not in verbs[source, edge.target]:
            verbs[source, edge.target].append(edge.verb)
    rests = [state.name for state in machine.states if state.may_rest]
    lines = [
        "stateDiagram-v2",
        *(
            f"    {source} --> {target} : {', '.join(names)}"
            for (source, target), names in verbs.items()
        ),
        "    classDef rests fill:#ddd,stroke:#555,color:#111",
        f"    class {','.join(rests)} rests",
    ]
    return "\n".join(lines)


def _moves(machine: Machine) -> Iterator[tuple[str, Edge]]:
    for edge in (*machine.births, *machine.edges):
        for source in edge.sources or ("[*]",):
            if edge.target != STAYS:
                yield source, edge


def _state_row(state: State) -> tuple[str, ...]:
    age = _age(state.longest_age) if state.longest_age else ""
    return (state.name, state.meaning, str(state.driver), age, "yes" if state.may_rest else "")


def _edge_row(machine: Machine, edge: Edge) -> tuple[str, ...]:
    target = "(stays)" if edge.target == STAYS else edge.target
    event = machine.event_type(edge.verb)
    told = f"`{event}`" if event else ""
    return (edge.verb, _names(edge.sources), target, _when(edge), _who(edge), told)


def _names(states: Sequence[str]) -> str:
    return ", ".join(states) or "(birth)"


def _when(edge: Edge) -> str:
    return edge.guard.words if edge.guard else ""


def _who(edge: Edge) -> str:
    return ", ".join(edge.roles) or "the code alone"


def _age(age: timedelta) -> str:
    seconds = int(age.total_seconds())
    name, unit = next((name, unit) for name, unit in UNITS if seconds % unit == 0)
    count = seconds // unit
    return f"{count} {name}{'s' if count != 1 else ''}"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
