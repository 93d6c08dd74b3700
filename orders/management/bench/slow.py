"""Others that are far away: a TCP proxy that holds back each thing that is sent to them.

A proxy, not a wrapper around Django's cursors: so every round trip waits, those of connecting, of
health checks and of the pool too, in whatever thread, and no code that is measured knows of it.
"""

import socket
import threading
import time
from contextlib import suppress
from typing import Self

CHUNK_BYTES = 65_536
Address = str | tuple[str, int]  # a socket's path, or host and port


class SlowRoad:
    """Listens on a port of its own, and forwards to `target` for as long as the block."""

    def __init__(self, target: Address, *, seconds: float) -> None:
        self._target, self._seconds = target, seconds
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = [self._listening]
        self.port: int = self._listening.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        for each in self._open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _address = self._listening.accept()
            except OSError:
                return
            server = self._connect()
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open += (client, server)
            for source, sink, seconds in ((client, server, self._seconds), (server, client, 0.0)):
                threading.Thread(target=_forward, args=(source, sink, seconds), daemon=True).start()

    def _connect(self) -> socket.socket:
        if isinstance(self._target, str):
            server = socket.socket(socket.AF_UNIX)
            server.connect(self._target)
            return server
        return socket.create_connection(self._target)


def _forward(source: socket.socket, sink: socket.socket, seconds: float) -> None:
    with suppress(OSError):
        while chunk := source.recv(CHUNK_BYTES):
            time.sleep(seconds)
            sink.sendall(chunk)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
