"""The consoles' buttons say what the tables say: for each act, in every state, for every role."""

from collections.abc import Iterator

import pytest

from accounts.actors import Role
from accounts.consoles import Act, merchant_site, platform_site
from core import clock
from core.fsm import Stateful
from core.states import Machine
from orders.models import Order, OrderGroup
from orders.services.fulfil import order_ship
from orders.services.refund import order_refund
from payments.models import ManualTransfer, Payout
from payments.services.bank import line_give_back
from tests.consoles.world import member_client, page, staff_client
from tests.factories import fresh, make_merchant
from tests.factories.bank import FINANCE, receive
from tests.factories.settlement import make_payout
from tests.factories.story import MERCHANT, fresh_row, make_paid_group, pack

pytestmark = pytest.mark.django_db

ROLES = (Role.BUYER, Role.MERCHANT, Role.STAFF)


def acts() -> Iterator[tuple[type[Act], type[Stateful]]]:
    """Every act on a row that has a machine, in either console."""
    for site in (merchant_site, platform_site):
        for model, table in site._registry.items():
            if issubclass(model, Stateful):  # what moves nothing on, a note, is always legal
                yield from ((act, model) for act in table.acts if act.moves_on)


ACTS = sorted(set(acts()), key=lambda pair: (pair[1].__name__, pair[0].__name__))


def tables_answer(machine: Machine, row: Stateful, verb: str, role: Role) -> bool:
    """Read from the table edge by edge."""
    parts = list(row.orders.all()) if isinstance(row, OrderGroup) else []
    return any(
        edge.verb == verb
        and row.status in edge.sources
        and role in edge.roles
        and (edge.guard is None or edge.guard.holds(row, clock.now(), parts))
        for edge in (*machine.asks, *machine.edges)
    )


def test_acts_of_both_consoles_are_found() -> None:
    found = {(act.verb, model.__name__) for act, model in ACTS}
    assert {("ship", "Order"), ("refund", "Order"), ("cancel", "OrderGroup")} <= found


@pytest.mark.parametrize(("act", "model"), ACTS)
def test_an_acts_verb_is_one_of_the_table(act: type[Act], model: type[Stateful]) -> None:
    verbs = {edge.verb for edge in (*model.machine.edges, *model.machine.asks)}
    assert act.verb in verbs


def row_of(model: type[Stateful], group: OrderGroup) -> Stateful:
    """A row of that model: of the group, of a merchant's, or of our account at the bank."""
    if model is OrderGroup:
        return group
    if model is Order:
        return group.orders.earliest("pk")
    if model is Payout:
        return make_payout(make_merchant())
    match = receive(700, "for nothing")
    if model is ManualTransfer:
        line_give_back(match_id=match.pk, reason="unknown", actor=FINANCE)
    return model._default_manager.latest("pk")


@pytest.mark.parametrize(("act", "model"), ACTS)
def test_an_act_is_legal_exactly_where_the_table_says_so(
    act: type[Act], model: type[Stateful]
) -> None:
    group = make_paid_group(orders=2)
    row = row_of(model, group)
    answers = set()
    asked = clock.now() if act.verb.endswith("_cancel") else None
    for state in model.machine.names:
        for parts in Order.machine.names if model is OrderGroup else (state,):
            if model is not Payout:
                rows = Order.objects.filter(group=group)
                rows.update(status=parts, cancel_requested_until=asked)
            model._default_manager.filter(pk=row.pk).update(status=state)
            for role in ROLES:
                now = fresh_row(row)
                verbs = (act.verb, *getattr(act, "also", ()))
                expected = any(tables_answer(model.machine, now, verb, role) for verb in verbs)
                assert act(role).is_legal(now) is expected, (state, parts, role)
                answers.add(expected)
    assert answers == {True, False}


def test_what_has_not_left_can_be_cancelled_until_all_has() -> None:
    [order] = make_paid_group(units=2).orders.all()
    client = member_client(order.merchant)
    pack(order)
    order_ship(order_id=order.pk, actor=MERCHANT, quantities={order.lines.get().pk: 1})
    assert page(order, "cancel") in client.get(page(order)).content.decode()
    order_ship(order_id=order.pk, actor=MERCHANT)
    assert page(order, "cancel") not in client.get(page(order)).content.decode()


def test_a_refund_with_nothing_left_gets_no_button() -> None:
    [order] = make_paid_group().orders.all()
    client = staff_client()
    path = page(order, "refund", "platform")
    assert path in client.get(page(order, site="platform")).content.decode()
    order_refund(
        order_id=order.pk,
        amount_minor=order.total_minor,
        reason="generous",
        request_key=fresh("key-{}"),
        actor=MERCHANT,
    )
    assert path not in client.get(page(order, site="platform")).content.decode()
