"""Ports for a test's own servers, which no other test takes while such a server is down."""

import fcntl
import os
import socket
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO

# Below the range from which Linux takes the ports of outgoing connections.
FIRST, LAST, BLOCK = 20_000, 32_000, 4
LOCKS = Path(tempfile.gettempdir()) / f"quayside-test-ports-{os.getuid()}"
_held: list[IO[str]] = []


def free_ports(count: int = 1) -> int:
    """The first of some neighbouring ports: this process's until it ends.

    A server that is killed and started again leaves its port free for a moment, and one that starts
    has not taken it yet: that nobody listens is not enough.
    """
    assert count <= BLOCK
    LOCKS.mkdir(mode=0o700, exist_ok=True)
    for first in range(FIRST, LAST, BLOCK):
        lock = (LOCKS / str(first)).open("w")
        with suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for port in range(first, first + count):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
            _held.append(lock)
            return first
        lock.close()
    raise AssertionError("no free ports")
