"""Lists by keyset: stable while rows come in, cursors of their own list only, few queries."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.services import customer_for_user
from tests.api.conftest import Caller, Refused, browser, merchant_key
from tests.api.walk import done, placed
from tests.factories import make_user, prove_address
from tests.factories.story import make_delivering_merchant, make_group, make_stocked_sku, place

pytestmark = pytest.mark.django_db


def all_pages(caller: Caller, path: str, **parameters: str) -> list[list[str]]:
    """The ids of each page."""
    pages, more = [], dict(parameters)
    while True:
        page = done(caller.get(path, **more))
        pages.append([row["id"] for row in page["data"]])
        assert page["has_more"] == (page["next_cursor"] is not None)
        if not page["has_more"]:
            return pages
        more["cursor"] = page["next_cursor"]


def newest_first(rows: Any) -> list[str]:
    return [str(row.pk) for row in sorted(rows, key=lambda row: row.pk, reverse=True)]


def test_pages_follow_one_another_without_a_gap(platform: Caller) -> None:
    groups = [make_group() for _ in range(5)]
    ids = newest_first(groups)
    assert all_pages(platform, "/order_groups", limit="2") == [ids[:2], ids[2:4], ids[4:]]
    assert all_pages(platform, "/order_groups", limit="5") == [ids]


def test_rows_that_come_in_meanwhile_move_no_page(platform: Caller) -> None:
    ids = newest_first([make_group() for _ in range(4)])
    first = done(platform.get("/order_groups", limit=2))
    make_group()
    second = done(platform.get("/order_groups", limit=2, cursor=first["next_cursor"]))
    assert [row["id"] for row in first["data"] + second["data"]] == ids


def test_products_are_paged_too(platform: Caller) -> None:
    merchant = make_delivering_merchant()
    ids = [str(make_stocked_sku(merchant).product_id) for _ in range(3)][::-1]
    make_stocked_sku()
    found = all_pages(platform, "/products", limit="2", merchant_id=str(merchant.pk))
    assert found == [ids[:2], ids[2:]]


def test_a_link_leads_to_the_next_page(platform: Caller) -> None:
    for _ in range(2):
        make_group()
    first = platform.get("/order_groups", limit=1, state="pending_payment")
    address = first["Link"].partition(">")[0].removeprefix("<http://testserver")
    assert first["Link"].endswith('; rel="next"')
    second = platform.client.get(address, headers=platform.headers)
    assert done(second)["data"] != done(first)["data"]
    assert "Link" not in second


@pytest.mark.parametrize("spoil", [lambda text: text + "x", lambda text: text[1:], lambda _: "\0"])
def test_a_cursor_that_was_made_up_is_refused(platform: Caller, refused: Refused, spoil) -> None:
    for _ in range(2):
        make_group()
    cursor = done(platform.get("/order_groups", limit=1))["next_cursor"]
    response = platform.get("/order_groups", limit=1, cursor=spoil(cursor))
    assert response.json()["code"] in ("cursor-invalid", "validation")
    refused(response, 422, response.json()["code"])


def test_a_cursor_is_of_its_list_and_filters_alone(platform: Caller, refused: Refused) -> None:
    for _ in range(2):
        make_group()
    cursor = done(platform.get("/order_groups", limit=1))["next_cursor"]
    refused(platform.get("/orders", cursor=cursor), 422, "cursor-invalid")
    refused(platform.get("/order_groups", state="paid", cursor=cursor), 422, "cursor-invalid")
    done(platform.get("/order_groups", limit=50, cursor=cursor))


def test_groups_are_found_by_state_and_time(platform: Caller) -> None:
    old, new = make_group(), make_group()
    at = new.placed_at.isoformat()
    assert all_pages(platform, "/order_groups", placed_from=at) == [[str(new.pk)]]
    assert all_pages(platform, "/order_groups", placed_before=at) == [[str(old.pk)]]
    assert all_pages(platform, "/order_groups", state="paid") == [[]]


@pytest.mark.parametrize(
    ("path", "most"), [("/order_groups", 7), ("/orders", 5), ("/products", 5), ("/shipments", 4)]
)
def test_a_longer_list_needs_no_more_queries(platform: Caller, path: str, most: int) -> None:
    merchant = make_delivering_merchant()
    sku = make_stocked_sku(merchant, units=50)
    place([(sku, 1)])
    with CaptureQueriesContext(
        connection,
    ) as few:
        done(platform.get(path))
    for _ in range(4):
        place([(make_stocked_sku(), 1), (sku, 1)])
    with CaptureQueriesContext(connection) as many:
        done(platform.get(path))
    assert len(many) == len(few) <= most
    assert not any("OFFSET" in query["sql"] or "COUNT(" in query["sql"] for query in many)


def test_a_shoppers_groups_are_not_sought_among_all_groups() -> None:
    user = make_user()
    customer_for_user(user=user)
    prove_address(user)
    shopper = browser()
    shopper.client.force_login(user)
    group = placed(shopper, make_stocked_sku())
    with CaptureQueriesContext(connection) as queries:
        [[listed]] = all_pages(shopper, "/order_groups")
    assert listed == group["id"]
    [statement] = [
        query["sql"] for query in queries if 'ORDER BY "orders_ordergroup"' in query["sql"]
    ]
    assert "orders_cart" not in statement  # an inner query beside an OR reads the whole table


def test_a_merchants_list_is_paged_within_its_own(platform: Caller) -> None:
    merchant = make_delivering_merchant()
    own, other = make_stocked_sku(merchant), make_stocked_sku()
    groups = [place([(own, 1), (other, 1)]) for _ in range(3)]
    ids = newest_first(group.orders.get(merchant=merchant) for group in groups)
    assert all_pages(merchant_key(merchant), "/orders", limit="2") == [ids[:2], ids[2:]]
