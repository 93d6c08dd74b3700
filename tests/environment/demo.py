"""`manage.py up --demo` as somebody starts it who configured nothing but the state folder."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import httpx

from tests.ports import free_ports

REPOSITORY = Path(__file__).resolve().parents[2]
STOP_SECONDS = 30
CONFIGURED = ("DATABASE_URL", "SECRET_KEY", "ORDER_NUMBER_KEY", "DEMO", "PORT", "SANDBOX_")


def start(state_dir: Path, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
    """`manage.py …` on that state folder."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(CONFIGURED)}
    return subprocess.Popen(
        [sys.executable, str(REPOSITORY / "manage.py"), *arguments],
        env={**clean, "STATE_DIR": str(state_dir), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def postmaster_pid(state_dir: Path) -> int:
    return int((state_dir / "postgres" / "postmaster.pid").read_text().split("\n", 1)[0])


def kill_server(state_dir: Path) -> None:
    """Ends a database server that was left running in the folder."""
    with suppress(FileNotFoundError, ProcessLookupError):
        os.kill(postmaster_pid(state_dir), signal.SIGKILL)


class Demo:
    """A running demo, from the moment that it says it is ready."""

    def __init__(self, process: "subprocess.Popen[str]", state_dir: Path, port: int) -> None:
        self.process, self.state_dir = process, state_dir
        self.url = f"http://127.0.0.1:{port}"
        self.carrier_url = f"http://127.0.0.1:{port + 2}"
        assert process.stdout
        self.lines = []
        for line in process.stdout:
            self.lines.append(line)
            if line.startswith("Ctrl-C"):
                break

    def children(self) -> dict[str, int]:
        """Process number by the name that its command line tells."""
        own = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        words = {
            "gunicorn": "web",
            "worker": "worker",
            "beat": "beat",
            "relay": "relay",
            "payments.sandbox": "payment-sandbox",
            "delivery.sandbox": "carrier-sandbox",
        }
        found: dict[str, int] = {}
        for pid in own.split():
            arguments = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
            found |= {name: int(pid) for word, name in words.items() if word in arguments}
        return found

    def is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5).is_success
        except httpx.HTTPError:
            return False

    def stop(self) -> float:
        """Stops it as Ctrl-C does; returns the seconds that it took."""
        began_at = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        self.lines += self.process.communicate(timeout=STOP_SECONDS)[0].splitlines(keepends=True)
        return time.monotonic() - began_at

    def password(self, email: str) -> str:
        """Of one of the demo's people."""
        kept: dict[str, str] = json.loads((self.state_dir / "logins.json").read_text())
        return kept[email]

    def bring(self, tracking_number: str) -> None:
        """The carrier delivers the parcel with this label, and scans it."""
        book = f"file:{self.state_dir / 'carrier-sandbox.sqlite3'}?mode=ro"
        with closing(sqlite3.connect(book, uri=True)) as parcels:
            [key] = parcels.execute(
                "SELECT key FROM parcel WHERE tracking_number = ?", [tracking_number]
            ).fetchone()
        scan = {"key": key, "code": "delivered"}
        httpx.post(f"{self.carrier_url}/control/scan", json=scan).raise_for_status()

    def manage(self, *arguments: str) -> str:
        """What another command says on the same demo; fails where its exit status is not 0."""
        process = start(self.state_dir, *arguments, DEMO="1")
        said = process.communicate(timeout=60)[0]
        assert process.returncode == 0, said
        return said


@contextmanager
def running_demo(folder: Path) -> Iterator[Demo]:
    """A demo of its own on a fresh state folder, which leaves nothing running."""
    state_dir, port = folder / "var", free_ports(3)
    demo = Demo(start(state_dir, "up", "--demo", f"--port={port}"), state_dir, port)
    try:
        assert demo.is_ready(), "".join(demo.lines)
        yield demo
    finally:
        if demo.process.poll() is None:
            demo.stop()
        kill_server(state_dir)
