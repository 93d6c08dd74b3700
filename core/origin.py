"""Where the work of this moment comes from: which edge, and the request, event or task behind it.

Edges say it once; every state change remembers it, so that a step can be found in the logs.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


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
