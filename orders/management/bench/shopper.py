"""Buying by the shop's own pages: article, basket, checkout, order."""

from collections.abc import Mapping

from catalog.models import Sku
from orders.management.bench.browser import Browser, Form

CHECKOUT, REVIEW, ORDER = "/checkout/", "/checkout/review/", "/o/"
MOST_PAGES = 4  # between the basket and the last look
ANSWERS = {
    "name": "Bench",
    "email": "bench@example.com",
    "country": "DE",
    "line1": "Am Markt 1",
    "city": "Bremen",
    "postcode": "28195",
}


def put_into_basket(browser: Browser, sku: Sku) -> None:
    """Opens its page and takes a unit."""
    browser.get(f"/p/{sku.product.slug}/")
    browser.submit(browser.form("sku"), {"sku": str(sku.pk), "quantity": "1"})


def go_to_review(browser: Browser, answers: Mapping[str, str] = ANSWERS) -> Form:
    """Answers what the checkout asks, page by page; the form that places the order."""
    browser.get(CHECKOUT)
    for _page in range(MOST_PAGES):
        form = checkout_form(browser)
        if browser.path == REVIEW:
            return form
        browser.submit(form, answers)
    raise LookupError(f"{browser.path} ({browser.answer.status_code}) leads not to the review")


def checkout_form(browser: Browser) -> Form:
    """The page's own form: that of the step that it shows."""
    for form in browser.forms():
        if form.is_post and browser.target(form).startswith(CHECKOUT):
            return form
    raise LookupError(f"{browser.path} ({browser.answer.status_code}) asks nothing")
