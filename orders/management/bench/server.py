"""A web server for the bench, as the demo runs it, and what it costs."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from django.conf import settings
from django.db import connection

PATIENCE_SECONDS = 60
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
LIKE_THE_DEMO = ("--worker-class=gthread", "--workers=2", "--threads=4")


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: where it listens, and its first process."""

    url: str
    pid: int

    def cpu_seconds(self) -> float:
        """What it and its workers have used so far."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return sum(_cpu_seconds(pid) for pid in (str(self.pid), *children.split()))


def _cpu_seconds(pid: str) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


@contextmanager
def serving(
    application: str,
    *,
    port: int,
    manner: tuple[str, ...] = LIKE_THE_DEMO,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    """The application on the database that this process is connected to, for as long as the block."""
    argv = [sys.executable, "-m", "gunicorn", application, f"--bind=127.0.0.1:{port}"]
    process = subprocess.Popen(  # noqa: S603 our own server
        [*argv, *manner, "--no-control-socket", "--log-level=warning"],
        cwd=settings.BASE_DIR,
        env={**os.environ, "DATABASE_URL": database_url(), **(environment or {})},
    )
    server = Server(f"http://127.0.0.1:{port}", process.pid)
    try:
        _wait(server, process)
        yield server
    finally:
        process.terminate()
        process.wait()


def _wait(server: Server, process: "subprocess.Popen[bytes]") -> None:
    """Until it answers at all."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            httpx.get(f"{server.url}/healthz")
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError("the server does not answer")


def database_url() -> str:
    """The URL of the database that this process is connected to, a test's too."""
    name = connection.settings_dict["NAME"]
    given: str = settings.DATABASE_URL
    return urlsplit(given)._replace(path=f"/{name}").geturl()
