"""kill -9 of each process, and a wiped broker, while orders are on their way: nothing lost or twice."""

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from tests.environment.conftest import REPOSITORY
from tests.faults.blows import Blows, assert_all_is_well, drive_through
from tests.faults.market import write_market
from tests.faults.shop import (
    RunningShop,
    has_unread_messages,
    is_at_rest,
    wipe_queues,
    wipe_unread,
)
from tests.ports import free_ports

MANY_ORDERS = 500
MANY_SECONDS = 900
WORDS = {"web": "config.wsgi", "worker": "worker", "relay": "relay"}


def test_a_worker_killed_twice_loses_nothing_and_does_nothing_twice(shop: RunningShop) -> None:
    kill_twice(shop, "worker")


def test_a_relay_killed_twice_loses_nothing_and_does_nothing_twice(shop: RunningShop) -> None:
    kill_twice(shop, "relay")


def test_a_web_server_killed_twice_loses_nothing_and_does_nothing_twice(shop: RunningShop) -> None:
    kill_twice(shop, "web")


def kill_twice(shop: RunningShop, name: str) -> None:
    def strike() -> bool:
        shop.kill(name)
        return True

    drive_through(shop, strike, name=f"killed-{name}", hits=[name])
    assert shop.deaths(name) == 2


def test_a_broker_wiped_twice_loses_nothing(shop: RunningShop) -> None:
    drive_through(shop, partial(wipe_unread, shop), name="wiped", hits=["worker"])


@pytest.mark.long
@pytest.mark.django_db(transaction=True)
def test_a_replay_survives_all_of_that_at_once(
    tmp_path: Path, process_environment: dict[str, str]
) -> None:
    data = write_market(tmp_path / "data", name="many", orders=MANY_ORDERS, unpaid=10)
    replay = subprocess.Popen(
        [sys.executable, "manage.py", "replay", str(data), "--json"],
        cwd=REPOSITORY,
        env={**process_environment, "STATE_DIR": str(tmp_path), "PORT": str(free_ports(3))},
        stdout=subprocess.PIPE,
        text=True,
    )
    kills = [partial(kill_child, replay.pid, name) for name in WORDS]
    blows = Blows(
        [*kills, lambda: has_unread_messages() and wipe_queues()] * 3,
        orders=MANY_ORDERS,
        seed="many",
    )
    deadline = time.monotonic() + MANY_SECONDS
    try:
        while replay.poll() is None:
            assert time.monotonic() < deadline, "it did not end in time"
            if blows.is_due():
                blows.strike()
            time.sleep(0.1)
    finally:
        replay.terminate()
        output, _ = replay.communicate()
    table = json.loads(output)
    assert (table["differences"], table["parked_streams"]) == ([], [])
    assert table["orders"] == table["driven"] == MANY_ORDERS
    assert blows.are_over
    assert is_at_rest(tmp_path)
    assert_all_is_well(tmp_path)


def kill_child(parent: int, name: str) -> bool:
    """Kills the group of the replay's child of that name, if it runs at the moment."""
    for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
        if WORDS[name] in Path(f"/proc/{pid}/cmdline").read_text().split("\0"):
            os.killpg(int(pid), signal.SIGKILL)
            return True
    return False
