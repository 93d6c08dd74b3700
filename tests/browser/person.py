"""A person at a browser, shopper or merchant, who finds the way by what the pages say.

Nothing here needs JavaScript of the shop's pages; the consoles do.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from playwright.sync_api import Locator, Page, expect

GUEST = "grace@guest.example"
ADDRESS = {
    "Email address": GUEST,
    "Full name": "Grace Hopper",
    "Address line 1": "Am Kai 1",
    "Town or city": "Bremen",
    "Postcode": "28195",
}
# Of a page that looks again by itself, while other processes work.
PATIENCE_MS = 30_000


@dataclass(frozen=True, slots=True)
class Mail:
    """A line of the mailbox."""

    subject: str
    recipient: str


def follow(found: Locator) -> None:
    """Clicks what leads to another page, and comes back when that page is there.

    A click alone returns while the old page may still be shown, or none.
    """
    with found.page.expect_navigation():
        found.click()


def take(page: Page, shop: str, product: str, variant: str, quantity: int = 1) -> None:
    """Finds a product by its name and puts some of it into the basket."""
    page.goto(shop)
    page.get_by_label("Search the shop").fill(product)
    follow(page.get_by_role("button", name="Search"))
    follow(page.get_by_role("link", name=product, exact=True))
    page.get_by_label(variant).check()
    page.get_by_label("Quantity").select_option(str(quantity))
    follow(page.get_by_role("button", name="Add to basket"))


def begin_checkout(page: Page, shop: str) -> None:
    """From anywhere to the first step."""
    page.goto(shop)
    follow(page.get_by_role("link", name="Basket"))
    follow(page.get_by_role("main").get_by_role("link", name="Checkout").first)


def answer_contact(page: Page) -> None:
    """Step 1, as a guest."""
    for label, text in ADDRESS.items():
        page.get_by_label(label, exact=True).fill(text)
    page.get_by_label("Country").select_option(label="Germany")
    go_on(page)


def go_on(page: Page) -> None:
    """To the next step."""
    follow(page.get_by_role("button", name="Continue"))


def choose_delivery(page: Page, ways: Mapping[str, str]) -> None:
    """Step 2: the way of delivery by merchant."""
    for merchant, way in ways.items():
        page.get_by_role("group", name=merchant).get_by_label(way).check()
    go_on(page)


def place_order(page: Page) -> None:
    """Step 3: the order is placed, and is to be paid."""
    follow(page.get_by_role("button", name="Place order"))


def choose_card(page: Page, card: str) -> None:
    """On the pay page."""
    page.get_by_label(card).check()
    follow(page.get_by_role("button", name="Pay"))


def go_to_bank(page: Page) -> None:
    """Once the bank has asked for it, by the page's own link."""
    page.get_by_role("link", name="Continue to your bank").click(timeout=PATIENCE_MS)


def confirm_at_bank(page: Page) -> None:
    """The bank's page, and its 3-D Secure step; it sends its shopper back to the shop."""
    follow(page.get_by_role("button", name="Pay"))
    expect(page.get_by_text("3-D Secure")).to_be_visible()
    follow(page.get_by_role("button", name="Confirm"))


def wait_for(page: Page, headline: str) -> None:
    """On a page that looks again by itself."""
    expect(page.get_by_role("heading", level=1)).to_have_text(headline, timeout=PATIENCE_MS)


def look_until(page: Page, text: str | re.Pattern[str], times: int = 1) -> None:
    """Loads the page anew until it says so, that often."""
    found = page.get_by_text(text)
    for _ in range(PATIENCE_MS // 500):
        if found.count() >= times:
            break
        page.wait_for_timeout(500)
        page.reload()
    expect(found).to_have_count(times)


def number_of(page: Page) -> str:
    """The number of the order whose page this is."""
    found = re.search(r"/o/([^/]+)/", urlsplit(page.url).path)
    assert found, page.url
    return found[1]


def tracking_numbers(page: Page) -> list[str]:
    """Of the parcels on an order's page."""
    return page.get_by_text("Tracking number").locator("code").all_inner_texts()


def mails(page: Page, shop: str, number: str) -> list[Mail]:
    """What the demo's mailbox has about that order, newest first."""
    page.goto(f"{shop}/demo/mailbox/")
    rows = page.get_by_role("row").filter(has_text=number).all()
    cells = [row.get_by_role("cell").all_inner_texts() for row in rows]
    return [Mail(subject=cell[0], recipient=cell[1]) for cell in cells]


def log_in(page: Page, address: str, email: str, password: str) -> None:
    """From a page that asks for it."""
    page.goto(address)
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(password)
    sign_in(page)


def sign_in(page: Page) -> None:
    """With what has been typed; the page that was asked for follows."""
    follow(page.get_by_role("main").get_by_role("button", name="Sign In"))


def open_in_console(page: Page, shop: str, number: str) -> None:
    """A merchant's order, from the list of theirs."""
    page.goto(f"{shop}/merchant/")
    follow(page.get_by_role("link", name="Orders").first)
    follow(page.get_by_role("link", name=number))


def act(page: Page, *titles: str) -> None:
    """What a merchant does to an order: the link, then the button on the page that asks again."""
    for title in titles:
        follow(page.get_by_role("link", name=title, exact=True))
        follow(page.get_by_role("button", name=title, exact=True))
