"""The listener goes on, whatever the Redis that it shares with others does to it."""

import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from orders.management.commands import expiry_listener
from orders.management.commands.expiry_listener import Command, group_of
from orders.triggers import KEY_BEGINS
from tests.ports import free_ports


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A server that is too busy to let anyone in: whoever connects waits in vain."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.bind(("127.0.0.1", free_ports()))
        server.listen(0)
        for _ in range(3):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(server.getsockname())
        yield server.getsockname()[1]


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """The command takes the signals of its process, which here is the tests'."""
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


def test_a_redis_that_is_slow_to_connect_is_tried_again(
    silent_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    command, tries = Command(), []

    def client() -> redis.Redis:
        tries.append(1)
        if len(tries) == 2:
            command.stop(signal.SIGTERM, None)
        return redis.Redis(
            port=silent_port, socket_connect_timeout=0.1, retry=Retry(NoBackoff(), 0)
        )

    monkeypatch.setattr(expiry_listener, "redis_client", client)
    monkeypatch.setattr(expiry_listener, "PAUSE_AFTER_LOSS_SECONDS", 0)
    command.handle()
    assert len(tries) == 2


@pytest.mark.parametrize("key", [b"\xff\xfe", KEY_BEGINS.encode() + b"\xff", b"session:42"])
def test_the_keys_of_others_are_no_groups_whatever_their_bytes(key: bytes) -> None:
    assert group_of(key) is None


def test_a_key_of_ours_is_its_group() -> None:
    assert group_of(f"{KEY_BEGINS}42".encode()) == 42
