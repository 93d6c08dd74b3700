"""What a deployment must not have: `manage.py check --deploy [--database default]` refuses it."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.checks import CheckMessage, Error, Tags, register

SHORTEST_KEY = 32


@register(Tags.security, deploy=True)
def check_settings(**_: Any) -> list[CheckMessage]:
    """Nothing that belongs to a demo or a test is switched on."""
    found = {
        "deploy.E001": ("DEMO is on: anybody could move the clock", settings.DEMO),
        "deploy.E002": ("CRASH_AT is set: the process would kill itself", settings.CRASH_AT),
        "deploy.E003": (
            f"ORDER_NUMBER_KEY is shorter than {SHORTEST_KEY} characters: numbers can be guessed",
            len(settings.ORDER_NUMBER_KEY) < SHORTEST_KEY,
        ),
        "deploy.E005": (
            "EMAIL_URL is not set: no mail would leave",
            settings.EMAIL_BACKEND.endswith(".console.EmailBackend"),
        ),
    }
    return [Error(message, id=id_) for id_, (message, is_wrong) in found.items() if is_wrong]


@register(Tags.database, deploy=True)
def check_demo_users(*, databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """No user of the demo, whose password lies in a file, can log in."""
    users = get_user_model().objects.filter(is_demo=True)
    return [
        Error(f"the database {name!r} has demo users", id="deploy.E004")
        for name in databases or ()
        if users.using(name).exists()
    ]
