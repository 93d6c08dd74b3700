"""The processes of a running shop: how each is started, and how it is asked whether it works."""

import sys
from collections.abc import Callable, Sequence

import httpx
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection

from core.heartbeats import silent_hearts
from core.management.supervisor import Child

PYTHON = sys.executable
WEB_STAGE = 1
# Beat and worker prove themselves together, by a round trip. On pgmq the processes of a worker's pool
# share a lock, and one that is killed may take it along: then the worker lives and does nothing.
ROUND_TRIP_SILENT_SECONDS = 45


def shop_children() -> list[Child]:
    """Web, worker, beat and relay: what production runs too."""
    celery = [PYTHON, "-m", "celery", "--app=config.celery"]
    return [
        Child(
            name="web",
            argv=[
                *(PYTHON, "-m", "gunicorn", "config.wsgi", f"--bind=127.0.0.1:{settings.PORT}"),
                *("--worker-class=gthread", "--workers=2", "--threads=4"),
                *("--graceful-timeout=4", "--no-control-socket"),
            ],
            environment={"DATABASE_POOL": "8"},
            stop_stage=WEB_STAGE,
            answers=http_answers(f"http://127.0.0.1:{settings.PORT}"),
        ),
        Child(
            name="worker",
            argv=[
                *(*celery, "worker", "--hostname=worker", "--concurrency=2", "--loglevel=WARNING"),
                *("--queues=default,external,patient,clocks", "--without-gossip"),
                *("--without-mingle", "--without-heartbeat"),
            ],
            answers=heart_beats("worker"),
            silent_seconds=ROUND_TRIP_SILENT_SECONDS,
        ),
        Child(
            name="beat",
            argv=[*celery, "beat", "--loglevel=WARNING", "--pidfile="],
            answers=heart_beats("beat"),
            silent_seconds=ROUND_TRIP_SILENT_SECONDS,
        ),
        Child(
            name="relay",
            argv=[PYTHON, "manage.py", "relay"],
            answers=heart_beats("relay"),
        ),
        *([listener()] if "listener" in settings.EXPIRY_TRIGGERS else []),
    ]


def listener() -> Child:
    """Hears of deadlines from Redis, where that is wanted."""
    return Child(name="listener", argv=[PYTHON, "manage.py", "expiry_listener"])


def sandbox_children() -> list[Child]:
    """The demo's payment channel and carrier: processes that know nothing of the shop."""
    return [
        sandbox(
            "payment-sandbox",
            module="payments.sandbox",
            port=settings.PORT + 1,
            secrets=settings.SANDBOX_PAYMENT_SECRETS,
            hook="sandbox",
        ),
        sandbox(
            "carrier-sandbox",
            module="delivery.sandbox",
            port=settings.PORT + 2,
            secrets=settings.SANDBOX_CARRIER_SECRETS,
            hook="carrier",
        ),
    ]


def simulator(rate: float) -> Child:
    """Shoppers and merchants of the demo, who place that many orders a minute."""
    return Child(
        name="simulator",
        argv=[PYTHON, "manage.py", "simulate", f"--rate={rate}"],
        stop_stage=0,
    )


def sandbox(name: str, *, module: str, port: int, secrets: Sequence[str], hook: str) -> Child:
    web = f"http://127.0.0.1:{settings.PORT}"
    return Child(
        name=name,
        argv=[
            *(PYTHON, "-m", module, f"--port={port}"),
            f"--book={settings.STATE_DIR / name}.sqlite3",
            f"--notify-url={web}/hooks/{hook}/{settings.SANDBOX_ENDPOINT_ID}",
        ],
        environment={"SANDBOX_SECRET": secrets[0]},
        answers=http_answers(f"http://127.0.0.1:{port}"),
    )


def http_answers(url: str) -> Callable[[], bool]:
    def answers() -> bool:
        try:
            return httpx.get(f"{url}/healthz", timeout=2).is_success
        except httpx.HTTPError:
            return False

    return answers


def heart_beats(name: str) -> Callable[[], bool]:
    def answers() -> bool:
        try:
            return name not in silent_hearts()
        except (DatabaseError, InterfaceError):
            connection.close()  # a broken one would stay so
            return False

    return answers
