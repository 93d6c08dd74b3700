"""Each channel with its provider as a real process, and what the behaviour suite asks of both.

A provider is reached through a proxy that can spoil an answer after the provider has acted, and
tells an inbox that keeps what it told, for the test to hand on as it likes.
"""

import hashlib
import hmac
import json
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import httpx
from django.test import override_settings
from standardwebhooks import Webhook

from core.management.environment import webhook_secret
from payments.channels import base, sandbox
from payments.channels import stripe as stripe_channel
from payments.channels.base import Answer, Channel
from payments.channels.stripe import calls
from tests.ports import free_ports
from tests.sandboxes.conftest import REPOSITORY, eventually

Told = tuple[bytes, dict[str, str]]
PATIENCE_SECONDS = 30


class Inbox(ThreadingHTTPServer):
    """Takes every notification and keeps it as it came."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Taking)
        self.told: list[Told] = []
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook"

    def stop(self) -> None:
        self.shutdown()
        self.server_close()


class Proxy(ThreadingHTTPServer):
    """Stands before a provider; the next answer to a POST can be spoiled, never the act."""

    def __init__(self, target: str) -> None:
        super().__init__(("127.0.0.1", 0), _Passing)
        self.target = target
        self.spoil = ""
        self.client = httpx.Client(trust_env=False, timeout=PATIENCE_SECONDS)
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @contextmanager
    def spoiling(self, how: str) -> Iterator[None]:
        """`500`: answered so; `silence`: the connection breaks without an answer."""
        self.spoil = how
        yield
        assert self.spoil == "", "nothing was spoiled"

    def stop(self) -> None:
        self.shutdown()
        self.server_close()
        self.client.close()


class _Handler(ABC, BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self.respond(b"")

    def do_POST(self) -> None:
        self.respond(self.rfile.read(int(self.headers.get("Content-Length", "0"))))

    @abstractmethod
    def respond(self, body: bytes) -> None: ...

    def answer(self, status: int, body: bytes = b"", kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""


class _Taking(_Handler):
    server: Inbox

    def respond(self, body: bytes) -> None:
        self.server.told.append((body, dict(self.headers.items())))
        self.answer(200)


class _Passing(_Handler):
    server: Proxy
    passed: ClassVar = ("authorization", "idempotency-key", "content-type", "stripe-version")

    def respond(self, body: bytes) -> None:
        headers = {n: v for n, v in self.headers.items() if n.lower() in self.passed}
        said = self.server.client.request(
            self.command, f"{self.server.target}{self.path}", content=body, headers=headers
        )
        spoil = self.server.spoil if self.command == "POST" else ""
        if not spoil:
            self.answer(said.status_code, said.content, said.headers["content-type"])
            return
        self.server.spoil = ""
        if spoil == "500":
            self.answer(500, b'{"error": {"type": "api_error", "message": "spoiled"}}')
        else:
            self.close_connection = True


class Rig(ABC):
    """One channel, ready to be tried."""

    name: str
    endpoint_id = "5c" * 16
    # What the suite means → the channel's token; `page` sends the shopper to a hosted page.
    tokens: ClassVar[dict[str, str]]
    # What a shopper does on the hosted page → its button.
    buttons: ClassVar[dict[str, str]]

    def __init__(self, folder: Path, *command: str, notify_url: str = "") -> None:
        self.secret = webhook_secret()
        self.inbox = Inbox()
        self.provider_url = f"http://127.0.0.1:{(port := free_ports())}"
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", *command, "--port", str(port)),
                *("--book", str(folder / f"{self.name}.sqlite3")),
                *("--secret", self.secret, "--notify-url", notify_url or self.inbox.url),
            ],
            cwd=REPOSITORY,
        )
        self.http = httpx.Client(trust_env=False, timeout=PATIENCE_SECONDS)
        eventually(self._answers)
        self.proxy = Proxy(self.provider_url)

    def _answers(self) -> bool:
        assert self.process.poll() is None
        try:
            return self.http.get(f"{self.provider_url}/healthz").is_success
        except httpx.TransportError:
            return False

    @abstractmethod
    def installed(self) -> AbstractContextManager[None]:
        """The channel, registered and configured for its provider."""

    @property
    def channel(self) -> Channel:
        return base.channel_named(self.name)

    def press(self, url: str, what: str) -> str:
        """Presses a button of a hosted page; answers where the shopper is sent on."""
        answer = self.http.post(url.partition("#")[0], data={"button": self.buttons[what]})
        return answer.headers.get("location", "")

    def pay(self, answer: Answer) -> None:
        self.press(answer.action_url, "pay")

    @abstractmethod
    def pay_after_challenge(self, answer: Answer) -> None: ...

    @abstractmethod
    def refund_comes_back(self, refund: Answer) -> None:
        """What the provider does where a refund fails that it has taken up; nothing where at once."""

    def notices_of(self, kind: str, key: str, count: int = 1) -> list[Told]:
        """What was told of a key, once there is that much of that kind."""
        found: list[Told] = []

        def enough() -> bool:
            found[:] = [told for told in list(self.inbox.told) if self._is(told, kind, key)]
            return len(found) >= count

        eventually(enough)
        return found

    def _is(self, told: Told, kind: str, key: str) -> bool:
        notice = self.channel.notice(told[0])
        return notice is not None and (notice.kind, notice.key) == (kind, key)

    @abstractmethod
    def signed(self, body: bytes, *, at: datetime | None = None, secret: str = "") -> Told:
        """These bytes with the headers that the provider would send along."""

    @abstractmethod
    def with_amount(self, body: bytes, amount_minor: int) -> bytes:
        """The same notification under an id of its own, of another amount."""

    def stop(self) -> None:
        self.proxy.stop()
        self.inbox.stop()
        self.http.close()
        self.process.terminate()
        self.process.wait(PATIENCE_SECONDS)


class SandboxRig(Rig):
    name = "sandbox"
    tokens: ClassVar[dict[str, str]] = {
        "page": "",
        "paid": "tok_ok",
        "refused": "tok_refused",
        "no money": "tok_insufficient",
        "challenge": "tok_3ds",
        "refund fails": "tok_refund_fails",
        "nonsense": "tok_nonsense",
    }
    buttons: ClassVar[dict[str, str]] = {"pay": "pay", "refuse": "refuse", "confirm": "confirm"}

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "payments.sandbox")

    @contextmanager
    def installed(self) -> Iterator[None]:
        with override_settings(
            SANDBOX_PAYMENT_URL=self.proxy.url,
            SANDBOX_PAYMENT_SECRETS=[webhook_secret(), self.secret],
            SANDBOX_ENDPOINT_ID=self.endpoint_id,
        ):
            yield
            sandbox._client().close()
            sandbox._client.cache_clear()

    def pay_after_challenge(self, answer: Answer) -> None:
        self.press(answer.action_url, "pay")
        self.press(answer.action_url, "confirm")

    def refund_comes_back(self, refund: Answer) -> None:
        """It has failed at once."""

    def signed(self, body: bytes, *, at: datetime | None = None, secret: str = "") -> Told:
        at, identifier = at or datetime.now(UTC), str(json.loads(body)["id"])
        signature = Webhook(secret or self.secret).sign(identifier, at, body.decode())
        return body, {
            "webhook-id": identifier,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": signature,
        }

    def with_amount(self, body: bytes, amount_minor: int) -> bytes:
        document = {**json.loads(body), "id": "evt_lie", "amount_minor": amount_minor}
        return json.dumps(document).encode()


class StripeRig(Rig):
    name = "stripe"
    tokens: ClassVar[dict[str, str]] = {
        "page": "",
        "paid": "pm_card_visa",
        "refused": "pm_card_chargeDeclined",
        "no money": "pm_card_visa_chargeDeclinedInsufficientFunds",
        "challenge": "pm_card_authenticationRequired",
        "refund fails": "pm_card_pendingRefund",
        "nonsense": "pm_nonsense",
    }
    buttons: ClassVar[dict[str, str]] = {
        "pay": "pay",
        "refuse": "decline",
        "challenge": "challenge",
        "confirm": "confirm",
    }

    def __init__(self, folder: Path, *, notify_url: str = "") -> None:
        super().__init__(folder, "tests.stripe_server", notify_url=notify_url)

    @contextmanager
    def installed(self) -> Iterator[None]:
        with override_settings(
            STRIPE_API_KEY="sk_test_local",
            STRIPE_API_BASE=self.proxy.url,
            STRIPE_WEBHOOK_SECRETS=[webhook_secret(), self.secret],
            STRIPE_ENDPOINT_ID=self.endpoint_id,
            STRIPE_MULTICAPTURE=True,
        ):
            stripe_channel.install()
            yield
            base._channels.pop(self.name)
            calls.client.cache_clear()

    def pay_after_challenge(self, answer: Answer) -> None:
        """By the page's card that asks back, or at the bank at once where a token was given."""
        url = answer.action_url
        if "/c/pay/" in url:
            url = self.press(url, "challenge")
        self.press(url, "confirm")

    def refund_comes_back(self, refund: Answer) -> None:
        self.control("refund_settle", refund=refund.ref, reason="lost_or_stolen_card")

    def control(self, verb: str, **members: Any) -> Any:
        answer = self.http.post(f"{self.provider_url}/control/{verb}", data=members)
        return answer.raise_for_status().json()

    def signed(self, body: bytes, *, at: datetime | None = None, secret: str = "") -> Told:
        seconds = int((at or datetime.now(UTC)).timestamp())
        payload = f"{seconds}.{body.decode()}".encode()
        key = (secret or self.secret).encode()
        made = hmac.new(key, payload, hashlib.sha256).hexdigest()
        return body, {"Stripe-Signature": f"t={seconds},v1={made}"}

    def with_amount(self, body: bytes, amount_minor: int) -> bytes:
        document = {**json.loads(body), "id": "evt_lie"}
        for member in ("amount", "amount_received"):
            document["data"]["object"][member] = amount_minor
        return json.dumps(document).encode()


RIGS: dict[str, Callable[[Path], Rig]] = {"sandbox": SandboxRig, "stripe": StripeRig}


def other_secret() -> str:
    """A secret that nobody uses."""
    return "whsec_" + b64encode(str(time.time()).encode().ljust(32, b"0")).decode()
