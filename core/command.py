"""The one way into a transaction that changes something.

A service is one function for one business verb, decorated with `@command`. The decorator opens a
durable transaction, so that what has returned is committed, and repeats the whole of it when
PostgreSQL says that it lost a race. Idempotent requests and outbox consumers open the transaction
themselves through `carrier()` and call exactly one service in it.
"""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import OperationalError, connection, transaction

from core.crash import crash_point
from core.errors import ProgrammingMistake

P = ParamSpec("P")
R = TypeVar("R")

DEADLOCK, SERIALIZATION, LOCK_TIMEOUT = "40P01", "40001", "55P03"
REPEATABLE = frozenset({DEADLOCK, SERIALIZATION, LOCK_TIMEOUT})
MOST_TRIES = 4
FIRST_PAUSE_SECONDS = 0.02


class RunningTransaction:
    """Identity of the transaction that a command runs in; rows that it locks are marked with it."""

    def __init__(self, *, offered: bool) -> None:
        self.offered = offered  # to the one service that a carrier may call
        self.service = ""


def running() -> RunningTransaction:
    """The transaction of the running command. Raises outside of one."""
    token: RunningTransaction | None = getattr(connection, "quayside_transaction", None)
    if token is None or not connection.in_atomic_block:
        raise ProgrammingMistake("this needs the transaction of a command")
    return token


def command(service: Callable[P, R]) -> Callable[P, R]:
    """Makes a service out of a function: durable transaction, repeated whole on a lost race.

    Raises ProgrammingMistake when called inside another command, and lets every other error of
    the function through after rolling back.
    """

    @wraps(service)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        token: RunningTransaction | None = getattr(connection, "quayside_transaction", None)
        if token is None:
            return repeat(lambda: _in_own_transaction(service, *args, **kwargs))
        if not token.offered:
            raise ProgrammingMistake(f"{service.__name__} called inside another command")
        token.offered, token.service = False, service.__name__
        return service(*args, **kwargs)

    return run


def in_savepoint(work: Callable[[], R], *, keep: Callable[[R], object]) -> R:
    """Does a part of a running command; where `keep` says no to its answer, all of it is undone.

    So a service rehearses, or tries one way before another. What is undone gives its locks back;
    the rows that it has changed in memory must be read anew.
    """
    running()
    with transaction.atomic():
        answer = work()
        if not keep(answer):
            transaction.set_rollback(True)
    return answer


def _in_own_transaction(service: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    with _transaction(offered=False) as token:
        token.service = service.__name__
        return service(*args, **kwargs)


@contextmanager
def carrier() -> Iterator[None]:
    """A durable transaction in which exactly one service may be called."""
    with _transaction(offered=True):
        yield


@contextmanager
def _transaction(*, offered: bool) -> Iterator[RunningTransaction]:
    token = RunningTransaction(offered=offered)
    with transaction.atomic(durable=True):
        connection.quayside_transaction = token  # type: ignore[attr-defined]
        try:
            yield token
            crash_point(f"before_commit:{token.service}")
        finally:
            connection.quayside_transaction = None  # type: ignore[attr-defined]
    crash_point(f"after_commit:{token.service}")


def repeat(work: Callable[[], R]) -> R:
    """Runs `work` again, with jitter, while PostgreSQL reports a lost race; at most 4 times."""
    for attempt in range(1, MOST_TRIES):
        try:
            return work()
        except OperationalError as error:
            if sqlstate(error) not in REPEATABLE:
                raise
            time.sleep(random.uniform(0, FIRST_PAUSE_SECONDS * 2**attempt))  # noqa: S311 jitter
    return work()


def sqlstate(error: Exception) -> str:
    """PostgreSQL's five-character code of a Django database error, '' where there is none."""
    return getattr(error.__cause__, "sqlstate", None) or ""
