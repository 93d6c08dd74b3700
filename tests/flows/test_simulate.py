"""The simulator: shoppers find their way by what pages say, merchants act on their orders alone."""

import random
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.management import CommandError, call_command

from accounts.models import Merchant, MerchantMember
from accounts.services import customer_for_email, member_add
from orders.management.simulate.pages import parse
from orders.management.simulate.sellers import Sellers
from orders.management.simulate.shoppers import DOMAIN, Habits, Shopper, Street
from orders.models import Order
from tests.factories import TESTER, make_customer, make_user
from tests.factories.story import fresh_row, make_stocked_sku, only_order, pay, place

STEADY = Habits(
    leaves_at_product=0,
    leaves_at_basket=0,
    leaves_at_checkout_page=0,
    leaves_at_pay=0,
    adds_another=0,
    is_refused=0,
    meets_3ds=0,
    pays_at_channel=1,
    calls_off=0,
    think_seconds=0,
)
# Address → what stands there. Each form leads on by a 303, as in the shop.
SITE = {
    "/": '<form action="/search/"><input name="q"></form><a href="/p/tea/">Tea</a>',
    "/p/tea/": '<form method="post" action="/p/tea/add/"><input type="hidden" name="t" value="1">'
    '<input type="radio" name="sku" value="7" disabled><input type="radio" name="sku" value="8">'
    "<select name=quantity><option>1</option><option selected>2</option></select></form>",
    "/basket/": '<a href="/checkout/">Checkout</a>',
    "/checkout/": '<form method="post"><input type="hidden" name="t" value="2">'
    '<input name="email" type="email"><input name="line1"><input name="note" type="text">'
    '<select name="country"><option value="">?</option><option value="DE">Germany</option></select>'
    "</form>",
    "/checkout/review/": '<form method="post"><input type="checkbox" name="terms"></form>',
    "/o/1/k/pay/": '<form method="post" action="/o/1/k/pay/"><input type="radio" name="method"'
    ' value="bank" checked><input type="radio" name="method" value="tok_ok"></form>',
    "/channel/1": '<form method="post" action="/channel/1"><button name="button" value="refuse">No'
    '</button><button name="button" value="pay">Yes</button></form>',
    "/o/1/k/": "<h1>Paid</h1>",
}
LEADS_TO = {
    "/p/tea/add/": "/basket/",
    "/checkout/": "/checkout/review/",
    "/checkout/review/": "/o/1/k/pay/",
    "/o/1/k/pay/": "/channel/1",
    "/channel/1": "/o/1/k/",
}


class Site(ThreadingHTTPServer):
    """Pages of the shop's shape, which remember what they were sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.sent: list[tuple[str, dict[str, list[str]]]] = []
        self.agents: set[str] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        self.server.agents.add(self.headers["User-Agent"])
        body = SITE[urlsplit(self.path).path].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.sent.append((self.path, parse_qs(text)))
        self.send_response(303)
        self.send_header("Location", LEADS_TO[self.path])
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments: Any) -> None:
        """Silent."""


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def shopper(site: Site, habits: Habits = STEADY) -> Shopper:
    return Shopper(Street(site.url, f"{site.url}/channel"), random.Random(1), habits)


def test_a_shopper_finds_the_way_from_shelf_to_receipt(site: Site) -> None:
    assert shopper(site).visit() == "paid"

    sent = dict(site.sent)
    assert list(sent) == list(LEADS_TO)
    assert sent["/p/tea/add/"] == {"t": ["1"], "sku": ["8"], "quantity": ["2"]}
    contact = sent["/checkout/"]
    assert contact["t"] == ["2"]
    assert contact["country"] == ["DE"]
    assert contact["email"][0].endswith(f"@{DOMAIN}")
    assert contact["line1"]
    assert sent["/checkout/review/"] == {"terms": ["on"]}
    assert sent["/o/1/k/pay/"] == {"method": ["bank"]}
    assert sent["/channel/1"] == {"button": ["pay"]}
    assert all("Mozilla" in agent for agent in site.agents)


@pytest.mark.parametrize(
    ("habit", "end"),
    [
        ("leaves_at_product", "left at a product"),
        ("leaves_at_basket", "left at the basket"),
        ("leaves_at_checkout_page", "left at /checkout/"),
        ("leaves_at_pay", "left at the pay page"),
    ],
)
def test_a_shopper_may_leave_at_any_step(site: Site, habit: str, end: str) -> None:
    habits = Habits(**{**{f: getattr(STEADY, f) for f in STEADY.__slots__}, habit: 1})
    assert shopper(site, habits).visit() == end


def test_a_shop_that_is_away_ends_the_visit_in_words(site: Site) -> None:
    street = Street("http://127.0.0.1:9", "http://127.0.0.1:9")
    assert Shopper(street, random.Random(1), STEADY).visit() == "no answer (ConnectError)"


def test_everybody_goes_home_when_the_street_closes(site: Site) -> None:
    street = Street(site.url, site.url)
    street.closing.set()
    assert Shopper(street, random.Random(1), STEADY).visit() == "sent home"


def test_a_page_is_read_as_a_browser_reads_it() -> None:
    page = parse(
        "http://shop/a/",
        '<a href="b/?x=1#y">B</a><form method=post action=""><input name=q value=1>'
        "<input type=checkbox name=c value=2 checked><input type=radio name=r value=3>"
        "<textarea name=note></textarea><button name=go value=4>Go</button></form>",
    )
    assert page.links == ["http://shop/a/b/?x=1#y"]
    [form] = page.forms
    assert form.action == "http://shop/a/"
    assert form.data({"r": "3"}) == {"q": "1", "c": "2", "note": "", "r": "3"}
    assert form.buttons == [("go", "4")]


def employ(merchant: Merchant) -> None:
    user = make_user()
    role = MerchantMember.Role.OWNER
    member_add(merchant_id=merchant.pk, user_id=user.pk, role=role, actor=TESTER)


@pytest.mark.django_db
def test_merchants_ship_what_simulated_shoppers_paid_and_nothing_else() -> None:
    simulated = customer_for_email(email=f"ida.1@{DOMAIN}")
    orders: list[Order] = []
    for customer in (simulated, make_customer()):
        sku = make_stocked_sku()
        employ(sku.merchant)
        orders.append(only_order(pay(place([(sku, 1)], customer))))
    theirs, other = orders

    sellers = Sellers(random.Random(1), patience=0)
    for _ in range(3):
        sellers.act()

    assert fresh_row(theirs).status == "shipped"
    assert fresh_row(other).status == "paid"
    assert sellers.done == Counter({"acknowledged": 1, "packing": 1, "shipped": 1})


@pytest.mark.django_db
def test_merchants_take_their_time() -> None:
    sku = make_stocked_sku()
    employ(sku.merchant)
    order = only_order(pay(place([(sku, 1)], customer_for_email(email=f"ida.2@{DOMAIN}"))))

    Sellers(random.Random(1), patience=1000).act()

    assert fresh_row(order).status == "paid"


def test_nobody_buys_by_dice_where_it_costs_money(settings: Any) -> None:
    settings.DEMO = False
    with pytest.raises(CommandError):
        call_command("simulate", rate=1.0)
