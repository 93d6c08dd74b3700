"""The bench's slow road: all arrives, unchanged, in both directions, and what is asked arrives late."""

import socket
import threading
import time

from orders.management.bench.slow import SlowRoad

LATE_SECONDS = 0.1


def test_what_is_asked_arrives_late_and_whole_and_so_does_the_answer() -> None:
    said = bytes(range(256)) * 1000
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=echo, args=(server,), daemon=True).start()
        with (
            SlowRoad(server.getsockname(), seconds=LATE_SECONDS) as road,
            socket.create_connection(("127.0.0.1", road.port)) as client,
        ):
            began = time.monotonic()
            client.sendall(said)
            client.shutdown(socket.SHUT_WR)
            heard = b""
            while chunk := client.recv(65_536):
                heard += chunk

    assert heard == said
    assert time.monotonic() - began >= LATE_SECONDS


def echo(server: socket.socket) -> None:
    client, _address = server.accept()
    with client:
        while chunk := client.recv(65_536):
            client.sendall(chunk)
