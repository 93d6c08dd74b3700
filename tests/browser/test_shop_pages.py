"""The shop's pages in a real browser: for everybody's eyes and hands, on narrow and wide screens."""

from collections.abc import Iterator

import pytest
from django.core.cache import cache
from playwright.sync_api import Browser, Page
from pytest_django.live_server_helper import LiveServer

from accounts.models import User
from accounts.services import customer_for_user
from catalog.models import Category
from catalog.services import category_create, sku_reprice
from inventory.services import stock_receive
from tests.browser.inspector import complaints, findings, small_targets
from tests.browser.person import follow
from tests.factories import TESTER, make_product, make_user, new_sku, prove_address
from tests.factories.story import make_delivering_merchant, make_stocked_sku, place

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "correct horse battery"
PATHS = (
    "/",
    "/search/?q=mug",
    "/search/?q=unicorn&highest=x",
    "/c/kitchen/",
    "/m/harbour/",
    "/p/mug/",
    "/p/sold-out/",
    "/basket/",
    "/help/",
    "/nothing/",
    "/account/login/",
    "/account/signup/",
    "/account/password/reset/",
)
OWN_PATHS = (
    "/account/",
    "/account/addresses/",
    "/account/addresses/new/",
    "/account/email/",
    "/account/password/change/",
    "/account/logout/",
)


@pytest.fixture
def shop(live_server: LiveServer) -> Iterator[str]:
    """The address of a shop with goods."""
    cache.clear()
    home = category_create(name="Home", slug="home", actor=TESTER)
    category_create(name="Kitchen", slug="kitchen", parent_id=home.pk, actor=TESTER)
    kitchen = Category.objects.get(slug="kitchen")
    merchant = make_delivering_merchant(name="Harbour Pottery", slug="harbour")
    skus = [new_sku(title="Small"), new_sku(title="Large", price_minor=1500)]
    mug = make_product(
        merchant,
        title="Mug",
        slug="mug",
        skus=skus,
        category_id=kitchen.pk,
        description="Made of clay.\n\nHolds tea.",
    )
    for sku in mug.skus.all():
        stock_receive(sku_id=sku.pk, quantity=4, dedup_key=sku.code, actor=TESTER)
    make_product(merchant, title="Sold out", slug="sold-out", category_id=kitchen.pk)
    yield live_server.url
    cache.clear()


def fill_basket(page: Page, shop: str) -> None:
    page.goto(f"{shop}/p/mug/")
    page.get_by_label("Large").check()
    page.get_by_label("Quantity").select_option("2")
    follow(page.get_by_role("button", name="Add to basket"))


def log_in(page: Page, shop: str) -> User:
    user = make_user(password=PASSWORD)
    prove_address(user)
    page.goto(f"{shop}/account/login/")
    page.get_by_label("Email").fill(user.email)
    page.get_by_label("Password").fill(PASSWORD)
    follow(page.locator("main").get_by_role("button", name="Sign In"))
    return user


def test_the_inspector_finds_nothing_on_any_page(seen: Page, shop: str) -> None:
    found: list[str] = []
    fill_basket(seen, shop)
    for path in PATHS:
        seen.goto(shop + path)
        found += findings(seen)

    assert found == [], "\n".join(found)


def test_nor_on_the_pages_of_an_account(seen: Page, shop: str) -> None:
    found: list[str] = []
    user = log_in(seen, shop)
    found += complaints(seen)
    place([(make_stocked_sku(), 1)], customer_for_user(user=user))
    seen.goto(f"{shop}/account/addresses/new/")
    follow(seen.get_by_role("button", name="Keep this address"))
    found += complaints(seen)
    fill_address(seen)
    for path in OWN_PATHS:
        seen.goto(shop + path)
        found += findings(seen)

    assert found == [], "\n".join(found)


def fill_address(page: Page) -> None:
    for label, text in (
        ("Full name", "Ada"),
        ("Address line 1", "Quay 1"),
        ("Town or city", "Bremen"),
        ("Postcode", "28195"),
    ):
        page.get_by_label(label).fill(text)
    page.get_by_label("Country").select_option("DE")
    follow(page.get_by_role("button", name="Keep this address"))


