"""What every test stands on: the guard of the database, and its environment for other processes."""

import os
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.db import connections
from pytest_django import DjangoDbBlocker

from config.celery import app, broker_options
from core import ids
from tests import reset


def pytest_configure() -> None:
    settings.PASSWORD_HASHERS = ["tests.hashers.CheapArgon2PasswordHasher"]
    # Most tests run in a transaction; the tests of parallel loading turn it on.
    settings.PARALLEL_LOADING = False
    reset.install()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Refuses any database but a test's own, and points the broker at it."""
    for connection in connections.all():
        name = connection.settings_dict["NAME"]
        if not name.startswith("test_"):
            pytest.exit(f"refusing to test on the database {name!r}", returncode=3)
    app.conf.broker_transport_options = broker_options(settings.BROKER_URL, database_url())
    with django_db_blocker.unblock():
        reset.keep_what_migrate_wrote()
    yield
    app.pool.force_close_all()  # what was sent by the database itself came over these connections
    ids.release()  # while the database is still there


@pytest.fixture
def process_environment(django_db_setup: None) -> dict[str, str]:
    """For processes that a test starts: the same settings, on the test's database."""
    return {**os.environ, "DATABASE_URL": database_url()}


def database_url() -> str:
    """The URL of the test database, whose name is known once Django has made it."""
    name = connections["default"].settings_dict["NAME"]
    given: str = settings.DATABASE_URL
    return urlsplit(given)._replace(path=f"/{name}").geturl()
