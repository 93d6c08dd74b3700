"""The whole shop on one machine: it gets ready, survives the death of its parts, stops in order."""

import os
import pty
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from django.core.management import CommandError

from core.management.commands import up as up_command
from tests.environment.conftest import (
    PATIENCE_SECONDS,
    eventually,
    is_running,
    is_stopped,
)
from tests.environment.demo import Demo
from tests.ports import free_ports

CHILDREN = {"web", "worker", "beat", "relay", "payment-sandbox", "carrier-sandbox"}


@pytest.fixture
def up(manage: Callable[..., "subprocess.Popen[str]"], state_dir: Path) -> Callable[[], Demo]:
    port = free_ports(3)

    def start() -> Demo:
        return Demo(manage("up", "--demo", f"--port={port}"), state_dir, port)

    return start


def test_it_gets_ready_stays_alone_and_stops_without_a_trace(
    up: Callable[[], Demo], state_dir: Path, manage: Callable[..., "subprocess.Popen[str]"]
) -> None:
    shop = up()
    assert shop.is_ready(), "".join(shop.lines)
    assert httpx.get(f"{shop.url}/healthz").json() == {"status": "ok"}
    assert httpx.get(shop.url).is_success
    children = shop.children()
    assert set(children) == CHILDREN

    second, _ = manage("up", "--demo").communicate(timeout=PATIENCE_SECONDS)
    assert "it runs already" in second
    kept = [path for path in state_dir.iterdir() if path.suffix in {".env", ".json"}]
    assert {path.name for path in kept} == {"demo.env", "logins.json", "totp.json"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in kept} == {0o600}

    assert shop.stop() < 15
    assert (shop.process.returncode, shop.lines[-1]) == (0, "Stopped.\n")
    assert not any(is_running(pid) for pid in children.values())
    assert is_stopped(state_dir)


@pytest.mark.long
def test_killed_children_come_back(up: Callable[[], Demo]) -> None:
    shop = up()
    before = shop.children()
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: set(shop.children()) == CHILDREN)
    assert not set(before.values()) & set(shop.children().values())
    eventually(shop.is_ready)


@pytest.mark.long
def test_a_killed_supervisor_does_not_stand_in_the_way_of_the_next_start(
    up: Callable[[], Demo],
) -> None:
    killed = up()
    orphans = killed.children().values()
    killed.process.kill()
    killed.process.communicate()
    began_at = time.monotonic()
    assert up().is_ready()
    assert time.monotonic() - began_at < 20
    eventually(lambda: not any(is_running(pid) for pid in orphans))


def test_a_port_in_use_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(up_command, "PORT_SECONDS", 0.1)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(CommandError, match=f"port {port} is taken"):
            up_command.wait_for_ports([port])


def test_a_closed_terminal_is_a_request_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    keyboard, terminal = pty.openpty()
    monkeypatch.setattr(up_command, "STANDARD_INPUT", terminal)
    requests = up_command.StopRequests()
    assert not requests.made()
    os.close(keyboard)
    assert requests.made()
    os.close(terminal)
