"""The consoles in a real browser: nothing that their policy forbids, and all of it on a phone."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize
from pytest_django.live_server_helper import LiveServer

from inventory.models import StockItem
from orders.models import Order
from tests.browser.inspector import enter
from tests.browser.person import follow
from tests.consoles import world
from tests.factories import make_merchant
from tests.factories.settlement import give_account, make_payout
from tests.factories.story import make_paid_group

pytestmark = pytest.mark.django_db(transaction=True)

PHONE = ViewportSize(width=360, height=740)


@pytest.fixture
def scripted(chromium: Browser) -> Iterator[BrowserContext]:
    """A browser as people have it."""
    context = chromium.new_context(viewport=PHONE)
    yield context
    context.close()


def complaints(page: Page, live_server: LiveServer, paths: list[str]) -> list[str]:
    """What the browser says of these pages, and which of them are wider than a phone."""
    said: list[str] = []
    page.on("console", lambda line: said.append(f"{line.location['url']} {line.text}"))
    page.on("pageerror", lambda error: said.append(f"{page.url} {error}"))
    for path in paths:
        answer = page.goto(f"{live_server.url}{path}", wait_until="load")
        assert answer is not None
        assert answer.status == 200, path
        if page.evaluate("document.documentElement.scrollWidth") > PHONE["width"]:
            said.append(f"{path} is too wide")
    return [line for line in said if "favicon" not in line]


def test_the_pages_of_money_raise_no_complaint(
    scripted: BrowserContext, live_server: LiveServer
) -> None:
    merchant = make_merchant()
    give_account(merchant)
    payout = make_payout(merchant, 200_000)
    enter(scripted, world.staff_client(), live_server.url)
    paths = [
        "/platform/payments/statement/",
        "/platform/payments/payout/",
        world.page(payout.statement, site="platform"),
        world.page(payout.statement, "entries", "platform"),
        world.page(payout, site="platform"),
        world.page(payout, "approve", "platform"),
        world.page(payout, "hold", "platform"),
        world.page(payout, "change_account", "platform"),
    ]
    assert complaints(scripted.new_page(), live_server, paths) == []


def test_the_merchants_pages_raise_no_complaint(
    scripted: BrowserContext, live_server: LiveServer
) -> None:
    order = world.order_in("packing")
    item = StockItem.objects.get(merchant=order.merchant)
    enter(scripted, world.member_client(order.merchant), live_server.url)
    paths = [
        "/merchant/",
        "/merchant/orders/order/",
        world.page(order),
        world.page(order, "ship"),
        "/merchant/inventory/stockitem/",
        world.page(item),
        world.page(item, "adjust"),
    ]
    assert complaints(scripted.new_page(), live_server, paths) == []


def test_the_platforms_pages_raise_no_complaint(
    scripted: BrowserContext, live_server: LiveServer
) -> None:
    group = make_paid_group(orders=2)
    enter(scripted, world.staff_client(), live_server.url)
    paths = [
        "/platform/",
        "/platform/orders/ordergroup/",
        world.page(group, site="platform"),
        world.page(group, "cancel", "platform"),
        "/platform/core/outboxstream/",
        "/platform/core/hook/",
        "/platform/accounts/user/",
    ]
    assert complaints(scripted.new_page(), live_server, paths) == []


def test_a_complaint_would_be_heard(scripted: BrowserContext, live_server: LiveServer) -> None:
    page = scripted.new_page()
    said: list[str] = []
    page.on("console", lambda line: said.append(line.text))
    page.goto(f"{live_server.url}/account/login/")
    page.evaluate("document.body.setAttribute('style', 'color: red')")
    page.evaluate(
        "document.body.appendChild(Object.assign(document.createElement('script'),"
        " {textContent: 'window.ran = true'}))"
    )
    assert page.evaluate("window.ran") is None
    assert any("Content Security Policy" in line for line in said)


def test_a_merchant_ships_an_order_with_a_phone(
    scripted: BrowserContext, live_server: LiveServer
) -> None:
    order = world.order_in("acknowledged")
    enter(scripted, world.member_client(order.merchant), live_server.url)
    page = scripted.new_page()
    page.goto(f"{live_server.url}{world.page(order)}")
    for title in ("Start packing", "Ship"):
        follow(page.get_by_role("link", name=title, exact=True))
        follow(page.get_by_role("button", name=title, exact=True))
    assert Order.objects.get(pk=order.pk).status == "shipped"
    assert page.get_by_text("The parcel is handed over.").count() == 1
