"""Real servers and real processes in folders of their own; whatever a test leaves is ended."""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from core.management.embedded import EmbeddedServer
from tests.environment.demo import kill_server, start

REPOSITORY = Path(__file__).resolve().parents[2]
# Longer than anything takes on a machine that does other things too.
PATIENCE_SECONDS = 60


def eventually(ask: Callable[[], Any], *, seconds: float = PATIENCE_SECONDS) -> Any:
    """The first true answer; fails when there is none in time."""
    deadline = time.monotonic() + seconds
    while not (answer := ask()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
    return answer


def is_running(pid: int) -> bool:
    """False for a process that has ended, reaped or not."""
    with suppress(FileNotFoundError, ProcessLookupError):
        status = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        return status not in "ZX"
    return False


@pytest.fixture
def state_dir(tmp_path: Path) -> Iterator[Path]:
    """A state folder; a server that a failed test left running in it is stopped."""
    folder = tmp_path / "var"
    yield folder
    kill_server(folder)


def is_stopped(state_dir: Path) -> bool:
    return not EmbeddedServer(state_dir).is_alive()


@pytest.fixture
def manage(state_dir: Path) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Starts `manage.py …` as somebody would who configured nothing but the state folder."""
    started: list[subprocess.Popen[str]] = []

    def begin(*arguments: str, **environment: str) -> "subprocess.Popen[str]":
        started.append(start(state_dir, *arguments, **environment))
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()