def test_nor_where_something_is_wrong(seen: Page, shop: str) -> None:
    found: list[str] = []
    fill_basket(seen, shop)
    sku = make_product(slug="x").skus.get()
    sku_reprice(sku_id=sku.pk, price_minor=5, actor=TESTER)
    seen.goto(f"{shop}/p/mug/")
    # As a browser that was tampered with would send it.
    seen.evaluate("document.querySelector('#quantity').innerHTML = '<option>0</option>'")
    follow(seen.get_by_role("button", name="Add to basket"))
    assert seen.title().startswith("Error: ")
    found += complaints(seen)
    seen.goto(f"{shop}/account/login/")
    follow(seen.locator("main").get_by_role("button", name="Sign In"))
    assert seen.title().startswith("Error: ")
    found += complaints(seen)
    seen.goto(f"{shop}/basket/")
    follow(seen.get_by_role("button", name="Remove"))
    found += complaints(seen)

    assert found == [], "\n".join(found)


def test_the_inspector_would_find_a_fault(seen: Page, shop: str) -> None:
    seen.goto(f"{shop}/p/mug/")
    seen.evaluate("document.querySelector('label[for=quantity]').remove()")
    seen.evaluate("document.querySelector('.button').style.cssText = 'min-height:0;height:9px'")

    assert any("select-name" in complaint for complaint in complaints(seen))
    assert small_targets(seen)


def test_no_page_is_wider_than_a_narrow_screen(chromium: Browser, shop: str) -> None:
    context = chromium.new_context(viewport={"width": 320, "height": 600})
    page = context.new_page()
    fill_basket(page, shop)
    too_wide = []
    for path in PATHS:
        page.goto(shop + path)
        if page.evaluate("document.documentElement.scrollWidth") > 320:
            too_wide.append(path)
    context.close()

    assert too_wide == []


def test_the_keyboard_reaches_the_content_first_and_always_shows_where_it_is(
    seen: Page, shop: str
) -> None:
    seen.goto(f"{shop}/p/mug/")
    seen.keyboard.press("Tab")
    assert seen.evaluate("document.activeElement.textContent") == "Skip to main content"
    assert seen.locator(".skip-link").bounding_box() is not None
    reached = []
    for _ in range(30):
        seen.keyboard.press("Tab")
        focus = seen.evaluate(
            "() => { const e = document.activeElement, s = getComputedStyle(e);"
            " return [e.outerHTML.slice(0, 60), s.outlineStyle, e.getBoundingClientRect().top] }"
        )
        if focus[0].startswith("<body"):
            break
        reached.append(focus)

    assert any("Add to basket" in html for html, _outline, _top in reached)
    assert {outline for _html, outline, _top in reached} == {"solid"}
    assert all(0 <= top < 800 for _html, _outline, top in reached)


def test_a_shopper_without_javascript_finds_buys_and_changes_their_mind(
    page: Page, shop: str
) -> None:
    page.goto(shop)
    page.get_by_label("Search the shop").fill("holds te")
    follow(page.get_by_role("button", name="Search"))
    follow(page.get_by_role("link", name="Mug"))
    page.get_by_label("Large").check()
    page.get_by_label("Quantity").select_option("2")
    follow(page.get_by_role("button", name="Add to basket"))
    assert "35.00 EUR" in page.locator("aside").inner_text()

    page.get_by_label("Quantity of Mug").select_option("3")
    follow(page.get_by_role("button", name="Update"))
    assert "50.00 EUR" in page.locator("aside").inner_text()
    follow(page.get_by_role("button", name="Remove"))
    assert page.get_by_role("heading", name="There is nothing in it yet").is_visible()
    follow(page.get_by_role("button", name="Put it back"))
    assert "50.00 EUR" in page.locator("aside").inner_text()

    log_in(page, shop)
    follow(page.get_by_role("link", name="Basket"))
    assert "50.00 EUR" in page.locator("aside").inner_text()


def test_a_page_asks_for_nothing_but_itself_and_its_stylesheet(seen: Page, shop: str) -> None:
    asked: list[str] = []
    seen.on("request", lambda request: asked.append(request.url))
    broken: list[str] = []
    seen.on("console", lambda message: broken.append(message.text))

    seen.goto(shop)

    assert [url for url in asked if not url.startswith(shop)] == []
    assert len(asked) <= 4
    assert broken == []
