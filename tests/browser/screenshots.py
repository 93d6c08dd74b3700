"""`make screenshots`: every page at two widths, light and dark, and the README's three pictures.

They are taken of a demo of their own, along a guest's purchase.
"""

import re
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, ViewportSize

from tests.browser import person
from tests.browser.chromium import Look, launched
from tests.environment.demo import REPOSITORY, Demo, running_demo

EVERY = REPOSITORY / "var" / "screenshots"
PICTURES = REPOSITORY / "docs" / "pictures"
LOOKS = (Look(360, "light"), Look(360, "dark"), Look(1280, "light"), Look(1280, "dark"))
HEIGHTS = {360: 740, 1280: 900}
STAFF = "staff@quayside.example"
SELLERS = ("owner@harbour-tea.example", "owner@nordlys.example")
SHOPPER = "ada@shopper.example"
CONSOLES = re.compile(r"[^/]+//[^/]+/(merchant|platform)/")
# A browser without a screen says so, and the figures count no robots.
PERSON = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/143.0.0.0 Safari/537.36"
TRACKING_NUMBER = re.compile(r"^SB\d+$")
QUALITY = 82
# Lazy pictures are fetched when they come near; then each must have come.
SCROLL = """
async () => {
  for (let y = 0; y < document.body.scrollHeight; y += 400) {
    window.scrollTo(0, y);
    await new Promise(done => setTimeout(done, 30));
  }
  window.scrollTo(0, 0);
  await Promise.all([...document.images].map(image => image.decode().catch(() => null)));
}
"""


