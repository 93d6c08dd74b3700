"""Tables of the kernel's own test models."""

import pytest
from pytest_django import DjangoDbBlocker


@pytest.fixture(scope="session")
def doors(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    """The tables of `tests.core.door`."""
    from tests.core.door import make_tables

    with django_db_blocker.unblock():
        make_tables()
