"""A person pays in a real browser, with JavaScript off; the money finds its order."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page
from pytest_django.live_server_helper import LiveServer

from orders.models import OrderGroup
from orders.services.pay import payment_start
from payments.models import Attempt
from tests.browser.person import follow
from tests.factories.story import BUYER, fresh_row, make_group
from tests.sandboxes.conftest import Sandbox

pytestmark = pytest.mark.django_db(transaction=True)

Until = Callable[[Callable[[], object]], object]


def start_at_channel(group: OrderGroup, token: str, delivered: Until, shop: str) -> str:
    """The address of the channel's page for a new attempt."""
    attempt = payment_start(
        group_id=group.id, channel="sandbox", token=token, return_url=f"{shop}/", actor=BUYER
    )
    delivered(lambda: fresh_row(attempt).status == "requires_action")
    return Attempt.objects.get(pk=attempt.pk).action_url


def test_the_start_page_answers(page: Page, live_server: LiveServer) -> None:
    page.goto(live_server.url)
    assert page.get_by_role("link", name="Quayside").is_visible()


def test_a_person_pays_with_the_bank_step_and_returns_to_the_shop(
    page: Page, channel: Sandbox, delivered: Until, live_server: LiveServer
) -> None:
    group = make_group(orders=2)
    page.goto(start_at_channel(group, "tok_3ds", delivered, live_server.url))
    follow(page.get_by_role("button", name="Pay"))
    assert fresh_row(group).status == "pending_payment"
    follow(page.get_by_role("button", name="Confirm"))
    assert page.url == f"{live_server.url}/"

    delivered(lambda: fresh_row(group).status == "paid")


def test_a_person_who_refuses_may_try_again(
    page: Page, channel: Sandbox, delivered: Until, live_server: LiveServer
) -> None:
    group = make_group()
    page.goto(start_at_channel(group, "", delivered, live_server.url))
    follow(page.get_by_role("button", name="Refuse"))
    delivered(lambda: Attempt.objects.get().status == "failed")
    page.goto(start_at_channel(group, "", delivered, live_server.url))
    follow(page.get_by_role("button", name="Pay"))

    delivered(lambda: fresh_row(group).status == "paid")
