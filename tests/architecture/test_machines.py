"""The one contract of states: every machine is whole, and what stands beside it says the same."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from accounts.actors import Role
from core import audit, reference
from core.states import STAYS, Edge, Guard, Machine, State
from delivery.states import FURTHEST_LAST, SCAN_VERBS, SHIPMENT
from inventory.states import RESERVATION
from orders import states, words
from orders.admin import words as console_words
from orders.machines import MACHINES, document
from orders.selectors import order_page
from orders.states import GROUP, ORDER, RETURN
from payments.states import ATTEMPT, PAYMENT, REFUND
from shop import words as shop_words
from tests.environment.conftest import REPOSITORY

# Carriers that never scan say nothing more of a parcel; its order goes on by the clock.
ENDLESS = {("shipment", "handed_over"), ("shipment", "in_transit")}


def every_edge(machine: Machine) -> tuple[Edge, ...]:
    return (*machine.births, *machine.edges, *machine.asks)


def reached(machine: Machine, start: set[str], *, backwards: bool = False) -> set[str]:
    """The states that these lead to, or, backwards, those that lead to them."""
    pairs = {
        (source, edge.target)
        for edge in machine.edges
        for source in edge.sources
        if edge.target != STAYS
    }
    if backwards:
        pairs = {(target, source) for source, target in pairs}
    found = set(start)
    while more := {target for source, target in pairs if source in found} - found:
        found |= more
    return found


def undeclared(machine: Machine) -> Iterator[str]:
    named = {state for edge in every_edge(machine) for state in (*edge.sources, edge.target)}
    yield from named - {*machine.names, STAYS}


def unreachable(machine: Machine) -> Iterator[str]:
    yield from set(machine.names) - reached(machine, {birth.target for birth in machine.births})


def dead_ends(machine: Machine) -> Iterator[str]:
    rests = {state.name for state in machine.states if state.may_rest}
    yield from set(machine.names) - reached(machine, rests, backwards=True)


def endless(machine: Machine) -> Iterator[str]:
    for state in machine.states:
        if not (state.may_rest or state.longest_age or (machine.noun, state.name) in ENDLESS):
            yield state.name


def strangers(machine: Machine) -> Iterator[str]:
    """Drivers and roles that are no party of the house."""
    roles = {role for edge in every_edge(machine) for role in edge.roles}
    drivers = {state.driver for state in machine.states if state.driver}
    yield from {str(party) for party in roles | drivers if not isinstance(party, Role)}


def twice(machine: Machine) -> Iterator[str]:
    """Edges that the same party could take out of the same state, so that the order would decide."""
    seen = set()
    for edge in every_edge(machine):
        for source in edge.sources or ("",):
            for role in edge.roles or tuple(Role):
                key = (edge.verb, source, role, edge in machine.asks)
                if key in seen:
                    yield f"{edge.verb} out of {source} by {role}"
                seen.add(key)


def many_targets(machine: Machine) -> Iterator[str]:
    for verb in {edge.verb for edge in machine.edges}:
        if len({(edge.target, edge.past) for edge in machine.edges_of(verb)}) > 1:
            yield verb


def shared_events(machine: Machine) -> Iterator[str]:
    """Two verbs that tell the same, unless they lead to the same state."""
    told: dict[str, set[str]] = {}
    for edge in (*machine.births, *machine.edges):
        if edge.past:
            told.setdefault(edge.past, set()).add(edge.target)
    yield from (past for past, targets in told.items() if len(targets) > 1)


CHECKS = (
    *(undeclared, unreachable, dead_ends, endless, strangers, twice, many_targets),
    shared_events,
)


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.noun)
def test_every_machine_is_whole(machine: Machine, check: Callable[[Machine], Iterator[str]]):
    assert list(check(machine)) == []


ONE_DAY = timedelta(days=1)
LAMP = Machine(
    noun="lamp",
    states=(State("off", "dark", Role.BUYER, ONE_DAY), State("on", "bright")),
    births=(Edge("build", (), "off", "built", (Role.BUYER,)),),
    edges=(
        Edge("light", ("off",), "on", "lit", (Role.BUYER,)),
        Edge("put_out", ("on",), "off", "put_out", (Role.BUYER,)),
    ),
)
BROKEN: dict[Callable[[Machine], Iterator[str]], Machine] = {
    undeclared: replace(LAMP, edges=(*LAMP.edges, Edge("drop", ("on",), "broken"))),
    unreachable: replace(LAMP, states=(*LAMP.states, State("lost", "nowhere"))),
    dead_ends: replace(LAMP, edges=LAMP.edges[1:]),
    endless: replace(LAMP, states=(State("off", "dark", Role.BUYER), LAMP.states[1])),
    strangers: replace(LAMP, states=(State("off", "dark", "the cat", ONE_DAY), LAMP.states[1])),
    twice: replace(LAMP, edges=(*LAMP.edges, replace(LAMP.edges[0], guard=states.IN_TIME))),
    many_targets: replace(LAMP, edges=(*LAMP.edges, Edge("light", ("on",), "off", "lit"))),
    shared_events: replace(LAMP, edges=(*LAMP.edges, Edge("drop", ("on",), "off", "lit"))),
}


@pytest.mark.parametrize("check", CHECKS)
def test_a_broken_machine_is_found(check: Callable[[Machine], Iterator[str]]):
    assert list(check(LAMP)) == []
    assert list(check(BROKEN[check]))


def test_no_machine_is_left_out_and_all_but_the_return_have_their_rows():
    nouns = [machine.noun for machine in MACHINES]
    assert len(set(nouns)) == len(nouns)
    assert {id(machine) for machine in MACHINES} - {id(RETURN)} == {
        id(machine) for machine in reference.machines()
    }


def test_the_document_of_states_is_what_the_code_says(tmp_path: Path):
    assert (REPOSITORY / "docs" / "states.md").read_text() == document()
    written = tmp_path / "states.md"
    with pytest.raises(CommandError, match="make states"):
        call_command("states", check=True, file=written)
    call_command("states", file=written)
    call_command("states", check=True, file=written)
    written.write_text(written.read_text().replace("pending_payment", "waiting", 1))
    with pytest.raises(CommandError, match="make states"):
        call_command("states", check=True, file=written)


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.noun)
def test_the_document_names_every_state_verb_guard_and_event(machine: Machine):
    heading = f"\n## {machine.noun.replace('_', ' ').capitalize()}\n"
    chapter = document().split(heading)[1].split("\n## ")[0]
    rows = {tuple(line[2:-2].split(" | ")) for line in chapter.splitlines() if line[:2] == "| "}
    cells = {cell for row in rows for cell in row}
    for state in machine.states:
        assert state.name in {row[0] for row in rows}
        assert state.meaning in cells
    for edge in every_edge(machine):
        assert edge.verb in {row[0] for row in rows}
        assert not edge.guard or edge.guard.words in cells
        assert not edge.past or f"`{machine.noun}.{edge.past}`" in cells
    for source, target in drawn_arrows(chapter):
        assert source == "[*]" or target in {
            edge.target for edge in machine.edges if source in edge.sources
        }
    assert len(drawn_arrows(chapter)) == len(
        {
            (source, edge.target)
            for edge in (*machine.births, *machine.edges)
            for source in edge.sources or ("[*]",)
            if edge.target != STAYS
        }
    )


def drawn_arrows(chapter: str) -> list[tuple[str, str]]:
    """(source, target) of each arrow of the diagram."""
    return [
        (source.strip(), rest.split(" : ")[0])
        for line in chapter.splitlines()
        if " --> " in line
        for source, rest in [line.split(" --> ")]
    ]


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        (words.ORDER, set(ORDER.names)),
        (words.ATTEMPT, set(ATTEMPT.names)),
        (words.REFUND, set(REFUND.names)),
        # A parcel that was given up is not shown; carriers scan more than there are states.
        (words.PARCEL, {*SHIPMENT.names, *SCAN_VERBS} - {"void"}),
        (console_words.STATE_WORDS, {*GROUP.names, *ORDER.names}),
        (console_words.TO_DO_WORDS, set(ORDER.driven_by(Role.MERCHANT))),
        (order_page.UNPAID, set(GROUP.names) - {states.PAID}),
        (shop_words.BY_STATUS, set(GROUP.names) - {states.PAID}),
        (
            order_page.CHAPTERS,
            {state.chapter for state in ORDER.states if state.name != states.CANCELLED},
        ),
    ],
)
def test_the_words_for_people_cover_exactly_the_states(named: dict, expected: set[str]):
    assert set(named) == expected


def test_every_scan_leads_by_a_verb_of_the_machine_to_the_furthest():
    verbs = {verb for verb in SCAN_VERBS.values() if verb}
    assert verbs == set(FURTHEST_LAST)
    assert all(SHIPMENT.edges_of(verb) for verb in verbs)


def test_stock_and_money_may_wait_as_long_as_the_order_that_they_are_for():
    def longest(machine: Machine, *names: str) -> timedelta:
        ages = [machine.state(name).longest_age for name in names]
        return sum((age for age in ages if age), timedelta(0))

    assert longest(RESERVATION, "held") >= longest(GROUP, states.PENDING_PAYMENT)
    assert longest(RESERVATION, "committed") >= longest(ORDER, *ORDER.driven_by(Role.MERCHANT))
    assert longest(PAYMENT, "open") >= longest(GROUP, states.PENDING_PAYMENT)
    assert longest(ATTEMPT, "requires_action") >= longest(GROUP, states.PENDING_PAYMENT)


def test_what_waits_for_somebody_can_be_moved_on_by_somebody():
    """The driver, or for a step that a provider has to tell of, the provider."""
    stuck = [
        (machine.noun, state.name)
        for machine in MACHINES
        for state in machine.states
        if not state.may_rest
        and not any(
            state.name in edge.sources
            and {state.driver, *machine_tellers(machine)} & set(edge.roles)
            for edge in (*machine.edges, *machine.asks)
        )
    ]
    assert stuck == []


def machine_tellers(machine: Machine) -> set[str]:
    return {Role.CHANNEL} if machine in (PAYMENT, ATTEMPT) else set()


def test_two_edges_of_one_verb_are_tried_both():
    """The first that a party may take must not hide the second, whose guard holds."""
    closed = Guard("never", lambda row, at, parts: False)
    machine = replace(
        LAMP, edges=(replace(LAMP.edges[0], guard=closed), replace(LAMP.edges[0], roles=()))
    )
    row = type("Row", (), {"status": "off"})()
    assert machine.allows(row, "light", Role.BUYER, at=None)  # type: ignore[arg-type]
    assert not replace(machine, edges=machine.edges[:1]).allows(row, "light", Role.BUYER, None)  # type: ignore[arg-type]


STATUS_IN_SQL = re.compile(
    r"\bstatus\s*(?:=|<>|(?:NOT\s+)?IN)\s*(\([^()]*\)|'[a-z_]+')|\bCASE\s+status\s+WHEN\s+('[a-z_]+')"
)


def states_in(sql: str) -> set[str]:
    """The states that a view compares a status with."""
    found = (told for groups in STATUS_IN_SQL.findall(sql) for told in groups)
    return {state for told in found for state in re.findall(r"'([a-z_]+)'", told)}


def test_the_auditors_views_ask_for_no_state_that_no_machine_has():
    known = {name for machine in MACHINES for name in machine.names}
    asked = {view.name: states_in(view.sql) for view in audit.views.values()}
    assert {name: states - known for name, states in asked.items() if states - known} == {}
    assert len(set().union(*asked.values())) > 10


def test_a_state_that_is_misspelt_in_a_view_is_found():
    sql = (
        "WHERE grp.status IN ('paid', 'expird') OR status <> 'cancled' OR CASE status WHEN 'holden'"
    )
    assert states_in(sql) == {"paid", "expird", "cancled", "holden"}
