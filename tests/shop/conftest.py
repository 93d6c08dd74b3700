"""What the tests of the pages share."""

from collections.abc import Iterator

import pytest
from django.core.cache import cache


@pytest.fixture(autouse=True)
def nothing_cached() -> Iterator[None]:
    """The lists that pages keep for a minute would tell of another test's goods."""
    cache.clear()
    yield
    cache.clear()
