"""The shop's settings for processes that a test kills: what they held is taken over soon."""

from django.apps import AppConfig

from config import settings
from config.settings import *  # noqa: F403

SHORT_LEASE_SECONDS = 3


class ShortLeases(AppConfig):
    """What a dead process had claimed waits for seconds here, not for half a minute."""

    name = "tests.faults"

    def ready(self) -> None:
        from core import relay

        relay.LEASE_SECONDS = SHORT_LEASE_SECONDS


INSTALLED_APPS = [*settings.INSTALLED_APPS, f"{__name__}.ShortLeases"]
