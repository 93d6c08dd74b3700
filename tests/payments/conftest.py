"""The real payment sandbox, wired to the real receiver of this process."""

import base64
import secrets
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from django.urls import reverse
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from core import relay
from payments.channels import sandbox as sandbox_channel
from tests.sandboxes.conftest import Receiver, Sandbox, eventually


@pytest.fixture
def channel(live_server: LiveServer, tmp_path: Path, settings: Settings) -> Iterator[Sandbox]:
    """A sandbox process of the test's own; its notifications arrive at the live server."""
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    settings.SANDBOX_ENDPOINT_ID = secrets.token_hex(16)
    settings.SANDBOX_PAYMENT_SECRETS = [secret]
    path = reverse("channel_hook", args=["sandbox", settings.SANDBOX_ENDPOINT_ID])
    receiver = cast("Receiver", SimpleNamespace(url=f"{live_server.url}{path}", secret=secret))
    sandbox = Sandbox("payments.sandbox", tmp_path, receiver, "--slow-seconds", "0.3")
    settings.SANDBOX_PAYMENT_URL = sandbox.url
    yield sandbox
    sandbox_channel._client().close()
    sandbox_channel._client.cache_clear()
    sandbox.stop()


class _Stubborn(BaseHTTPRequestHandler):
    """Answers everything with the server's one status."""

    def do_POST(self) -> None:
        self.send_response(self.server.status)  # type: ignore[attr-defined]
        self.end_headers()
        self.wfile.write(b'{"error": "forbidden"}')

    def do_GET(self) -> None:
        self.do_POST()

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""


@pytest.fixture
def stubborn(settings: Settings) -> Iterator[Callable[[int], None]]:
    """Puts a channel in the sandbox's place that answers everything with one status."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Stubborn)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()

    def answer(status: int) -> None:
        server.status = status  # type: ignore[attr-defined]
        settings.SANDBOX_PAYMENT_URL = f"http://127.0.0.1:{server.server_port}"

    yield answer
    server.shutdown()
    server.server_close()


@pytest.fixture
def delivered() -> Callable[[Callable[[], object]], object]:
    """Does what relay and worker do, in this process, until what is asked for has come about."""

    def until(ask: Callable[[], object]) -> object:
        def once() -> object:
            while relay.deliver(relay.deliver_external):
                pass
            return ask()

        return eventually(once)

    return until
