"""The timeline: everything that happened to an order, by whom, why and from where; no more than that."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.actors import Actor, Role
from accounts.models import MerchantMember
from accounts.services import member_add
from core.command import command
from core.fsm import fire
from core.origin import coming_from
from delivery.models import Shipment
from orders.locks import lock_group
from orders.models import Order, OrderGroup
from orders.selectors import timeline
from orders.selectors.timeline import Change, Entry, Kind, group_timeline, order_timeline
from orders.services.cancel import order_cancel
from orders.services.fulfil import order_acknowledge, order_start_packing
from tests.factories import TESTER, make_user
from tests.factories.parcels import scan
from tests.factories.story import (
    MERCHANT,
    capture,
    deliver_events,
    make_group,
    make_paid_group,
    only_order,
    ship,
    start_payment,
)

pytestmark = pytest.mark.django_db

ORDER_STATEMENTS, GROUP_STATEMENTS = 11, 14


@pytest.fixture
def shipped() -> Order:
    """One of two orders has left and was scanned, the other was called off."""
    group = make_group(orders=2)
    with coming_from("web", "pay-1"):
        attempt = start_payment(group)
    with coming_from("hook", "capture-1"):
        capture(attempt)
    deliver_events()
    first, second = group.orders.order_by("pk")
    with coming_from("console", "ship-1"):
        ship(first)
    scan(Shipment.objects.get(reference=first.pk), "delivered")
    with coming_from("console", "cancel-1"):
        order_cancel(order_id=second.pk, actor=MERCHANT, reason="sold out")
    deliver_events()
    return first


def lines(entries: list[Entry]) -> list[tuple[str, str, str]]:
    return [(entry.kind.value, entry.noun, entry.verb) for entry in entries]


def test_an_order_is_told_from_all_its_rows(shipped: Order) -> None:
    told = lines(order_timeline(shipped).entries)

    for line in (
        ("step", "order", "place"),
        ("stock", "stock", "reserved"),
        ("money", "posting", "capture"),
        ("step", "order", "pay"),
        ("step", "order", "ship"),
        ("step", "shipment", "hand_over"),
        ("stock", "stock", "shipped"),
        ("parcel", "scan", "delivered"),
        ("step", "order", "deliver"),
    ):
        assert line in told
    assert ("step", "order", "cancel") not in told  # the other merchant's
    assert ("step", "order_group", "pay") not in told


def test_of_a_payment_an_order_is_told_its_own_share(shipped: Order) -> None:
    [posting] = order_timeline(shipped, [Kind.MONEY]).entries
    assert posting.subject == "15.00 EUR"  # the group's capture was of 30.00

    group = group_timeline(shipped.group, [Kind.MONEY]).entries
    assert [(entry.verb, entry.subject) for entry in group] == [
        ("capture", "30.00 EUR"),
        ("refund approved", "15.00 EUR"),
    ]


def test_an_entry_says_which_edge_and_request_it_came_from(shipped: Order) -> None:
    told = {
        (entry.kind, entry.noun, entry.verb): (entry.source, entry.request_id)
        for entry in group_timeline(shipped.group).entries
    }
    assert told[Kind.STEP, "attempt", "start"] == ("web", "pay-1")
    assert told[Kind.STEP, "attempt", "succeed"] == ("hook", "capture-1")
    assert told[Kind.STEP, "order", "ship"] == ("console", "ship-1")
    assert told[Kind.STEP, "order", "cancel"] == ("console", "cancel-1")
    assert told[Kind.STEP, "order_group", "pay"][0] == "relay"


def test_why_it_was_done_is_told(shipped: Order) -> None:
    entries = group_timeline(shipped.group).entries
    assert {e.reason for e in entries if (e.noun, e.verb) == ("order", "cancel")} == {"sold out"}


@pytest.mark.parametrize("kind", Kind)
def test_one_kind_is_told_alone(shipped: Order, kind: Kind) -> None:
    everything = group_timeline(shipped.group).entries
    assert group_timeline(shipped.group, [kind]).entries == [
        entry for entry in everything if entry.kind is kind
    ]


def test_however_much_has_happened_it_costs_the_same_statements(shipped: Order) -> None:
    with CaptureQueriesContext(
        connection,
    ) as of_order:
        order_timeline(shipped)
    with CaptureQueriesContext(connection) as of_group:
        group_timeline(shipped.group)
    assert (len(of_order), len(of_group)) <= (ORDER_STATEMENTS, GROUP_STATEMENTS)
    assert len(of_group) <= GROUP_STATEMENTS


def test_more_than_fits_is_cut_from_its_beginning_and_says_so(
    shipped: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = order_timeline(shipped)
    assert not everything.is_capped
    monkeypatch.setattr(timeline, "MOST_ENTRIES", 4)

    capped = order_timeline(shipped)

    assert capped.is_capped
    assert capped.entries == everything.entries[-4:]


@command
def amend(group_id: int, **fields: object) -> OrderGroup:
    group = lock_group(group_id)
    fire(group, verb="amend", actor=TESTER, fields=fields)
    return group


def test_a_step_tells_which_fields_it_changed_and_keeps_private_ones_to_itself() -> None:
    group = make_paid_group()
    later = group.pay_before + timedelta(minutes=5)

    amend(group.pk, email="new@example.com", pay_before=later, shipping_address={"city": "Kiel"})

    [entry] = [
        e
        for e in group_timeline(group).entries
        if e.verb == "amend" and e.changes[0].field == "email"
    ]
    assert entry.changes == (
        Change("email", "", ""),
        Change("shipping address", "", ""),
        Change("pay before", f"{group.pay_before:%F %T}", f"{later:%F %T}"),
    )
    born = [e for e in group_timeline(group).entries if e.verb == "place"]
    assert all(entry.changes == () for entry in born)


def test_a_merchant_is_told_the_names_of_their_own_people_only() -> None:
    order = only_order(make_paid_group())
    member, stranger = make_user(), make_user()
    member_add(
        merchant_id=order.merchant_id,
        user_id=member.pk,
        role=MerchantMember.Role.OWNER,
        actor=TESTER,
    )
    order_acknowledge(order_id=order.pk, actor=merchant_actor(member.pk, order))
    order_start_packing(order_id=order.pk, actor=Actor(Role.STAFF, f"user:{stranger.pk}"))

    def who(role: Role) -> list[str]:
        return [entry.actor for entry in order_timeline(order, [Kind.STEP], role=role).entries][-2:]

    assert who(Role.STAFF) == [f"merchant · {member.email}", f"staff · {stranger.email}"]
    assert who(Role.MERCHANT) == [f"merchant · {member.email}", "staff"]


def merchant_actor(user_id: int, order: Order) -> Actor:
    return Actor(Role.MERCHANT, f"{order.merchant_id}/user:{user_id}")
