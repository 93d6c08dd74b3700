"""The inspector on the way to the order, in every state in which a shopper may find a page."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from playwright.sync_api import Page, Route
from pytest_django.live_server_helper import LiveServer

from accounts.models import Merchant
from core import clock
from orders.links import link_path
from orders.models import OrderGroup
from orders.services.cancel import order_cancel, order_group_cancel
from orders.services.expire import order_group_expire
from orders.services.fulfil import order_deliver
from payments.channels.base import Answer
from payments.models import Attempt
from payments.services.collect import attempt_answer_record
from tests.browser import person
from tests.browser.inspector import enter, findings
from tests.factories import TESTER
from tests.factories.parcels import make_method
from tests.factories.shopper import visitor
from tests.factories.story import (
    BUYER,
    CHANNEL,
    make_delivering_merchant,
    make_group,
    make_paid_group,
    make_stocked_sku,
    pack,
    place,
    ship,
    start_payment,
)
from tests.orders.post import deliver_mails

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def found(seen: Page) -> list[str]:
    """What the inspector has found. Pages that look again by themselves stand still for it."""
    seen.route("**/pay/**", stand_still)
    return []


def stand_still(route: Route) -> None:
    answer = route.fetch(max_redirects=0)
    headers = {name: value for name, value in answer.headers.items() if name != "refresh"}
    route.fulfill(response=answer, headers=headers)


def answered(attempt: Attempt, status: str, **fields: str) -> None:
    """The channel's answer to the attempt."""
    answer = Answer(
        status=status,
        amount_minor=attempt.amount_minor,
        currency=attempt.currency,
        ref=f"ref-{attempt.pk}",
        **fields,
    )
    attempt_answer_record(attempt_id=attempt.pk, answer=answer, actor=CHANNEL)


def two_ways(merchant: Merchant) -> Merchant:
    """A merchant whose shopper has a choice of delivery."""
    make_method(merchant, name="Express", price_minor=990, position=1)
    return merchant


def test_the_steps_of_the_checkout(seen: Page, found: list[str], live_server: LiveServer) -> None:
    sku = make_stocked_sku(two_ways(make_delivering_merchant()), units=2)
    enter(seen.context, visitor([(sku, 2), (make_stocked_sku(), 1)]), live_server.url)
    seen.goto(f"{live_server.url}/checkout/")
    found += findings(seen)
    person.go_on(seen)
    found += wrong(seen)
    person.answer_contact(seen)
    found += findings(seen)
    person.go_on(seen)
    found += wrong(seen)
    person.choose_delivery(seen, {sku.merchant.name: "Express"})
    found += findings(seen)
    place([(sku, 1)])
    person.place_order(seen)
    found += wrong(seen)

    assert found == [], "\n".join(found)


def wrong(page: Page) -> list[str]:
    """The findings of a page that tells of an error."""
    assert page.title().startswith("Error: "), page.title()
    return findings(page)


def test_the_pay_page(seen: Page, found: list[str], live_server: LiveServer) -> None:
    group = make_group(orders=2)
    address = f"{live_server.url}{link_path(group)}pay/"

    def look(words: str) -> list[str]:
        seen.goto(address)
        assert seen.get_by_text(words).count(), (words, seen.locator("main").inner_text())
        return findings(seen)

    found += look("How do you want to pay?")
    person.follow(seen.get_by_role("button", name="Pay"))
    found += wrong(seen)
    attempt = start_payment(group)
    found += look("We are waiting for your bank")
    answered(attempt, "requires_action", action_url=f"{live_server.url}/help/")
    found += look("Continue to your bank")
    answered(attempt, "failed", failure_code="insufficient_funds")
    found += look("Try another payment method")
    clock.advance(timedelta(minutes=31))
    found += look("We are making sure that nothing was paid")
    order_group_expire(group_id=group.pk, actor=TESTER)
    found += look("Put these items back in my basket")

    assert found == [], "\n".join(found)


def shipped_in_part() -> OrderGroup:
    """Of one merchant's two parcels on its way, of the other's nothing."""
    group = make_paid_group(orders=2)
    ship(group.orders.earliest("id"))
    return group


def delivered() -> OrderGroup:
    group = make_paid_group()
    order_deliver(order_id=ship(group.orders.get()).pk, actor=BUYER)
    return group


def cancelled() -> OrderGroup:
    group = make_group()
    order_group_cancel(group_id=group.pk, actor=BUYER, reason="")
    return group


def refunded() -> OrderGroup:
    """The money of one merchant's order goes back."""
    group = make_paid_group(orders=2)
    order_cancel(order_id=group.orders.earliest("id").pk, actor=BUYER, reason="")
    return group


def packed() -> OrderGroup:
    """Too late to be called off."""
    group = make_paid_group()
    pack(group.orders.get())
    return group


# How an order stands, the page, and what it says then.
ORDERS: tuple[tuple[Callable[[], OrderGroup], str, str], ...] = (
    (make_group, "", "Your order waits for your payment"),
    (lambda: make_paid_group(orders=2), "", "Thank you. Your order is confirmed"),
    (shipped_in_part, "", "One parcel is on its way"),
    (delivered, "", "Everything has been delivered"),
    (cancelled, "", "This order is cancelled"),
    (refunded, "", "Refund of"),
    (lambda: make_paid_group(orders=2), "cancel/", "Cancel your order"),
    (lambda: make_paid_group(orders=2), "cancel/1/", "Cancel the order from"),
    (packed, "cancel/", "This can’t be cancelled now"),
)


def test_the_orders_page_and_the_one_that_calls_it_off(
    seen: Page, found: list[str], live_server: LiveServer
) -> None:
    for make, path, words in ORDERS:
        seen.goto(f"{live_server.url}{link_path(make())}{path}")
        assert seen.get_by_text(words).count(), (words, seen.locator("main").inner_text())
        found += findings(seen)

    assert found == [], "\n".join(found)


def test_the_mailbox_and_an_order_that_is_not_there(
    seen: Page, found: list[str], live_server: LiveServer
) -> None:
    group = make_group()
    deliver_mails()
    seen.goto(f"{live_server.url}/demo/mailbox/")
    found += findings(seen)
    person.follow(seen.get_by_role("link", name=group.number))
    found += findings(seen)
    seen.goto(f"{live_server.url}/o/{group.number}/nothing/")
    found += findings(seen)

    assert found == [], "\n".join(found)
