"""Where the work of this moment comes from: which edge, and the request, event or task behind it.

Edges say it once; every state change remembers it, so that a step can be found in the logs.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from core.ids import uuid7

# What a caller may name a request, as long as a state change keeps it.
REQUEST_ID = re.compile(r"[!-~]{1,64}")


@dataclass(frozen=True, slots=True)
class Origin:
    """`source`: web, api, console, hook, relay, task or command; `request_id` as it is logged."""

    source: str = ""
    request_id: str = ""


NOWHERE = Origin()
_origin: ContextVar[Origin] = ContextVar("origin", default=NOWHERE)


def origin() -> Origin:
    """Where the running work comes from; empty where no edge has said so."""
    return _origin.get()


@contextmanager
def coming_from(source: str, request_id: str) -> Iterator[None]:
    """Names the edge and the request for what runs inside."""
    token = _origin.set(Origin(source[:10], request_id[:64]))
    try:
        yield
    finally:
        _origin.reset(token)


def request_id_of(given: str) -> str:
    """The caller's name for the request, or a new one where it gave none that can be kept."""
    return given if REQUEST_ID.fullmatch(given) else uuid7().hex
