"""Refusals of the domain. Each carries a code for machines, a sentence for people and facts for both.

One handler per edge turns the kind into an answer (API status, form error, admin message), so
services never speak HTTP. Kinds are few on purpose: what differs between two refusals is the code.
"""

from typing import Any, ClassVar

from django.utils.functional import Promise


class DomainError(Exception):
    """A rule of the domain says no. Nothing has been changed when it is raised out of a command."""

    http_status: ClassVar[int] = 422

    def __init__(self, code: str, message: str | Promise, **facts: Any) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.facts = facts

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class Invalid(DomainError):
    """The request itself breaks a rule, whatever the state: unknown SKU, quantity 0."""


class Conflict(DomainError):
    """The request would have been right in another state: sold out, already shipped, overdue."""

    http_status = 409


class NotFound(DomainError):
    """There is no such thing, or it is not yours: the two are told in the same words."""

    http_status = 404


class Denied(DomainError):
    """The actor may see this, but not do it."""

    http_status = 403


class TooOften(DomainError):
    """What may be tried has been tried too often in too short a time, whatever is tried now."""

    http_status = 429


class ProgrammingMistake(RuntimeError):
    """The code broke a rule of the house: a lock outside a command, a command inside a command."""
