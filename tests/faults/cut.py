"""A wire to the database that breaks behind a COMMIT: it is done, and nobody comes to know of it."""

import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from threading import Thread

import pytest
from django.db import connection, connections

from tests.ports import free_ports

LARGEST_READ = 1 << 16
PATIENCE_SECONDS = 30


@contextmanager
def wire_that_breaks_behind_a_commit(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """This thread's connection goes through it; answers what the server said and nobody heard.

    Only the connection that is there: whoever connects anew, and every other thread, goes directly.
    """
    unheard: list[bytes] = []
    connection.close()
    with closing(socket.create_server(("127.0.0.1", free_ports()))) as door:
        door.settimeout(PATIENCE_SECONDS)
        wire = Thread(target=_carry, args=(door, _address(), unheard), daemon=True)
        wire.start()
        port = str(door.getsockname()[1])
        with monkeypatch.context() as elsewhere:
            through = {**connection.settings_dict, "HOST": "127.0.0.1", "PORT": port}
            elsewhere.setattr(connections["default"], "settings_dict", through)
            connection.ensure_connection()
        yield unheard
        connection.close()
        wire.join(PATIENCE_SECONDS)


def _address() -> tuple[str, int] | str:
    given = connection.get_connection_params()
    host, port = str(given.get("host") or "localhost"), int(given.get("port") or 5432)
    return f"{host}/.s.PGSQL.{port}" if host.startswith("/") else (host, port)


def _carry(door: socket.socket, address: tuple[str, int] | str, unheard: list[bytes]) -> None:
    """There and back, up to the server's answer to a COMMIT."""
    ours, _ = door.accept()
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with closing(ours), closing(socket.socket(family)) as theirs:
        theirs.connect(address)
        back = Thread(target=_carry_back, args=(theirs, ours, unheard), daemon=True)
        ours.settimeout(PATIENCE_SECONDS)
        theirs.settimeout(PATIENCE_SECONDS)
        back.start()
        while said := _read(ours):
            if b"COMMIT" in said:
                unheard.append(b"")
            theirs.sendall(said)
            if unheard:
                back.join(PATIENCE_SECONDS)
                return


def _carry_back(theirs: socket.socket, ours: socket.socket, unheard: list[bytes]) -> None:
    while said := _read(theirs):
        if unheard:
            unheard[0] += said
            return
        ours.sendall(said)


def _read(end: socket.socket) -> bytes:
    try:
        return end.recv(LARGEST_READ)
    except OSError:
        return b""
