"""Every state × verb × role of every machine, on real rows through fire(): allowed exactly as drawn."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.apps import apps
from django.db.models import F, Subquery

from accounts.actors import Actor, Role
from core import clock
from core.command import command
from core.errors import Conflict
from core.fsm import Stateful, fire, start
from core.locks import locked
from core.states import Machine
from delivery.models import Shipment
from inventory.models import Reservation
from orders.machines import MACHINES
from orders.models import CancelRequest, OrderGroup
from orders.states import RETURN
from payments.models import Attempt, BankLine, Capture, ManualTransfer, Refund, Statement
from payments.services.bank import line_give_back
from payments.services.refund import refund_request
from payments.services.statement import settle_due
from tests.factories import TESTER
from tests.factories.bank import FINANCE, receive
from tests.factories.money import dispute, in_command, locked_payment
from tests.factories.settlement import make_payout, sell
from tests.factories.story import (
    BUYER,
    fresh_row,
    make_paid_group,
    only_order,
    payment_of,
    ship,
)
from tests.orders.contract import counted, drawn, taken

pytestmark = pytest.mark.django_db


def a_request(group: OrderGroup) -> CancelRequest:
    """Born as its service bears it."""
    order = only_order(group)
    request = CancelRequest.build(
        order.shard_key, order=order, reason="too slow", deadline=clock.now() + timedelta(hours=4)
    )
    in_command(lambda: start([request], verb="request", actor=BUYER))
    return request


def a_refund(group: OrderGroup) -> Refund:
    order, payment = only_order(group), payment_of(group)
    return in_command(
        lambda: refund_request(
            payment=locked_payment(payment),
            reference=order.pk,
            request_key=f"order:{order.pk}:one",
            amount_minor=100,
            shares=[(order.pk, order.merchant_id, 100)],
            actor=TESTER,
            reason="late",
        )
    )


def a_capture(group: OrderGroup) -> Capture:
    """Born by itself: a service asks for promised money alone, and this group's is here."""
    order, attempt = only_order(group), Attempt.objects.get(payment=payment_of(group))
    capture = Capture.build(
        attempt.shard_key,
        payment=attempt.payment,
        attempt=attempt,
        order_id=order.pk,
        merchant_id=order.merchant_id,
        request_key="one",
        amount_minor=100,
        currency=attempt.currency,
    )
    in_command(lambda: start([capture], verb="request", actor=TESTER))
    return capture


def a_statement(group: OrderGroup) -> Statement:
    merchant = only_order(group).merchant
    sell(merchant)
    settle_due()
    return Statement.objects.get(merchant=merchant, status="open")


def a_transfer(group: OrderGroup) -> ManualTransfer:
    """Gives a line back; there is a refund that it could be of, too."""
    a_refund(group)
    line_give_back(match_id=receive(500).pk, reason="whose?", actor=FINANCE)
    return ManualTransfer.objects.get()


ROWS: dict[str, Callable[[OrderGroup], Stateful]] = {
    "order_group": lambda group: group,
    "order": only_order,
    "payment": payment_of,
    "attempt": lambda group: Attempt.objects.get(payment=payment_of(group)),
    "reservation": lambda group: Reservation.objects.get(
        reference__in=only_order(group).lines.values("pk")
    ),
    "shipment": lambda group: Shipment.objects.get(reference=ship(only_order(group)).pk),
    "cancel_request": a_request,
    "refund": a_refund,
    "capture": a_capture,
    "chargeback": lambda group: dispute(Attempt.objects.get(payment=payment_of(group)), "opened"),
    "statement": a_statement,
    "payout": lambda group: make_payout(only_order(group).merchant),
    "line_match": lambda group: receive(500),
    "manual_transfer": a_transfer,
}
MODELLED = [machine for machine in MACHINES if machine is not RETURN]
STATEFUL = [model for model in apps.get_models() if issubclass(model, Stateful)]


