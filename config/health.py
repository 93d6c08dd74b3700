"""Is the process alive, and can it serve: for load balancers, the supervisor and people."""

from collections.abc import Callable
from functools import cache

from django.db import Error as DatabaseError
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from config.celery import app
from core.heartbeats import silent_hearts

BROKER_TIMEOUT_SECONDS = 3


@require_GET
@never_cache
def healthz(request: HttpRequest) -> JsonResponse:
    """The process is alive: asks nothing else."""
    return JsonResponse({"status": "ok"})


@require_GET
@never_cache
def readyz(request: HttpRequest) -> JsonResponse:
    """200, or 503 with what is missing, by name."""
    problems = {name: problem for name, ask in QUESTIONS.items() if (problem := ask())}
    if problems:
        return JsonResponse({"status": "not ready", "problems": problems}, status=503)
    return JsonResponse({"status": "ok"})


def database() -> str:
    """Answers, and has every migration."""
    try:
        applied = MigrationRecorder(connection).applied_migrations()
    except DatabaseError:
        return "does not answer"
    waiting = sorted(".".join(leaf) for leaf in latest_migrations() if leaf not in applied)
    return f"not migrated: {', '.join(waiting)}" if waiting else ""


def broker() -> str:
    try:
        with app.connection_for_write(transport_options=app.conf.broker_transport_options) as link:
            link.ensure_connection(max_retries=1, timeout=BROKER_TIMEOUT_SECONDS)
    except Exception:  # noqa: BLE001 - each transport has exceptions of its own
        return "does not answer"
    return ""


def hearts() -> str:
    try:
        return ", ".join(silent_hearts())
    except DatabaseError:
        return "unknown"


@cache
def latest_migrations() -> frozenset[tuple[str, str]]:
    """Each app's last migration on disk: they change only with the code."""
    return frozenset(MigrationLoader(None).graph.leaf_nodes())


QUESTIONS: dict[str, Callable[[], str]] = {
    "database": database,
    "broker": broker,
    "silent": hearts,
}
