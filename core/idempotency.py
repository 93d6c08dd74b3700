"""Keyed requests: the same key and request give the first answer again, and the effects once.

Key row, advisory lock and effects share one transaction, so a killed process leaves nothing behind:
there is no "in progress" row. Refusals by a rule are answers too and are kept; a server error rolls
everything back, and the retry really runs.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from django.db import OperationalError, connection, transaction
from django.utils.translation import gettext_lazy as _

from core.command import carrier, repeat, sqlstate
from core.errors import Conflict, DomainError, Invalid
from core.models import IdempotencyKey

# By the server's word, or by the driver's, which has no code.
CONNECTION_LOST = frozenset({"08006", "57P01", "57P02", ""})
KEPT_REFUSALS = frozenset({409, 422})  # what others depend on, a login or a lookup, may change
SHORTEST_KEY, LONGEST_KEY = 16, 255


@dataclass(frozen=True, slots=True)
class Request:
    """What identifies a keyed request: who and which route, its key, and a digest of the rest."""

    scope: str
    key: str
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered: HTTP status, JSON body, location of what was made."""

    status: int
    body: Any = None
    location: str = ""
    replayed: bool = False


def scope_of(*, principal: str, tenant: str, method: str, route: str) -> str:
    """The room that a key is unique in: nobody's key meets another's."""
    return "|".join((principal, tenant, method, route))


def fingerprint_of(*, method: str, path: str, content_type: str, body: Any) -> bytes:
    """SHA-256 over method, full path with ids and query, content type and canonical JSON."""
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256("\0".join((method, path, content_type, canonical)).encode()).digest()


def idempotent(
    request: Request,
    work: Callable[[], Answer],
    refusal: Callable[[DomainError], Answer],
) -> Answer:
    """Runs `work`, which calls exactly one service, once per key; answers a replay with the first.

    A DomainError of the service is turned into an answer by `refusal`, its effects are undone, and
    the answer is stored. Raises Invalid `idempotency-key-missing` for a key that is no key,
    `idempotency-key-reused` for a key with another request, Conflict `idempotency-in-progress`
    while the first is still running. Also repeated whole when the connection is lost.
    """
    if not (SHORTEST_KEY <= len(request.key) <= LONGEST_KEY) or not _visible_ascii(request.key):
        raise Invalid("idempotency-key-missing", _("Send an Idempotency-Key of 16 to 255 letters."))
    try:
        return repeat(lambda: _once(request, work, refusal))
    except OperationalError as error:
        if sqlstate(error) not in CONNECTION_LOST or connection.in_atomic_block:
            raise
        connection.close()
        return repeat(lambda: _once(request, work, refusal))


def _visible_ascii(text: str) -> bool:
    return all("!" <= letter <= "~" for letter in text)


def _once(
    request: Request, work: Callable[[], Answer], refusal: Callable[[DomainError], Answer]
) -> Answer:
    with carrier():
        _lock(request)
        stored = IdempotencyKey.objects.filter(scope=request.scope, key=request.key).first()
        if stored:
            return _replay(request, stored)
        try:
            with transaction.atomic():
                answer = work()
        except DomainError as error:
            answer = refusal(error)
            if error.http_status not in KEPT_REFUSALS:
                return answer
        IdempotencyKey.objects.create(
            scope=request.scope,
            key=request.key,
            fingerprint=request.fingerprint,
            status=answer.status,
            body=answer.body,
            location=answer.location,
        )
        return answer


def _lock(request: Request) -> None:
    """Spares the work of a twin that is running; the unique constraint is what decides."""
    digest = hashlib.blake2b(f"{request.scope}\0{request.key}".encode(), digest_size=8).digest()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_try_advisory_xact_lock(%s)", [int.from_bytes(digest, signed=True)]
        )
        if not cursor.fetchone()[0]:
            raise Conflict(
                "idempotency-in-progress", _("This request is still running."), retry_after=1
            )


def _replay(request: Request, stored: IdempotencyKey) -> Answer:
    if bytes(stored.fingerprint) != request.fingerprint:
        raise Invalid("idempotency-key-reused", _("This key was used for another request."))
    return replace(Answer(stored.status, stored.body, stored.location), replayed=True)
