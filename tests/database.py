"""Gives the tests their environment before Django reads it: a plugin, for a conftest is too late."""

import atexit
import fcntl
import itertools
import os
from pathlib import Path
from typing import IO

from core.management.embedded import NAME, EmbeddedServer
from core.management.environment import new_secrets

STATE_DIR = Path(__file__).resolve().parent.parent / "var" / "test"


def prepare_environment() -> None:
    """Secrets of this run alone, the demo's freedoms, and a server apart from the demo's."""
    for name, value in {"DEMO": "1", **new_secrets()}.items():
        os.environ.setdefault(name, value)
    os.environ["STATE_DIR"] = str(STATE_DIR)
    if not os.environ.get("DATABASE_URL"):
        server = EmbeddedServer(STATE_DIR)
        url = server.join()
        atexit.register(server.leave)
        database, lock = own_database()
        atexit.register(lock.close)
        os.environ["DATABASE_URL"] = url.replace(f"/{NAME}?", f"/{database}?")


def own_database() -> tuple[str, IO[str]]:
    """A name that no other run of the suite has at this moment, for as long as the lock is open."""
    for number in itertools.count(1):
        lock = (STATE_DIR / f"run-{number}").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
        else:
            return f"{NAME}_{number}", lock
    raise AssertionError("numbers do not end")


prepare_environment()
