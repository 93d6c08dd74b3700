"""A guest's way through the shop's pages is one visit of the funnel, to the money."""

from datetime import timedelta

import pytest
from pytest_django.live_server_helper import LiveServer

from analytics.funnels import SHOP, Counts, recount, run
from analytics.models import Event
from core import clock
from orders.management.bench.browser import Browser
from orders.management.bench.shopper import ORDER, go_to_review, put_into_basket
from payments.models import Attempt
from tests.factories.story import capture, deliver_events, make_stocked_sku

pytestmark = pytest.mark.django_db(transaction=True)


def funnel() -> Counts:
    now = clock.now()
    edges = {"begin": now - timedelta(hours=1), "end": now + timedelta(hours=1)}
    counted = run(SHOP, **edges)
    assert counted == recount(SHOP, **edges)
    return counted


def test_a_guest_goes_all_the_way_and_another_leaves_at_the_basket(live_server: LiveServer) -> None:
    skus = [make_stocked_sku(), make_stocked_sku()]
    with Browser(live_server.url) as leaver:
        put_into_basket(leaver, skus[0])
    with Browser(live_server.url) as buyer:
        for sku in skus:
            put_into_basket(buyer, sku)
        buyer.submit(go_to_review(buyer))
        assert buyer.path.startswith(ORDER)
        buyer.submit(buyer.form("method"), {"method": "tok_ok"})
    deliver_events()
    assert funnel().counts == (2, 2, 1, 1, 0)

    capture(Attempt.objects.get())
    deliver_events()

    assert funnel().counts == (2, 2, 1, 1, 1)
    visits = Event.objects.filter(name__in=["order_placed", "purchase"])
    assert visits.count() == 3  # placed once, paid to two merchants
    assert visits.values("session_key").distinct().count() == 1
    assert funnel().by_device == {"desktop": (2, 2, 1, 1, 1)}
