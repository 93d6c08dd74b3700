"""Named points at which a fault test lets the process die as a power cut would."""

import os

from django.conf import settings


def crash_point(name: str) -> None:
    """Ends the process at once where CRASH_AT names this point; production refuses the setting.

    Every service has two of its own: `before_commit:order_ship` and `after_commit:order_ship`.
    """
    if name == settings.CRASH_AT:
        os._exit(137)
