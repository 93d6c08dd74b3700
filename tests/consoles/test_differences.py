"""The list of what channels and our book have differently: who sees it, what it tells, how it is settled."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from core import clock
from payments.models import Difference, DifferenceResolution
from payments.selectors import balance_minor
from payments.services.day import day_certify
from tests.consoles.world import member_client, page, sent, staff_client
from tests.factories import make_merchant
from tests.factories.money import make_attempt, make_captured, make_payment
from tests.factories.story import make_group, make_paid_group, payment_of, start_payment
from tests.payments.lists import RECON, listed, movement_of

pytestmark = pytest.mark.django_db

LIST = "/platform/payments/difference/"
MOST_QUERIES = 16


@pytest.fixture
def client() -> Client:
    return staff_client()


def found(client: Client, query: str = "") -> set[Any]:
    return set(client.get(f"{LIST}{query}").context["cl"].result_list)


def text(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return answer.content.decode()


def test_a_line_tells_reference_amounts_and_what_it_may_be(client: Client) -> None:
    awaited = make_attempt(make_payment(1234))
    listed(awaited, key="typo", ref="pay_77")
    shown = text(client, LIST)
    for words in ("pay_77", "sandbox", "only at the channel", "capture", "12.34 EUR", "0.00 EUR"):
        assert words in shown
    assert "awaited at about that time" in shown


def test_many_lines_cost_no_more_than_one(
    client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(12):
        listed(make_captured(1000 + number).attempts.get(), amount_minor=1)
    with django_assert_max_num_queries(MOST_QUERIES):
        assert len(found(client)) == 12


def test_lines_are_filtered_and_found_by_reference_and_key(client: Client) -> None:
    listed(make_captured(1000).attempts.get(), amount_minor=990)
    listed(make_captured(1000).attempts.get(), key="typo", ref="pay_77")
    wrong, stranger = Difference.objects.order_by("pk")
    settle(client, wrong)
    assert found(client, "?standing=open") == {stranger}
    assert found(client, "?standing=settled") == {wrong}
    assert found(client, "?kind=amount") == {wrong}
    assert found(client, "?q=pay_77") == found(client, "?q=typo") == {stranger}
    assert found(client, "?q=pay_7") == set()


def settle(client: Client, difference: Difference, **fields: str) -> Any:
    given = {"verdict": "ours", "reason": "their list is wrong", **fields}
    return sent(client, page(difference, "settle", "platform"), **given)


def test_settling_asks_for_the_reason_and_is_done_once(client: Client) -> None:
    listed(make_captured(1000).attempts.get(), amount_minor=990)
    difference = Difference.objects.get()
    assert "10.00 EUR" in text(client, page(difference, "settle", "platform"))
    assert settle(client, difference, reason="").status_code == 200
    assert settle(client, difference, verdict="theirs").status_code == 200
    assert not DifferenceResolution.objects.exists()

    assert settle(client, difference).status_code == 302

    resolution = DifferenceResolution.objects.get()
    assert resolution.actor.startswith("staff:user:")
    shown = text(client, page(difference, site="platform"))
    assert "their list is wrong" in shown
    assert "/settle/" not in shown


def test_a_fee_can_be_taken_over(client: Client) -> None:
    attempt = make_captured(1000).attempts.get()
    listed(attempt)
    listed(attempt, fee_minor=45)
    settle(client, Difference.objects.get(), verdict="theirs", reason="their tariff")
    assert balance_minor("channel_fees", "EUR") == 45


def test_its_page_leads_to_its_order_and_to_what_it_may_be_meant_for(client: Client) -> None:
    group, awaited = make_paid_group(), make_group()
    start_payment(awaited)
    attempt = payment_of(group).attempts.get()
    listed(attempt, amount_minor=1)
    listed(attempt, key="typo", ref="pay_77")
    wrong, stranger = Difference.objects.order_by("pk")
    assert f"/platform/orders/ordergroup/{group.pk}/" in text(client, page(wrong, site="platform"))
    shown = text(client, page(stranger, site="platform"))
    assert "No payment of ours" in shown
    assert f"/platform/orders/ordergroup/{awaited.pk}/" in shown


def test_an_amount_in_no_currency_is_shown_as_it_came(client: Client) -> None:
    listed(make_captured(1000).attempts.get(), currency="XQX", fee_minor=0)
    assert "1000 XQX" in text(client, LIST)


def test_the_first_page_counts_what_waits(client: Client) -> None:
    listed(make_captured(1000).attempts.get(), amount_minor=990)
    assert f"{LIST}?standing=open" in text(client, "/platform/")


def test_a_certified_day_shows_both_sides(client: Client) -> None:
    attempt = make_captured(1000).attempts.get()
    listed(attempt)
    row = movement_of(attempt, at=clock.now() - timedelta(seconds=1))
    day = clock.now().date()
    certificate = day_certify(channel="sandbox", day=day, report=[row], actor=RECON)
    shown = text(client, page(certificate, site="platform"))
    assert certificate.sha256 in shown
    assert "book 10.00 EUR, fees 0.39 EUR" in shown
    assert "sandbox" in text(client, "/platform/payments/reconciliationday/")


def test_merchants_see_none_of_it() -> None:
    listed(make_captured(1000).attempts.get(), amount_minor=990)
    client = member_client(make_merchant())
    assert client.get(LIST).status_code in (302, 403)
    assert client.get("/merchant/payments/difference/").status_code == 404
