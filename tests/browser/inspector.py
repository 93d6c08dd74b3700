"""What an inspector finds on a page: faults that tools see, targets too small, too much width."""

from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.test import Client
from playwright.sync_api import BrowserContext, Page

SMALLEST_TARGET = 24
# Of every link and control that stands for itself: its name and size. Links in a sentence are
# exempt, and so is what a bigger target covers.
TARGETS = """
() => [...document.querySelectorAll('a, button, input:not([type=hidden]), select, textarea, summary')]
  .filter(e => e.checkVisibility() && !e.closest('p, .visually-hidden') && !e.matches('.visually-hidden'))
  .map(e => {
    const after = getComputedStyle(e, '::after');
    const covered = after.position === 'absolute';
    const box = (covered ? e.closest('li') : e.closest('label') || e).getBoundingClientRect();
    return {name: e.outerHTML.slice(0, 80), width: box.width, height: box.height};
  })
"""


def findings(page: Page) -> list[str]:
    """All that is wrong with the page as it is shown now."""
    wide = page.evaluate("document.documentElement.scrollWidth > innerWidth")
    too_wide = [f"{page.url} is wider than its screen"] if wide else []
    return complaints(page) + small_targets(page) + too_wide


def complaints(page: Page) -> list[str]:
    """What axe finds."""
    return [
        f"{page.url} {found['id']}: {node['html']}"
        for found in Axe().run(page).response["violations"]
        for node in found["nodes"]
    ]


def small_targets(page: Page) -> list[str]:
    return [
        f"{page.url} {target['name']} {target['width']:.0f}×{target['height']:.0f}"
        for target in page.evaluate(TARGETS)
        if min(target["width"], target["height"]) < SMALLEST_TARGET
    ]


def enter(context: BrowserContext, client: Client, url: str) -> None:
    """The browser goes on with the client's session at that address."""
    cookie = client.cookies[settings.SESSION_COOKIE_NAME]
    context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": url}])
