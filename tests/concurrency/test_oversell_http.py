"""Many buyers at the shop's last step for few units: real web processes, real pages."""

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from catalog.models import Sku
from orders.management.bench.browser import Browser, Form
from orders.management.bench.server import Server, serving
from orders.management.bench.shopper import ANSWERS, ORDER, go_to_review, put_into_basket
from orders.models import OrderGroup
from tests.factories.stock import broken_stock_views, counters
from tests.factories.story import make_stocked_sku
from tests.ports import free_ports

pytestmark = pytest.mark.django_db(transaction=True)

CLIENTS = 16
TOLD = "is sold out. Remove it to continue"  # the catalogue's words to who came late


def test_forty_buyers_of_fifteen_units_buy_exactly_fifteen() -> None:
    buy_out(buyers=40, units=15, workers=2)


@pytest.mark.long
@pytest.mark.parametrize("run", range(5))
def test_three_hundred_buyers_of_a_hundred_units_buy_exactly_a_hundred(run: int) -> None:
    buy_out(buyers=300, units=100, workers=8)


def buy_out(*, buyers: int, units: int, workers: int) -> None:
    """All stand at the last step; then all place, sixteen at a time."""
    sku = make_stocked_sku(units=units)
    manner = ("--worker-class=sync", f"--workers={workers}")
    with (
        serving("config.wsgi", port=free_ports(), manner=manner) as server,
        ThreadPoolExecutor(CLIENTS) as clients,
    ):
        ready = list(clients.map(lambda number: at_last_step(server, sku, number), range(buyers)))
        random.shuffle(ready)
        outcomes = Counter(clients.map(lambda buyer: place(*buyer), ready))

    assert outcomes == {"placed": units, "told": buyers - units}
    assert OrderGroup.objects.count() == units
    assert counters(sku.stock_items.get()) == (units, units)
    assert broken_stock_views() == {}


def at_last_step(server: Server, sku: Sku, number: int) -> tuple[Browser, Form]:
    """A guest who has only to press the button."""
    browser = Browser(server.url)
    put_into_basket(browser, sku)
    return browser, go_to_review(browser, ANSWERS | {"email": f"buyer{number}@example.com"})


def place(browser: Browser, form: Form) -> str:
    """How pressing it ended."""
    with browser:
        answer = browser.submit(form)
    if browser.path.startswith(ORDER) and answer.is_success:
        return "placed"
    if answer.status_code == 422 and TOLD in answer.text:
        return "told"
    return f"{answer.status_code} {browser.path}"
