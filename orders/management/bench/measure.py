"""Runs a way of writing orders in one or more processes, and tells how fast each went."""

import multiprocessing
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from typing import Any

from django.db import connection

Way = Callable[[int], object]


@dataclass(frozen=True, slots=True)
class Result:
    """One round of one way."""

    orders: int
    seconds: float
    cpu_seconds: float

    @property
    def orders_per_second(self) -> float:
        """All processes together."""
        return self.orders / self.seconds

    @property
    def cpu_ms_per_order(self) -> float:
        """Of the writing processes; the server's is not in it."""
        return 1000 * self.cpu_seconds / self.orders


def run(make: Callable[[], Way], carts: list[int], processes: int) -> Result:
    """Shares the carts among processes that start together; each warms up on its first cart."""
    context = multiprocessing.get_context("fork")
    connection.close()
    barrier, results = context.Barrier(processes), context.SimpleQueue()
    shares = [carts[number::processes] for number in range(processes)]
    children = [
        context.Process(target=_work, args=(make, share, barrier, results)) for share in shares
    ]
    for child in children:
        child.start()
    told = [results.get() for _ in children]
    for child in children:
        child.join()
    if failures := [each for each in told if isinstance(each, str)]:
        raise RuntimeError(failures[0])
    began, ended = min(each[0] for each in told), max(each[1] for each in told)
    orders = sum(len(share) - 1 for share in shares)
    return Result(orders, ended - began, sum(each[2] for each in told))


def _work(make: Callable[[], Way], carts: list[int], barrier: Barrier, results: Any) -> None:
    try:
        write = make()
        write(carts[0])
        barrier.wait()
        began, cpu_began = time.monotonic(), time.process_time()
        for cart_id in carts[1:]:
            write(cart_id)
        results.put((began, time.monotonic(), time.process_time() - cpu_began))
    except Exception as error:  # noqa: BLE001 the parent raises it
        barrier.abort()
        results.put(repr(error))