@contextmanager
def browsing(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(user_agent=PERSON)
    yield context.new_page()
    context.close()


def shoot(page: Page, name: str, path: str = "") -> None:
    """The page as it is, or the one at that address, in every look."""
    if path:
        page.goto(path)
    page.wait_for_load_state("load")
    page.evaluate(SCROLL)
    page.wait_for_load_state("networkidle")
    for look in LOOKS:
        dress(page, look)
        if CONSOLES.match(page.url):
            page.reload()  # they ask once whether it is dark
        page.evaluate(SCROLL)
        page.screenshot(path=EVERY / f"{name}-{look.width}-{look.scheme}.png", full_page=True)


def dress(page: Page, look: Look) -> None:
    page.set_viewport_size(ViewportSize(width=look.width, height=HEIGHTS[look.width]))
    page.emulate_media(color_scheme=look.scheme)


def picture(page: Page, name: str) -> None:
    """The README's: what a wide, light screen shows of the page."""
    dress(page, Look(1280, "light"))
    page.evaluate(SCROLL)
    with Image.open(BytesIO(page.screenshot())) as shot:
        shot.save(PICTURES / f"{name}.webp", quality=QUALITY, method=6)


def goods(page: Page, shop: str) -> None:
    """Before there is anything in the basket."""
    shoot(page, "home", shop)
    picture(page, "shop")
    shoot(page, "category", f"{shop}/c/pottery/")
    shoot(page, "search", f"{shop}/search/?q=tea")
    shoot(page, "search-nothing", f"{shop}/search/?q=unicorn")
    shoot(page, "product", f"{shop}/p/earl-grey/")
    shoot(page, "merchant", f"{shop}/m/nordlys-knitwear/")
    shoot(page, "basket-empty", f"{shop}/basket/")
    shoot(page, "not-found", f"{shop}/nothing/")
    shoot(page, "help", f"{shop}/help/")


def purchase(page: Page, shop: str) -> None:
    """A guest's, up to the confirmed order."""
    person.take(page, shop, "Earl Grey", "100 g", 2)
    person.take(page, shop, "Beanie", "navy")
    shoot(page, "basket", f"{shop}/basket/")
    person.begin_checkout(page, shop)
    shoot(page, "checkout-1")
    person.go_on(page)
    shoot(page, "checkout-1-errors")
    person.answer_contact(page)
    shoot(page, "checkout-2")
    person.choose_delivery(page, {"Harbour Tea": "Standard", "Nordlys Knitwear": "Express"})
    shoot(page, "checkout-3")
    person.place_order(page)
    shoot(page, "pay")
    order = page.url.removesuffix("pay/")
    shoot(page, "order-unpaid", order)
    page.goto(f"{order}pay/")
    person.choose_card(page, "Test card: paid after 3-D Secure")
    page.get_by_role("link", name="Continue to your bank").wait_for()
    shoot(page, "pay-bank")
    page.goto(f"{order}pay/")
    person.go_to_bank(page)
    shoot(page, "bank")
    person.confirm_at_bank(page)
    person.wait_for(page, "Thank you. Your order is confirmed")
    shoot(page, "order-paid")
    shoot(page, "order-cancel", f"{order}cancel/")
    page.goto(order)


def sell(page: Page, demo: Demo, seller: str, number: str, *, shown: bool) -> None:
    """The merchant ships its part of the order."""
    person.log_in(page, f"{demo.url}/merchant/", seller, demo.password(seller))
    if shown:
        shoot(page, "merchant-overview")
        shoot(page, "merchant-orders", f"{demo.url}/merchant/orders/order/")
        shoot(page, "merchant-stock", f"{demo.url}/merchant/inventory/stockitem/")
    dress(page, Look(1280, "light"))
    person.open_in_console(page, demo.url, number)
    person.act(page, "Acknowledge", "Start packing")
    order = page.url
    if shown:
        shoot(page, "merchant-order")
        dress(page, Look(1280, "light"))
        person.follow(page.get_by_role("link", name="Ship", exact=True))
        shoot(page, "merchant-ship")
        page.goto(order)
        dress(page, Look(1280, "light"))
    person.act(page, "Ship")
    page.get_by_text("The parcel is handed over.").wait_for()
    if shown:
        page.goto(order)
        person.look_until(page, TRACKING_NUMBER)
        picture(page, "console")


def receive(page: Page, demo: Demo) -> None:
    """One parcel is there, the other on its way; then both are."""
    person.look_until(page, "Tracking number", times=2)
    first, second = person.tracking_numbers(page)
    demo.bring(first)
    person.look_until(page, "One parcel is on its way")
    shoot(page, "order-shipped")
    picture(page, "order")
    demo.bring(second)
    person.look_until(page, "Everything has been delivered")
    shoot(page, "order-delivered")
    shoot(page, "mailbox", f"{demo.url}/demo/mailbox/")
    person.follow(page.get_by_role("link", name="Confirmed").first)
    shoot(page, "mail")


def account(page: Page, demo: Demo) -> None:
    shoot(page, "login", f"{demo.url}/account/login/")
    person.log_in(page, f"{demo.url}/account/login/", SHOPPER, demo.password(SHOPPER))
    shoot(page, "account", f"{demo.url}/account/")
    shoot(page, "addresses", f"{demo.url}/account/addresses/")


def platform(page: Page, demo: Demo, number: str) -> None:
    person.log_in(page, f"{demo.url}/platform/", STAFF, demo.password(STAFF))
    shoot(page, "code")
    page.get_by_label("code").fill(demo.manage("totp", STAFF).strip())
    person.sign_in(page)
    shoot(page, "platform-overview", f"{demo.url}/platform/")
    shoot(page, "platform-groups", f"{demo.url}/platform/orders/ordergroup/")
    dress(page, Look(1280, "light"))
    person.follow(page.get_by_role("link", name=number))
    shoot(page, "platform-group")
    shoot(page, "platform-orders", f"{demo.url}/platform/orders/order/")
    dress(page, Look(1280, "light"))
    person.follow(page.get_by_role("link", name=f"{number}-1"))
    shoot(page, "platform-order")
    page.goto(f"{demo.url}/platform/")
    dress(page, Look(1280, "light"))
    person.follow(page.get_by_role("link", name="Funnel").first)
    shoot(page, "platform-funnel")


def main() -> None:
    began_at = time.monotonic()
    for pictures in (EVERY, PICTURES):
        pictures.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        running_demo(Path(folder)) as demo,
        launched() as browser,
    ):
        with browsing(browser) as page:
            goods(page, demo.url)
            purchase(page, demo.url)
            number = person.number_of(page)
            for seller in SELLERS:
                with browsing(browser) as desk:
                    sell(desk, demo, seller, number, shown=seller == SELLERS[0])
            receive(page, demo)
        with browsing(browser) as page:
            account(page, demo)
        with browsing(browser) as page:
            platform(page, demo, number)
            shoot(page, "api-docs", f"{demo.url}/api/v1/docs")
    sys.stdout.write(f"{time.monotonic() - began_at:.0f} s: {EVERY}, {PICTURES}\n")


if __name__ == "__main__":
    main()
