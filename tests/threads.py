"""Runs functions at the same moment in threads of their own, each with its own connection."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

from django.db import connection

R = TypeVar("R")


def together(*functions: Callable[[], R]) -> list[R | Exception]:
    """What each returned or raised, in the order given; they start when all threads are there."""
    barrier = Barrier(len(functions))

    def run(function: Callable[[], R]) -> R | Exception:
        barrier.wait(timeout=30)
        try:
            return function()
        except Exception as error:  # noqa: BLE001 the test judges it
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(functions)) as pool:
        return list(pool.map(run, functions))


def succeeded(results: Sequence[R | Exception]) -> list[R]:
    """The results, once none is an error."""
    for result in results:
        if isinstance(result, Exception):
            raise result
    return [result for result in results if not isinstance(result, Exception)]
