"""Named points at which a fault test lets the process die as a power cut would."""

import os

from django.conf import settings


def crash_point(name: str) -> None:
    """Ends the process at once where CRASH_AT names this point; production refuses the setting."""
    if name == settings.CRASH_AT:
        os._exit(137)
