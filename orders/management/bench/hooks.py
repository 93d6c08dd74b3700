"""How soon a notification is answered: stored with its event and committed, beside an empty view.

One web process as the demo runs it; senders at once, each with connections that it keeps. Nobody
processes what is stored: that is the relay's work, and none runs here.
"""

import json
import secrets
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from statistics import median, quantiles
from typing import Any

import httpx
from standardwebhooks import Webhook

from core.management.environment import webhook_secret
from core.models import Hook, OutboxEvent
from orders.management.bench.server import serving

SENDERS = (1, 4, 16)
MOST_P99_MS = 100
ENDPOINT_ID = secrets.token_hex(16)
WARM_UP = 50
EMPTY, HOOK = "empty view", "hook"
TIMEOUT_SECONDS = 30

Send = Callable[[httpx.Client], object]


def measure(*, hooks: int, rounds: int, port: int) -> dict[str, Any]:
    """Rounds of both in turn, so that a drifting machine hits both."""
    secret = webhook_secret()
    environment = {
        "DATABASE_POOL": "8",  # as the demo's web processes have it
        "SANDBOX_ENDPOINT_ID": ENDPOINT_ID,
        "SANDBOX_PAYMENT_SECRETS": secret,
    }
    ways: dict[str, Send] = {EMPTY: look, HOOK: lambda client: notify(client, secret)}
    figures: dict[str, Any] = {
        str(senders): {name: {"seconds": [], "rounds": []} for name in ways} for senders in SENDERS
    }
    with serving("config.wsgi", port=port, environment=environment) as server:
        for way in ways.values():
            run(server.url, way, WARM_UP, max(SENDERS))
        for _round in range(rounds):
            for senders in SENDERS:
                for name, way in ways.items():
                    spent, seconds = run(server.url, way, hooks, senders)
                    figures[str(senders)][name]["seconds"] += spent
                    figures[str(senders)][name]["rounds"].append(len(spent) / seconds)
    require_stored(WARM_UP + hooks * rounds * len(SENDERS))
    return {"most_p99_ms": MOST_P99_MS, "senders": summary(figures)}


def run(url: str, send: Send, count: int, senders: int) -> tuple[list[float], float]:
    """How long each took as its sender saw it, and all of them together."""

    def share(number: int) -> list[float]:
        with httpx.Client(base_url=url, timeout=TIMEOUT_SECONDS, trust_env=False) as client:
            return [timed(send, client) for _ in range(number, count, senders)]

    began = time.perf_counter()
    with ThreadPoolExecutor(senders) as threads:
        spent = [each for part in threads.map(share, range(senders)) for each in part]
    return spent, time.perf_counter() - began


def timed(send: Send, client: httpx.Client) -> float:
    began = time.perf_counter()
    send(client)
    return time.perf_counter() - began


def look(client: httpx.Client) -> None:
    """A view that does nothing, behind the same middleware."""
    client.get("/healthz").raise_for_status()


def notify(client: httpx.Client, secret: str) -> None:
    """A capture of a payment that nobody knows, signed as the sandbox signs."""
    identifier, at = f"evt_{secrets.token_hex(12)}", datetime.now(UTC)
    body = json.dumps(
        {
            "id": identifier,
            "kind": "payment.captured",
            "key": str(secrets.randbits(62)),
            "ref": f"pay_{secrets.token_hex(12)}",
            "amount_minor": 9500,
            "currency": "EUR",
            "at": at.isoformat(),
        }
    )
    client.post(
        f"/hooks/sandbox/{ENDPOINT_ID}",
        content=body,
        headers={
            "Content-Type": "application/json",
            "webhook-id": identifier,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": Webhook(secret).sign(identifier, at, body),
        },
    ).raise_for_status()


def require_stored(count: int) -> None:
    """Raises RuntimeError unless each notification that was answered is there with its event."""
    stored = Hook.objects.count(), OutboxEvent.objects.filter(type="payment_hook.received").count()
    if stored != (count, count):
        raise RuntimeError(f"{count} were answered, {stored} are stored")


def summary(figures: dict[str, Any]) -> dict[str, Any]:
    """Milliseconds over all rounds, and the median round's notifications per second."""
    return {
        senders: {
            name: {
                "p50_ms": 1000 * median(found["seconds"]),
                "p99_ms": 1000 * quantiles(found["seconds"], n=100)[-1],
                "longest_ms": 1000 * max(found["seconds"]),
                "per_second": median(found["rounds"]),
            }
            for name, found in ways.items()
        }
        for senders, ways in figures.items()
    }


def table(figures: dict[str, Any]) -> Iterator[str]:
    """For people."""
    yield f"{'senders':>7} {'what':<11} {'p50 ms':>7} {'p99 ms':>7} {'longest':>8} {'per s':>7}"
    for senders, ways in figures["senders"].items():
        for name, way in ways.items():
            yield (
                f"{senders:>7} {name:<11} {way['p50_ms']:>7.1f} {way['p99_ms']:>7.1f}"
                f" {way['longest_ms']:>8.1f} {way['per_second']:>7.0f}"
            )
    worst = max(ways[HOOK]["p99_ms"] for ways in figures["senders"].values())
    word = "kept" if worst <= MOST_P99_MS else "missed"
    yield f"p99 of hooks under {MOST_P99_MS} ms: {word}"
