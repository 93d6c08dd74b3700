"""The clean data, walked once for a module and committed; faults are planted and rolled back."""

from collections.abc import Iterator

import pytest
from pytest_django import DjangoDbBlocker

from tests import reset
from tests.audit.walks import walk


@pytest.fixture(scope="module")
def ids(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[dict[str, int]]:
    """What was walked, by name."""
    with django_db_blocker.unblock():
        try:
            yield walk()
        finally:
            reset.empty()
