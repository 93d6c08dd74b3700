"""The real sandbox processes, and a shop's end of the line that verifies every signature."""

import base64
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from tests.ports import free_ports

REPOSITORY = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 30


def eventually(ask: Callable[[], Any]) -> Any:
    """The first true answer; fails when there is none in time."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (answer := ask()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)
    return answer


class Receiver(ThreadingHTTPServer):
    """Takes notifications whose signature is right, after it has refused `refusals` of them."""

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Hook)
        self.secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
        self.refusals = 0
        self.refused_keys: set[str] = set()
        self.forged = 0
        self.refused: list[dict[str, Any]] = []
        self.taken: list[dict[str, Any]] = []
        self._lock = threading.Lock()
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hooks/sandbox/1"

    def take(self, body: bytes, headers: dict[str, str]) -> int:
        try:
            notification = Webhook(self.secret).verify(body, headers)
        except WebhookVerificationError:
            self.forged += 1
            return 400
        assert notification["id"] == headers["webhook-id"]
        with self._lock:
            if self.refusals or notification["key"] in self.refused_keys:
                self.refusals = max(0, self.refusals - 1)
                self.refused.append(notification)
                return 503
            self.taken.append(notification)
        return 200

    def of(self, key: str) -> list[dict[str, Any]]:
        return [notification for notification in self.taken if notification["key"] == key]

    def kinds(self, key: str) -> list[str]:
        return [notification["kind"] for notification in self.of(key)]

    def wait(self, key: str, count: int = 1) -> list[dict[str, Any]]:
        """The key's notifications, once there are that many; never more than that."""
        eventually(lambda: len(self.of(key)) >= count)
        assert len(self.of(key)) == count
        return self.of(key)

    def stop(self) -> None:
        self.shutdown()
        self.server_close()


class _Hook(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.send_response(self.server.take(body, headers))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Silent."""


class Sandbox:
    """One of the two, as a process that can be killed and started again on the same book."""

    def __init__(self, module: str, folder: Path, receiver: Receiver, *options: str) -> None:
        self.book = folder / "book.sqlite3"
        self.url = f"http://127.0.0.1:{(port := free_ports())}"
        self._command = [
            *(sys.executable, "-m", module, "--port", str(port), "--book", str(self.book)),
            *("--secret", receiver.secret, "--notify-url", receiver.url, *options),
        ]
        self.log = folder / "log"
        self.http = httpx.Client(base_url=self.url, trust_env=False, timeout=PATIENCE_SECONDS)
        self.start()

    def spawn(self) -> subprocess.Popen[bytes]:
        with self.log.open("a") as log:
            return subprocess.Popen(self._command, cwd=REPOSITORY, stderr=log)

    def start(self) -> None:
        self.process = self.spawn()
        eventually(self.answers)

    def answers(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            return bool(self.http.get("/healthz").json() == {"status": "ok"})
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        self.http.close()
        self.process.terminate()
        assert self.process.wait(PATIENCE_SECONDS) in {0, -9}, self.log.read_text()

    def get(self, path: str) -> Any:
        return self.http.get(path).raise_for_status().json()

    def post(self, path: str, **members: Any) -> Any:
        return self.http.post(path, json=members).raise_for_status().json()

    def refused(self, path: str, **members: Any) -> tuple[int, dict[str, Any]]:
        answer = self.http.post(path, json=members)
        assert not answer.is_success
        return answer.status_code, answer.json()


def new_payment(token: str = "", **members: Any) -> dict[str, Any]:
    """What a shop sends to open a payment, under a key of its own."""
    return {
        "key": uuid4().hex,
        "amount_minor": 9500,
        "currency": "EUR",
        "expires_at": (datetime.now(UTC) + timedelta(minutes=30)).isoformat(),
        "return_url": "http://shop.example/orders/1",
        "token": token,
        **members,
    }


@pytest.fixture(scope="session")
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.stop()


@pytest.fixture(scope="session")
def payments(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> Iterator[Sandbox]:
    folder = tmp_path_factory.mktemp("payments")
    sandbox = Sandbox("payments.sandbox", folder, receiver, "--slow-seconds", "0.5")
    yield sandbox
    sandbox.stop()


@pytest.fixture(scope="session")
def carrier(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> Iterator[Sandbox]:
    sandbox = Sandbox("delivery.sandbox", tmp_path_factory.mktemp("carrier"), receiver)
    yield sandbox
    sandbox.stop()


@pytest.fixture
def own_receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.stop()


@pytest.fixture
def own_payments(tmp_path: Path, own_receiver: Receiver) -> Iterator[Sandbox]:
    """For tests that kill it, or that look at everything it ever told."""
    sandbox = Sandbox("payments.sandbox", tmp_path, own_receiver)
    yield sandbox
    sandbox.stop()
