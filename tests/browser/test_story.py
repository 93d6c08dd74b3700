"""The whole story on the demo as `make demo` starts it, by people at their browsers alone."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import person
from tests.browser.person import GUEST
from tests.environment.demo import Demo, running_demo

DELIVERY = {"Harbour Tea": "Standard", "Nordlys Knitwear": "Express"}
# Who sells, what of it, and how much.
WANTS = {
    "owner@harbour-tea.example": ("Earl Grey", "100 g", 2),
    "owner@nordlys.example": ("Beanie", "navy", 1),
}


@contextmanager
def browsing(chromium: Browser, *, scripted: bool) -> Iterator[Page]:
    """A page of somebody with a browser of their own."""
    context = chromium.new_context(java_script_enabled=scripted)
    try:
        yield context.new_page()
    finally:
        context.close()


def order_as_guest(page: Page, shop: str) -> None:
    """From two merchants at once, up to the pay page."""
    for product, variant, quantity in WANTS.values():
        person.take(page, shop, product, variant, quantity)
    person.begin_checkout(page, shop)
    person.answer_contact(page)
    person.choose_delivery(page, DELIVERY)
    person.place_order(page)


def pay_with_bank_step(page: Page) -> None:
    person.choose_card(page, "Test card: paid after 3-D Secure")
    person.go_to_bank(page)
    person.confirm_at_bank(page)
    person.wait_for(page, "Thank you. Your order is confirmed")


def ship_part(chromium: Browser, demo: Demo, seller: str, number: str) -> None:
    """The merchant does its part in its console, which needs JavaScript."""
    with browsing(chromium, scripted=True) as page:
        person.log_in(page, f"{demo.url}/merchant/", seller, demo.password(seller))
        person.open_in_console(page, demo.url, number)
        person.act(page, "Acknowledge", "Start packing", "Ship")
        expect(page.get_by_text("The parcel is handed over.")).to_be_visible()


def buy_and_receive(chromium: Browser, demo: Demo, *, scripted: bool) -> None:
    """One order's whole life, and every mail about it."""
    with browsing(chromium, scripted=scripted) as page, page.context.new_page() as mailbox:
        order_as_guest(page, demo.url)
        number = person.number_of(page)
        mailbox.goto(f"{demo.url}/demo/mailbox/")
        person.look_until(mailbox, f"waiting for payment: order {number}")
        pay_with_bank_step(page)
        for seller in WANTS:
            ship_part(chromium, demo, seller, number)
        person.look_until(page, "Tracking number", times=len(WANTS))
        for tracking_number in person.tracking_numbers(page):
            demo.bring(tracking_number)
        person.look_until(page, "Everything has been delivered")
        mailbox.reload()
        person.look_until(mailbox, f"Delivered: order {number}", times=len(WANTS))
        told = person.mails(mailbox, demo.url, number)
    assert Counter((mail.subject.split(":")[0].split(",")[0], mail.recipient) for mail in told) == {
        ("Placed", GUEST): 1,
        ("Confirmed", GUEST): 1,
        ("Shipped", GUEST): 2,
        ("Delivered", GUEST): 2,
        **{("New order", seller): 1 for seller in WANTS},
    }


@pytest.mark.long
def test_a_guest_buys_from_two_merchants_with_javascript_and_without(
    chromium: Browser, tmp_path: Path
) -> None:
    with running_demo(tmp_path) as demo:
        for scripted in (True, False):
            buy_and_receive(chromium, demo, scripted=scripted)
        assert "0 broken" in demo.manage("audit", "--once")
