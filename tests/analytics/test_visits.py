"""What pages tell of a visit: who is counted, how, and who is not."""

import logging
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from accounts.models import MerchantMember
from analytics.middleware import WRITTEN_ON_GET
from analytics.models import DailyCount, Event
from analytics.record import PROPS
from tests import reset
from tests.analytics.pages import BROWSER, TELEPHONE
from tests.factories import make_merchant, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.analytics.pages")]

ROBOTS = [
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php) preview",
    "Mozilla/5.0 (X11; Linux x86_64) HeadlessChrome/140.0.0.0 Safari/537.36",
    "curl/8.5.0",
    "python-httpx/0.28.1",
    "",
]


def visitor(agent: str = BROWSER, **headers: str) -> Client:
    return Client(headers={"User-Agent": agent, **headers})


def test_a_product_seen_is_one_event_of_the_visit_that_begins_with_it() -> None:
    shopper = visitor(TELEPHONE)
    shopper.get("/product")
    event = Event.objects.get()
    assert (event.name, event.product_id, event.sku_id, event.merchant_id) == ("view_item", 7, 8, 9)
    assert (event.device, event.channel, event.props) == ("mobile", "web", {"quantity": 2})
    assert len(event.session_key) == 32
    assert event.user_id is None
    assert Session.objects.count() == 1


def test_all_of_a_visit_has_one_key_and_a_later_page_knows_it() -> None:
    shopper = visitor()
    first = shopper.get("/product").content.decode()
    second = shopper.get("/product").content.decode()
    assert first == ""
    assert {second} == set(Event.objects.values_list("session_key", flat=True))
    assert shopper.get("/plain").content.decode() == second


def test_the_key_tells_neither_the_session_nor_next_month() -> None:
    shopper = visitor()
    shopper.get("/product")
    [key] = Event.objects.values_list("session_key", flat=True)
    session = shopper.session
    assert key not in (session.session_key, session["visit"])


def test_the_key_is_another_in_another_month(monkeypatch: pytest.MonkeyPatch) -> None:
    shopper = visitor()
    shopper.get("/product")
    later = timezone.now() + timedelta(days=32)
    monkeypatch.setattr("analytics.session.machine_now", lambda: later)
    shopper.get("/product")
    assert Event.objects.values("session_key").distinct().count() == 2


def test_a_login_keeps_the_visit_and_a_logout_ends_it() -> None:
    shopper, user = visitor(), make_user()
    shopper.get("/product")
    shopper.force_login(user)
    shopper.get("/product")
    before, after = Event.objects.order_by("occurred_at")
    assert before.session_key == after.session_key
    assert (before.user_id, after.user_id) == (None, user.pk)
    shopper.logout()
    shopper.get("/product")
    assert Event.objects.values("session_key").distinct().count() == 2


def test_who_only_looks_at_other_pages_gets_no_cookie() -> None:
    shopper = visitor()
    answer = shopper.get("/plain")
    assert not answer.cookies
    assert "Cookie" not in answer["Vary"]
    assert not Event.objects.exists()


@pytest.mark.parametrize("header", ["Sec-GPC", "DNT"])
def test_who_asks_not_to_be_followed_is_a_number_and_gets_no_cookie(header: str) -> None:
    shopper = visitor(**{header: "1"})
    shopper.get("/product")
    answer = shopper.get("/product")
    assert not answer.cookies
    assert not Event.objects.exists()
    assert list(DailyCount.objects.values_list("name", "count")) == [("view_item", 2)]


def test_who_asks_so_in_the_middle_of_a_visit_has_none_from_then_on() -> None:
    shopper = visitor()
    shopper.get("/product")
    assert shopper.get("/plain", headers={"Sec-GPC": "1"}).content == b""


@pytest.mark.parametrize("agent", ROBOTS)
def test_robots_are_not_counted_and_get_no_cookie(agent: str) -> None:
    answer = visitor(agent).get("/product")
    assert not answer.cookies
    assert not Event.objects.exists()
    assert not DailyCount.objects.exists()


def test_staff_and_merchants_members_are_not_counted() -> None:
    member = make_user()
    MerchantMember.objects.create(user=member, merchant=make_merchant(), role="read_only")
    for insider in (make_user(is_staff=True), member):
        client = visitor()
        client.force_login(insider)
        client.get("/product")
    assert not Event.objects.exists()


def test_what_was_refused_is_not_counted() -> None:
    visitor().post("/refused")
    assert not Event.objects.exists()


def test_a_fact_that_fits_no_column_is_logged_and_the_page_is_shown(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.ERROR):
        answer = visitor().get("/wrong")
    assert (answer.status_code, answer.content) == (200, b"the page")
    assert "facts not written: /wrong" in caplog.text
    assert not Event.objects.exists()


def test_an_event_has_no_place_for_who_somebody_is() -> None:
    assert {field.name for field in Event._meta.get_fields()} == {
        *("pk", "event_id", "occurred_at", "received_at", "name", "session_key", "user_id"),
        *("order_group_id", "order_id", "merchant_id", "product_id", "sku_id", "value_minor"),
        *("currency", "channel", "device", "props", "schema_version"),
    }
    assert {"quantity"} == PROPS


@pytest.mark.django_db(transaction=True)
def test_a_get_writes_the_named_tables_and_no_other() -> None:
    before = reset.filled_tables()
    visitor().get("/product")
    visitor(DNT="1").get("/product")
    assert reset.filled_tables() - before == WRITTEN_ON_GET


@pytest.mark.django_db(transaction=True)
def test_all_facts_of_a_known_visit_cost_one_insert(
    django_assert_num_queries: Any,
) -> None:
    shopper = visitor()
    shopper.get("/product")
    with django_assert_num_queries(4) as queries:
        shopper.get("/product")
    said = [query["sql"].split()[0] for query in queries]
    assert said == ["SELECT", "BEGIN", "INSERT", "COMMIT"]  # the first finds the session
