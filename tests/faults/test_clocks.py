"""What must go on by the clock goes on without beat, broker and workers."""

from datetime import timedelta
from pathlib import Path

import pytest

from core import clock
from tests.factories.story import fresh_row, make_group
from tests.faults.shop import own_place, running


@pytest.mark.django_db(transaction=True)
def test_a_relay_alone_expires_what_is_due(tmp_path: Path) -> None:
    group = make_group()
    clock.advance(timedelta(minutes=30))
    with own_place(tmp_path), running(tmp_path, "relay") as shop:
        shop.until(lambda: fresh_row(group).status == "expired")
