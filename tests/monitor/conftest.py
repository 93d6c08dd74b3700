"""Clean data, as the auditor's tests have it, and clocks that have all just ticked."""

import pytest

from core import schedule
from core.heartbeats import beat
from tests.audit.conftest import ids

__all__ = ["ids"]


@pytest.fixture
def ticking(db: None) -> None:
    """Each clock has its heartbeat."""
    for name in schedule.intervals:
        beat(name=name)
