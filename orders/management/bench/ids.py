"""How fast ids and order numbers are issued, by one process and by eight with leases of their own."""

import multiprocessing
import time
from collections.abc import Callable, Iterator
from multiprocessing.synchronize import Barrier
from typing import Any

from django.db import connection

from core.ids import Channel, new_id, release
from core.ids.order_number import STRATEGIES, Strategy

PROCESSES = (1, 8)
GENES = 4096
BATCH = 50


def measure(seconds: float) -> dict[str, Any]:
    """Issued per second, all processes together: plain ids, those of one gene, each kind of number."""
    ways: dict[str, Callable[[int], object]] = {
        "id": new_id,
        "id of one gene": lambda gene: new_id(7),
        **{name: _numbers(strategy) for name, strategy in STRATEGIES.items()},
    }
    return {
        "seconds": seconds,
        "processes": {
            str(processes): {name: _run(issue, processes, seconds) for name, issue in ways.items()}
            for processes in PROCESSES
        },
    }


def _numbers(strategy: Strategy) -> Callable[[int], object]:
    return lambda gene: strategy.number_for(new_id(gene), Channel.WEB)


def _run(issue: Callable[[int], object], processes: int, seconds: float) -> float:
    context = multiprocessing.get_context("fork")
    connection.close()
    barrier, results = context.Barrier(processes), context.SimpleQueue()
    children = [
        context.Process(target=_work, args=(issue, seconds, barrier, results))
        for _ in range(processes)
    ]
    for child in children:
        child.start()
    told = [results.get() for _ in children]
    for child in children:
        child.join()
    if failures := [each for each in told if isinstance(each, str)]:
        raise RuntimeError(failures[0])
    return float(sum(issued / took for issued, took in told))


def _work(issue: Callable[[int], object], seconds: float, barrier: Barrier, results: Any) -> None:
    try:
        issue(0)
        barrier.wait()
        issued, began = 0, time.monotonic()
        while (took := time.monotonic() - began) < seconds:
            for _ in range(BATCH):
                issue(issued % GENES)
                issued += 1
        results.put((issued, took))
    except Exception as error:  # noqa: BLE001 the parent raises it
        barrier.abort()
        results.put(repr(error))
    finally:
        release()  # a child ends without its exit handlers


def table(figures: dict[str, Any]) -> Iterator[str]:
    """For people."""
    yield f"{'processes':>9} {'what':<15} {'per second':>11}"
    for processes, ways in figures["processes"].items():
        for name, speed in ways.items():
            yield f"{processes:>9} {name:<15} {speed:>11,.0f}"