# Every unit of a reservation has left, as its last state demands; without it nothing is planted.
FIELDS: dict[str, dict[str, Any]] = {"reservation": {"shipped_quantity": F("quantity")}}
# What a state demands of its row, planted or reached.
OF_STATE: dict[tuple[str, str], dict[str, Any]] = {
    ("statement", "open"): {"closing_minor": None},
    ("statement", "closed"): {"closing_minor": 0},
}
HOUR, MINUTES, NOW = timedelta(hours=1), timedelta(minutes=2), timedelta(0)
# Of the guards' fields: what they are, so that each guard holds at one time and not at another.
SITUATIONS: dict[str, list[dict[str, Any]]] = {
    "order_group": [
        {"pay_before": HOUR, "extensions_left": 10},
        {"pay_before": MINUTES, "extensions_left": 10},
        {"pay_before": MINUTES, "extensions_left": 0},
        {"pay_before": NOW, "extensions_left": 10},
    ],
    "order": [
        {"return_until": HOUR, "first_left_at": None, "cancel_requested_until": None},
        {"return_until": NOW, "first_left_at": NOW, "cancel_requested_until": None},
        {"return_until": NOW, "first_left_at": None, "cancel_requested_until": HOUR},
    ],
    "manual_transfer": [
        {"refund": None, "line": Subquery(BankLine.objects.values("pk")[:1])},
        {"refund": Subquery(Refund.objects.values("pk")[:1]), "line": None},
    ],
}


@command
def walk(machine: Machine, pk: int, seen: set[tuple[str, bool]], verbs: set[str]) -> None:
    """Every state in every situation; states are planted, for not every one is on one walk."""
    rows = next(model for model in STATEFUL if model.machine is machine)._default_manager
    at = clock.now()
    for number, fields in enumerate(SITUATIONS.get(machine.noun, [{}])):
        given = {
            name: at + value if isinstance(value, timedelta) else value
            for name, value in {**fields, **FIELDS.get(machine.noun, {})}.items()
        }
        for state in machine.names:
            demanded = OF_STATE.get((machine.noun, state), {})
            rows.filter(pk=pk).update(status=state, **given, **demanded)
            # Later situations differ for guards alone.
            tried = verbs if number == 0 else {e.verb for e in machine.edges if e.guard}
            step_out_of(machine, rows.filter(pk=pk), tried, at, seen)


def step_out_of(
    machine: Machine, rows: Any, verbs: set[str], at: datetime, seen: set[tuple[str, bool]]
) -> None:
    """Every verb by every role, out of the state in which the row is."""
    [row], facts = locked(rows), counted()
    before = (row.status, row.version)
    for verb in sorted(verbs):
        for role in Role:
            expected = drawn(machine, row, verb, role, at)
            if expected is None:
                with pytest.raises(Conflict) as refusal:
                    fire(row, verb=verb, actor=Actor(role, "contract"), at=at)
                assert refusal.value.code == "state.conflict", (before, verb, role)
            else:
                demanded = OF_STATE.get((machine.noun, expected), {})
                assert taken(row, verb, role, at, demanded) == expected, (before, verb, role)
                [row] = locked(rows)
            assert (row.status, row.version) == before
            seen.add((verb, expected is not None))
    stored = fresh_row(row)
    assert ((stored.status, stored.version), counted()) == (before, facts)


@pytest.mark.parametrize("machine", MODELLED, ids=lambda machine: machine.noun)
def test_every_state_verb_and_role_is_allowed_exactly_as_drawn(machine: Machine) -> None:
    verbs = {edge.verb for edge in machine.edges}
    seen: set[tuple[str, bool]] = set()
    walk(machine, ROWS[machine.noun](make_paid_group()).pk, seen, verbs)
    assert {verb for verb, allowed in seen if allowed} == verbs
    guarded = {edge.verb for edge in machine.edges if edge.guard}
    assert guarded <= {verb for verb, allowed in seen if not allowed}
