"""How often each clock of the system shall tick. The list itself stands in `config/celery.py`.

Imported before there are any models.
"""

from collections.abc import Mapping
from typing import Any

intervals: dict[str, float] = {}  # the clock's name → seconds


def expect(schedule: Mapping[str, Mapping[str, Any]]) -> None:
    """Makes the entries of Celery's beat schedule known to the monitor."""
    intervals.update({name: float(entry["schedule"]) for name, entry in schedule.items()})
