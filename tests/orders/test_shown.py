"""An unpaid group out of time is shown as expired before the clock has come by; reading writes not."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.actors import Role
from core import clock
from core.fsm import Stateful
from orders.actions import group_actions, order_actions
from orders.links import link_path
from orders.models import Order, OrderGroup
from orders.selectors.order_page import order_page
from orders.selectors.shown import (
    group_state,
    groups_shown,
    order_state,
    orders_shown,
)
from orders.services.expire import order_group_expire
from shop.words import entry
from tests.api.conftest import platform_key
from tests.consoles.world import page, staff_client
from tests.factories import TESTER
from tests.factories.story import fresh_row, make_group, make_paid_group

pytestmark = pytest.mark.django_db
TICK = timedelta(microseconds=1)


def out_of_time(group: OrderGroup) -> OrderGroup:
    clock.advance(group.pay_before - clock.now() + timedelta(seconds=1))
    return fresh_row(group)


def versions(group: OrderGroup) -> list[tuple[str, int]]:
    rows: list[Stateful] = [group, *group.orders.all()]
    return [(row.status, row.version) for row in map(fresh_row, rows)]


def test_a_group_is_shown_as_expired_from_its_deadline_on() -> None:
    group = make_group()
    order = group.orders.get()
    for moment, of_group, of_order in (
        (group.pay_before - TICK, "pending_payment", "pending_payment"),
        (group.pay_before, "expired", "cancelled"),
        (group.pay_before + TICK, "expired", "cancelled"),
    ):
        assert (group_state(group, moment), order_state(order, moment)) == (of_group, of_order)


def test_a_paid_group_is_shown_as_it_is_whatever_the_time() -> None:
    group = make_paid_group()
    late = group.pay_before + timedelta(days=1)
    assert (group_state(group, late), order_state(group.orders.get(), late)) == ("paid", "paid")


@pytest.mark.parametrize("ahead", [-TICK, timedelta(0), TICK])
def test_lists_are_filtered_by_what_is_shown(ahead: timedelta) -> None:
    group, paid = make_group(), make_paid_group()
    moment = group.pay_before + ahead
    assert group.pay_before <= paid.pay_before
    groups, orders = [group, paid], [group.orders.get(), paid.orders.get()]
    for state in OrderGroup.machine.names:
        found = set(OrderGroup.objects.filter(groups_shown(state, moment)))
        assert found == {row for row in groups if group_state(row, moment) == state}
    for state in Order.machine.names:
        rows = set(Order.objects.filter(orders_shown(state, moment)))
        assert rows == {row for row in orders if order_state(row, moment) == state}


def test_nothing_is_offered_any_more() -> None:
    group = make_group()
    order = group.orders.get()
    assert [action.verb for action in order_actions(order, Role.MERCHANT)] == ["cancel", "reduce"]
    group = out_of_time(group)
    order = group.orders.get()
    for role in (Role.BUYER, Role.MERCHANT, Role.STAFF):
        assert group_actions(group, [order], role) == []
        assert order_actions(order, role) == []


def test_the_buyers_pages_show_it_expired_and_change_nothing(client: Client) -> None:
    group = make_group()
    assert "waits for your payment" in client.get(link_path(group)).content.decode()
    before = versions(group)
    group = out_of_time(group)
    told = client.get(link_path(group)).content.decode()
    assert "it was not paid in time" in told
    assert "Cancel the whole order" not in told
    looked = order_page(group)
    assert [part.word for part in looked.parts] == ["Cancelled"]
    assert entry(group, clock.now()).word == "Not paid in time"
    assert client.get(f"{link_path(group)}pay/").status_code == 200
    assert versions(group) == before


def test_the_api_shows_it_expired_and_filters_so() -> None:
    group, platform = make_group(), platform_key()
    before = versions(group)
    group = out_of_time(group)
    shown = platform.get(f"/order_groups/{group.pk}").json()
    assert (shown["state"], shown["allowed_actions"]) == ("expired", [])
    assert [part["state"] for part in shown["orders"]] == ["cancelled"]
    for state, count in (("expired", 1), ("pending_payment", 0)):
        assert len(platform.get("/order_groups", state=state).json()["data"]) == count
    for state, count in (("cancelled", 1), ("pending_payment", 0)):
        listed = platform.get("/orders", state=state).json()["data"]
        assert [(row["state"], row["allowed_actions"]) for row in listed] == [(state, [])] * count
    assert versions(group) == before


def moving(page: Any) -> list[str]:
    """The verbs that a console's page offers, but for what moves nothing on."""
    offers = [offer["act"] for offer in page.context["offers"]]
    return [act.verb for act in offers if act.moves_on]


def test_the_console_shows_it_expired_and_filters_so() -> None:
    group = make_group()
    before = versions(group)
    group = out_of_time(group)
    client = staff_client()
    opened = client.get(page(group, site="platform"))
    assert (str(opened.context["state"]), moving(opened)) == ("expired", [])
    order = client.get(page(group.orders.get(), site="platform"))
    assert (str(order.context["state"]), moving(order)) == ("cancelled", [])
    listing = "/platform/orders/ordergroup/?state="
    assert group.number in client.get(f"{listing}expired").content.decode()
    assert group.number not in client.get(f"{listing}pending_payment").content.decode()
    assert versions(group) == before


def test_once_the_clock_has_come_by_the_row_says_the_same() -> None:
    group = out_of_time(make_group())
    shown = group_state(group, clock.now()), order_state(group.orders.get(), clock.now())
    order_group_expire(group_id=group.pk, actor=TESTER)
    assert shown == (fresh_row(group).status, group.orders.get().status)
