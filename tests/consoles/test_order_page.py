"""An order's page: read in parts that may be missing, with what channel and carrier say, and its past."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from core import parallel, relay
from core.parallel import Loaded, load
from delivery.carriers.sandbox import client as carrier_client
from delivery.models import Shipment
from orders.admin import base, parts
from orders.admin import page as page_parts
from orders.models import Note, Order
from orders.selectors.timeline import Kind
from orders.services.fulfil import order_acknowledge, order_ship
from payments.channels import sandbox as sandbox_channel
from payments.models import Attempt
from tests.consoles.world import member_client, order_in, page, sent, staff_client
from tests.factories.story import (
    MERCHANT,
    capture,
    make_paid_group,
    make_stocked_sku,
    pack,
    pay,
    place,
    start_payment,
)
from tests.ports import free_ports
from tests.sandboxes.conftest import Receiver, Sandbox

MOST_STATEMENTS_BEFORE = 4


def text(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def both(order: Order) -> list[tuple[Client, str]]:
    return [
        (member_client(order.merchant), page(order)),
        (staff_client(), page(order, site="platform")),
    ]


@pytest.fixture
def nobody_answers(settings: Any) -> None:
    settings.SANDBOX_PAYMENT_URL = settings.SANDBOX_CARRIER_URL = f"http://127.0.0.1:{free_ports()}"


@pytest.mark.django_db
@pytest.mark.usefixtures("nobody_answers")
def test_at_most_four_statements_stand_before_the_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    before: list[int] = []

    def counted(given: Any) -> Loaded:
        before.append(len(queries))
        return load(given)

    monkeypatch.setattr(base, "load", counted)
    for client, path in both(order_in("paid")):
        with CaptureQueriesContext(connection) as queries:
            client.get(path)
    assert len(before) == 2
    assert max(before) <= MOST_STATEMENTS_BEFORE


@pytest.mark.django_db
@pytest.mark.usefixtures("nobody_answers")
@pytest.mark.parametrize(
    ("where", "function", "part"),
    [
        (page_parts, "lines_of", "lines"),
        (parts, "merchant_of", "merchant"),
        (parts, "buyer_of", "buyer"),
        (page_parts, "money_card", "money"),
        (page_parts, "parcels_of", "parcels"),
        (parts, "order_timeline", "timeline"),
        (parts, "at_channel", "channel"),
        (parts, "at_carrier", "carrier"),
        (base.OrderTable, "offered", "offers"),
    ],
)
def test_a_part_that_fails_is_named_and_the_page_comes(
    where: Any, function: str, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("planted")

    order = order_in("shipped")
    client = member_client(order.merchant)
    monkeypatch.setattr(where, function, fail)

    answer = client.get(page(order))

    assert answer.status_code == 200
    assert part in answer.context["missing"]
    assert "ot available now" in answer.content.decode()
    assert order.number in answer.content.decode()


@pytest.mark.django_db
@pytest.mark.usefixtures("nobody_answers")
def test_a_page_whose_channel_is_away_says_so_and_shows_the_rest() -> None:
    order = order_in("paid")
    for client, path in both(order):
        told = text(client, path)
        assert "What the channel says is not available now." in told
        assert "What the carrier says is not available now." not in told
        assert order.lines.get().title in told


@pytest.fixture
def outside(tmp_path: Path, settings: Any) -> Iterator[None]:
    """The real channel and the real carrier; nobody listens to their notifications."""
    receiver = Receiver()
    channel = Sandbox("payments.sandbox", tmp_path, receiver)
    (tmp_path / "carrier").mkdir()
    carrier = Sandbox("delivery.sandbox", tmp_path / "carrier", receiver)
    settings.SANDBOX_PAYMENT_URL, settings.SANDBOX_CARRIER_URL = channel.url, carrier.url
    sandbox_channel._client.cache_clear()
    carrier_client.cache_clear()
    yield
    for kept in (sandbox_channel._client, carrier_client):
        kept().close()
        kept.cache_clear()
    channel.stop()
    carrier.stop()
    receiver.stop()


def deliver_outside() -> None:
    """What relay and worker do."""
    while relay.deliver(relay.deliver_external):
        pass


@pytest.mark.django_db(transaction=True)
def test_the_page_tells_what_channel_and_carrier_say(outside: None, settings: Any) -> None:
    """All of it at once, on connections of its own."""
    settings.PARALLEL_LOADING = True
    group = place([(make_stocked_sku(), 1), (make_stocked_sku(), 1)])
    begun = start_payment(group)
    deliver_outside()
    capture(begun)
    deliver_outside()
    order = group.orders.order_by("pk")[0]
    pack(order)
    order_ship(order_id=order.pk, actor=MERCHANT)
    deliver_outside()
    attempt = Attempt.objects.get()
    shipment = Shipment.objects.get()
    (member, own), (staff, all_of_it) = both(order)
    try:
        merchants, platforms = text(member, own), text(staff, all_of_it)
    finally:
        parallel.end()

    for told in (merchants, platforms):
        assert "The channel sandbox says: <strong>captured</strong>" in told
        assert f"<strong>announced</strong> <code>{shipment.tracking_number}</code>" in told
        assert "ot available now" not in told
    assert attempt.status == "succeeded"
    assert "<strong>captured</strong> 30.00 EUR" in platforms
    assert "30.00 EUR" not in merchants  # the group's, with what others have sold


@pytest.mark.django_db
@pytest.mark.usefixtures("nobody_answers")
def test_a_merchant_reads_of_a_buyer_what_they_have_sold_to_them() -> None:
    first, second = make_stocked_sku(), make_stocked_sku()
    group = pay(place([(first, 1), (second, 1)]))
    again = pay(place([(first, 2)], group.customer)).orders.get()
    (member, own), (staff, all_of_it) = both(again)
    assert "2 paid orders, 40.00 EUR, 1 before this one" in text(member, own)
    assert "3 paid orders, 55.00 EUR, 2 before this one" in text(staff, all_of_it)


@pytest.mark.django_db
@pytest.mark.usefixtures("nobody_answers")
def test_the_timeline_shows_one_kind_where_it_is_asked_for() -> None:
    order = order_in("paid")
    client = member_client(order.merchant)
    kinds = {entry.kind for entry in client.get(page(order)).context["timeline"].entries}
    assert {Kind.STEP, Kind.MONEY, Kind.STOCK} <= kinds
    alone = client.get(f"{page(order)}?kind=money").context["timeline"].entries
    assert {entry.kind for entry in alone} == {Kind.MONEY}
    odd = client.get(f"{page(order)}?kind=odd").context["timeline"].entries
    assert {entry.kind for entry in odd} == kinds


@pytest.mark.django_db
@pytest.mark.usefixtures("nobody_answers")
def test_a_note_is_written_by_merchant_and_staff_and_read_in_the_timeline() -> None:
    order = order_in("paid")
    for number, (client, path) in enumerate(both(order)):
        answer = sent(client, f"{path}note/", text=f"note {number}")
        assert (answer.status_code, answer.headers["Location"]) == (302, path)
    for client, path in both(order):
        told = text(client, path)
        assert "note 0" in told
        assert "note 1" in told
        assert client.get(path).context["next"]["act"].verb == "acknowledge"


@pytest.mark.django_db
def test_a_note_about_a_group_is_the_platforms() -> None:
    order = order_in("paid")
    staff = staff_client()
    sent(staff, page(order.group, "note", "platform"), text="a word among us")
    assert Note.objects.get().order is None
    assert "a word among us" in text(staff, page(order.group, site="platform"))
    assert "a word among us" not in text(member_client(order.merchant), page(order))


@pytest.mark.django_db
@pytest.mark.usefixtures("nobody_answers")
def test_an_order_and_its_group_are_shown_as_they_were() -> None:
    group = make_paid_group()
    order = group.orders.get()
    order_acknowledge(order_id=order.pk, actor=MERCHANT)
    paid_at = order.status_changed_at
    (member, own), (staff, _all) = both(order)

    def states(client: Client, path: str, at: str) -> list[tuple[str, str]]:
        told = client.get(path, {"at": at}).context["as_of"]
        return [(row["number"], str(row["state"])) for row in told]

    assert states(member, own, f"{paid_at:%F %T.%f}") == [(order.number, "paid")]
    assert states(member, own, "2100-01-01 00:00") == [(order.number, "acknowledged")]
    of_group = page(group, site="platform")
    assert states(
        staff, of_group, f"{group.status_changed_at - timedelta(microseconds=1):%F %T.%f}"
    ) == [
        (group.number, "awaiting payment"),
        (order.number, "awaiting payment"),
    ]
    assert states(staff, of_group, "2000-01-01 00:00") == []
    assert "It had not been placed yet." in text(staff, f"{of_group}?at=2000-01-01")
    assert "Enter a time such as" in text(member, f"{own}?at=yesterday")
    assert group.email not in text(staff, f"{of_group}?at=2100-01-01")
