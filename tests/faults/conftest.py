"""A shop of the test's own, all of its processes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.shop import ALL, RunningShop, own_place, running


@pytest.fixture
def shop(transactional_db: None, tmp_path: Path) -> Iterator[RunningShop]:
    """Started, perhaps not ready yet: orders can be placed meanwhile."""
    with own_place(tmp_path), running(tmp_path, *ALL) as shop:
        yield shop
