"""A real Chromium, where one is found; without one these tests can't run, and say so."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, ViewportSize

from tests.browser.chromium import NAMES, Look, found, launched
from tests.payments.conftest import channel, delivered  # noqa: F401 fixtures

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    without = pytest.mark.skip(reason=f"none of {', '.join(NAMES)} is installed")
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if not found():
                item.add_marker(without)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with pytest.MonkeyPatch.context() as patch, launched() as browser:
        # Playwright's loop runs in this thread while the browser lives; our code is not async.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        yield browser


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A page that works without JavaScript, as all of ours must."""
    context = chromium.new_context(java_script_enabled=False)
    yield context.new_page()
    context.close()


@pytest.fixture(params=[Look(360, "light"), Look(1280, "dark")], ids=lambda look: look.scheme)
def seen(chromium: Browser, request: Any) -> Iterator[Page]:
    """A page with JavaScript, for the inspector."""
    look: Look = request.param
    size = ViewportSize(width=look.width, height=800)
    context = chromium.new_context(viewport=size, color_scheme=look.scheme)
    yield context.new_page()
    context.close()
