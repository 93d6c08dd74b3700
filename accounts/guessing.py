"""Guessing is slowed down: what nobody told one can be tried only so often, counted as logins are."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from allauth.core.ratelimit import consume
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from core.errors import DomainError, TooOften

PAUSE_SECONDS = 300


@contextmanager
def guessing(request: HttpRequest, *, limits: Mapping[str, str], wrong: str) -> Iterator[None]:
    """Counts a refusal with the code `wrong` that is raised inside as a guess.

    `limits` are names of `ACCOUNT_RATE_LIMITS`, each with the key that it counts by; one that counts
    by the visitor's address needs none. Raises TooOften `too_many_tries`, and tries nothing, where
    one of them has had its fill.
    """
    for action, key in limits.items():
        if not consume(request, action=action, key=key, dry_run=True):
            words = _("Too many tries. Wait a few minutes and try again.")
            raise TooOften("too_many_tries", words, retry_after=PAUSE_SECONDS)
    try:
        yield
    except DomainError as refusal:
        if refusal.code == wrong:
            for action, key in limits.items():
                consume(request, action=action, key=key)
        raise
