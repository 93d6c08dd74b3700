"""Production's settings pass Django's checks and ours; a demo's do not."""

import os
import subprocess
import sys

import pytest
from django.contrib.auth import get_user_model
from django.core.checks import Error
from pytest_django import Settings

from core.checks import check_demo_users, check_settings
from tests.environment.conftest import REPOSITORY

PRODUCTION = {
    "SECRET_KEY": "".join(chr(33 + number) for number in range(60)),
    "ORDER_NUMBER_KEY": "0123456789abcdef" * 4,
    "DATABASE_URL": "postgresql://shop:secret@db.example/shop?sslmode=verify-full",
    "BROKER_URL": "amqps://shop:secret@broker.example//",
    "CACHE_URL": "rediss://cache.example/0",
    "ALLOWED_HOSTS": "shop.example",
    "EMAIL_URL": "smtp+tls://shop:secret@mail.example:587",
}


def test_production_settings_are_clean() -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level=WARNING"],
        cwd=REPOSITORY,
        env={"PATH": os.environ["PATH"], **PRODUCTION},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "no issues" in done.stdout) == (0, True), done.stderr


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("DEMO", True, "deploy.E001"),
        ("CRASH_AT", "anywhere", "deploy.E002"),
        ("ORDER_NUMBER_KEY", "short", "deploy.E003"),
        ("EMAIL_BACKEND", "django.core.mail.backends.console.EmailBackend", "deploy.E005"),
    ],
)
def test_what_belongs_to_a_demo_or_a_test_is_refused(
    settings: Settings, name: str, value: object, error: str
) -> None:
    settings.DEMO = False
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    assert check_settings() == []
    setattr(settings, name, value)
    assert [found.id for found in check_settings()] == [error]


@pytest.mark.django_db
def test_a_database_with_demo_users_is_refused() -> None:
    assert check_demo_users(databases=["default"]) == []
    get_user_model().objects.create(email="demo@example.com", is_demo=True)
    found = check_demo_users(databases=["default"])
    assert found == [Error("the database 'default' has demo users", id="deploy.E004")]


def test_the_database_is_asked_for_demo_users_only_where_it_is_named() -> None:
    assert check_demo_users(databases=None) == []
