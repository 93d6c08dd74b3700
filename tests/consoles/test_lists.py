"""Lists and pages: what they tell to whom, how they are searched, what they cost."""

from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.admin.kernel import LAGGING, NOT_UNDERSTOOD
from accounts.models import ApiKey, MerchantMember
from core.models import Hook, OutboxStream
from inventory.models import StockItem
from orders.models import Mail, Order
from orders.services.cancel import order_cancel
from payments.models import PaymentShare
from tests.consoles.world import make_stall, member_client, order_in, page, staff_client
from tests.factories import make_merchant
from tests.factories.story import (
    MERCHANT,
    make_group,
    make_paid_group,
    make_stocked_sku,
    place,
    ship,
)

pytestmark = pytest.mark.django_db

ORDERS = "/merchant/orders/order/"
Role = MerchantMember.Role
MOST_QUERIES = 14


def text(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, (path, answer.headers)
    return answer.content.decode()


def found(client: Client, path: str) -> list[Any]:
    return list(client.get(path).context["cl"].result_list)


def test_the_list_tells_of_payment_and_fulfilment_by_the_order_itself() -> None:
    group = make_paid_group(orders=2)
    cancelled, kept = group.orders.order_by("pk")
    order_cancel(order_id=cancelled.pk, actor=MERCHANT, reason="sold out")
    listed = text(member_client(kept.merchant), ORDERS)
    assert "partly refunded" not in listed  # that is the other merchant's affair
    assert kept.number in listed
    assert group.email not in listed
    assert "15.00 EUR" in listed
    assert "refunded" in text(member_client(cancelled.merchant), ORDERS)


@pytest.mark.parametrize("written", ["{}", " {} ", "{lower}", "{plain}"])
def test_an_order_is_found_by_its_number_however_typed(written: str) -> None:
    order, other = order_in("paid"), order_in("paid")
    Order.objects.filter(pk=other.pk).update(merchant=order.merchant)
    client = member_client(order.merchant)
    number = order.number
    term = written.format(number, lower=number.lower(), plain=number.replace("-", " "))
    assert found(client, f"{ORDERS}?q={term}") == [order]
    assert found(client, f"{ORDERS}?q={order.group.number}") == [order]


def test_an_order_is_found_by_its_buyer_and_by_what_was_bought() -> None:
    order = order_in("paid")
    client = member_client(order.merchant)
    line = order.lines.get()
    for term in (order.group.email, order.group.email.upper(), line.sku_code):
        assert found(client, f"{ORDERS}?q={term}") == [order]
    for term in ("nobody@example.com", "no-such-sku", line.sku_code[:-1]):
        assert found(client, f"{ORDERS}?q={term}") == []


def test_orders_are_filtered_by_their_state() -> None:
    order = order_in("paid")
    client = member_client(order.merchant)
    assert found(client, f"{ORDERS}?state=paid") == [order]
    assert found(client, f"{ORDERS}?state=shipped") == []


@pytest.mark.parametrize(
    "path",
    [
        ORDERS,
        f"{ORDERS}?q=no-such",
        "/merchant/inventory/stockitem/",
        "/merchant/catalog/sku/",
        "/merchant/catalog/product/",
        "/merchant/",
    ],
)
def test_a_list_costs_the_same_however_long(
    path: str, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    sku = make_stocked_sku(units=30)
    client = member_client(sku.merchant)
    for _ in range(3):
        place([(sku, 1)])
        make_stocked_sku(sku.merchant)
    client.get(path)
    with django_assert_max_num_queries(MOST_QUERIES) as queries:
        client.get(path)
    assert not [query for query in queries if "COUNT(*)" in query["sql"].split("FROM")[0]]
    few = len(queries)
    for _ in range(5):
        place([(sku, 1)])
        make_stocked_sku(sku.merchant)
    with django_assert_max_num_queries(few):
        client.get(path)


def test_a_list_ends_where_searching_is_better() -> None:
    client = member_client(make_merchant())
    assert client.get(f"{ORDERS}?p=200").status_code == 200
    assert client.get(f"{ORDERS}?p=201").status_code == 302


def test_the_order_page_tells_all_that_has_happened(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    stall = make_stall("Alpha")
    order = stall.first(Order)
    client = member_client(stall.merchant)
    with django_assert_max_num_queries(40):
        shown = text(client, page(order))
    for word in (
        "paid → ",
        "acknowledged → ",
        "packing",
        "Alpha was late",
        "handed over",
        "approved",
    ):
        assert word in shown
    assert "Bremen" in shown
    assert "captured" in shown
    assert "The book says" not in shown


def test_money_that_does_not_agree_with_the_book_is_told() -> None:
    order = order_in("paid")
    PaymentShare.objects.filter(order_id=order.pk).update(refunded_minor=1)
    assert "The book says 25.00 EUR" in text(member_client(order.merchant), page(order))


def test_mails_stand_in_the_timeline() -> None:
    stall = make_stall("Alpha")
    order = stall.first(Order)
    Mail.objects.create(
        id=order.id,
        shard_key=order.shard_key,
        group=order.group,
        order=order,
        event_id="00000000-0000-0000-0000-000000000001",
        template="shipped",
        recipient="ada@example.com",
        language="en",
        subject="On its way to you",
        text="-",
        html="-",
        created_at=order.group.placed_at,
    )
    assert "On its way to you" in text(member_client(stall.merchant), page(order))


@pytest.mark.parametrize(
    ("role", "seen_open", "seen_closed"),
    [
        (Role.OWNER, True, True),
        (Role.MANAGER, True, True),
        (Role.FULFILMENT, True, False),
        (Role.READ_ONLY, True, False),
        (Role.FINANCE, False, False),
    ],
)
def test_the_address_is_shown_to_who_needs_it(
    role: Role, seen_open: bool, seen_closed: bool
) -> None:
    order = order_in("paid")
    client = member_client(order.merchant, role)
    assert ("Bremen" in text(client, page(order))) is seen_open
    ship(order)
    assert ("Bremen" in text(client, page(order))) is seen_closed


def test_staff_see_everything_and_the_buyer_masked() -> None:
    stall = make_stall("Alpha")
    order = stall.first(Order)
    client = staff_client()
    assert order.number in text(client, "/platform/orders/order/")
    assert found(client, f"/platform/orders/ordergroup/?q={order.number}") == [order.group]
    assert found(client, f"/platform/orders/ordergroup/?q={order.group.email}") == [order.group]
    for row in (order, order.group):
        shown = text(client, page(row, site="platform"))
        assert order.group.email not in shown
        assert order.number in shown
    assert "captured" in text(client, page(order.group, site="platform"))
    assert "Ada" not in text(client, page(order, site="platform"))


def test_the_first_page_counts_what_waits() -> None:
    order = order_in("acknowledged")
    figures = member_client(order.merchant).get("/merchant/").context["figures"]
    assert [(figure.label, figure.count) for figure in figures] == [
        ("To acknowledge", 0),
        ("To pack", 1),
        ("To ship", 0),
        ("Cancellations to answer", 0),
    ]
    make_group()
    figures = staff_client().get("/platform/").context["figures"]
    assert {"Parked streams", "Notifications to look at"} <= {figure.label for figure in figures}


def test_the_inbox_shows_what_came_as_text() -> None:
    hook = Hook.objects.create(
        id=7,
        channel="sandbox",
        event_id="evt-7",
        payload=b'{"kind": "<script>"} \xff',
        received_at="2026-11-01T00:00Z",
    )
    shown = text(staff_client(), page(hook, site="platform"))
    assert "&quot;&lt;script&gt;&quot;" in shown
    assert "\N{REPLACEMENT CHARACTER}" in shown


def test_no_page_shows_a_digest_or_a_password() -> None:
    key = ApiKey.objects.create(name="Shop front", prefix="qk_abc", digest=b"\1" * 32, scopes=["a"])
    client = staff_client()
    assert "qk_abc" in text(client, page(key, site="platform"))
    user = client.get("/platform/").wsgi_request.user
    shown = text(client, page(user, site="platform"))  # type: ignore[arg-type]
    assert "argon2" not in shown
    assert "password" not in shown.lower().replace("/platform/password_change/", "").replace(
        "change password", ""
    )


def test_stock_tells_what_is_available_and_every_movement() -> None:
    order = order_in("paid")
    item = StockItem.objects.get(merchant=order.merchant)
    client = member_client(order.merchant)
    [row] = found(client, f"/merchant/inventory/stockitem/?q={order.lines.get().sku_code}")
    assert (row.on_hand, row.reserved) == (10, 2)
    assert "received" in text(client, page(item))


@pytest.mark.parametrize("asked", ["state=%00", "state=nonsense", "q=%00", "state=paid%27"])
def test_a_filter_that_nobody_offers_narrows_nothing(asked: str) -> None:
    order = order_in("paid")
    client = member_client(order.merchant)
    assert found(client, f"{ORDERS}?{asked}") == [order]
    address = "/merchant/autocomplete/?app_label=inventory&model_name=stockitem&field_name=sku"
    assert client.get(f"{address}&term=%00").status_code == 200


def test_what_the_machine_room_counts_is_found_by_an_index() -> None:
    rows = [
        Hook.objects.filter(state__in=NOT_UNDERSTOOD),
        OutboxStream.objects.filter(LAGGING, attempts__gt=0),
        OutboxStream.objects.filter(parked=True),
    ]
    names = ["core_hook_to_look_at", "core_stream_waiting", "core_stream_parked"]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        for wanted, name in zip(rows, names, strict=True):
            assert name in wanted.explain()


@pytest.mark.parametrize("path", ["/platform/", "/platform/orders/order/", "/platform/core/hook/"])
def test_a_page_of_the_platform_costs_a_few_statements(
    path: str, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    client = staff_client()
    with django_assert_max_num_queries(MOST_QUERIES):
        client.get(path)
