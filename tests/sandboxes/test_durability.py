"""Killed at any moment, a sandbox has lost nothing that it answered and tells what it had not told."""

import signal
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from tests.ports import free_ports

from .conftest import PATIENCE_SECONDS, Receiver, Sandbox, eventually, new_payment


class Load:
    """Shops that open payments until the sandbox is gone; keeps what they were answered."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.answered: list[str] = []
        self._threads = [threading.Thread(target=self._run) for _ in range(4)]
        for thread in self._threads:
            thread.start()

    def _run(self) -> None:
        with httpx.Client(base_url=self._url, trust_env=False) as client:
            while True:
                body = new_payment("tok_ok")
                try:
                    client.post("/payments", json=body).raise_for_status()
                except httpx.TransportError:
                    return
                self.answered.append(body["key"])

    def wait(self, answers: int) -> None:
        eventually(lambda: len(self.answered) >= answers)

    def join(self) -> None:
        for thread in self._threads:
            thread.join()


def test_a_kill_under_load_loses_nothing_that_was_answered(own_payments, own_receiver):
    for enough in (20, 60):
        load = Load(own_payments.url)
        load.wait(enough)
        own_payments.kill()
        load.join()
        own_payments.start()
        for key in load.answered:
            eventually(partial(own_receiver.of, key))
            assert own_payments.get(f"/payments/{key}")["status"] == "captured"
    transactions = own_payments.get("/transactions?limit=1000")["data"]
    captured = [each["key"] for each in transactions]
    assert len(captured) == len(set(captured))


@pytest.mark.parametrize("module", ["payments.sandbox", "delivery.sandbox"])
def test_what_was_not_told_before_a_kill_is_told_after_it(tmp_path: Path, module: str):
    port = free_ports()
    gone = Receiver(port)
    gone.stop()
    sandbox = Sandbox(module, tmp_path, gone)
    try:
        keys = [happening(sandbox, module) for _ in range(5)]
        sandbox.kill()
        with closing(sqlite3.connect(sandbox.book)) as book:
            book.execute("UPDATE notification SET due_at = '2999-01-01T00:00:00.000Z'")
            book.commit()
        receiver = Receiver(port)
        receiver.secret = gone.secret
        try:
            sandbox.start()
            for key in keys:
                receiver.wait(key)
        finally:
            receiver.stop()
    finally:
        sandbox.stop()


def happening(sandbox, module):
    """Makes something happen that is told once; returns its key."""
    if module == "payments.sandbox":
        return sandbox.post("/payments", **new_payment("tok_refused"))["key"]
    key = sandbox.post("/parcels", key=uuid4().hex)["key"]
    sandbox.post("/control/scan", key=key, code="delivered")
    return key


def test_a_notification_is_sent_until_it_is_taken(own_payments, own_receiver):
    own_receiver.refusals = 3
    started = time.monotonic()
    key = own_payments.post("/payments", **new_payment("tok_refused"))["key"]
    (notification,) = own_receiver.wait(key)
    assert own_receiver.refused == 3 * [notification]
    # 0.2, 0.4 and 0.8 seconds between the four tries.
    assert time.monotonic() - started >= 1.4


def test_a_refused_notification_holds_up_no_other_key(own_payments, own_receiver):
    first, second = new_payment("tok_refused"), new_payment("tok_refused")
    own_receiver.refused_keys = {first["key"]}
    own_payments.post("/payments", **first)
    eventually(lambda: own_receiver.refused)
    own_payments.post("/payments", **second)
    own_receiver.wait(second["key"])
    assert own_receiver.of(first["key"]) == []
    own_receiver.refused_keys = set()
    own_receiver.wait(first["key"])


def test_one_keys_notifications_keep_their_order(tmp_path, own_receiver):
    own_receiver.refusals = 2
    carrier = Sandbox("delivery.sandbox", tmp_path, own_receiver)
    try:
        key = carrier.post("/parcels", key=uuid4().hex)["key"]
        codes = ["handed_over", "in_transit", "delivered"]
        for code in codes:
            carrier.post("/control/scan", key=key, code=code)
        assert [each["code"] for each in own_receiver.wait(key, 3)] == codes
    finally:
        carrier.stop()


def test_a_burst_is_told_once_each(own_payments, own_receiver):
    def create(_):
        return own_payments.post("/payments", **new_payment("tok_ok"))["key"]

    with ThreadPoolExecutor(4) as threads:
        keys = list(threads.map(create, range(200)))
    for key in keys:
        own_receiver.wait(key)
    assert len(own_receiver.taken) == 200


def test_a_notification_is_signed_with_the_secret(own_payments, own_receiver):
    secret, own_receiver.secret = own_receiver.secret, "whsec_" + 32 * "A"
    key = own_payments.post("/payments", **new_payment("tok_refused"))["key"]
    eventually(lambda: own_receiver.forged)
    assert own_receiver.taken == []
    own_receiver.secret = secret
    own_receiver.wait(key)


def test_a_second_process_on_the_port_does_not_start(own_payments):
    second = own_payments.spawn()
    assert second.wait(PATIENCE_SECONDS) == 1
    assert "Address already in use" in own_payments.log.read_text()
    assert own_payments.answers()


def test_it_ends_in_order_when_told_to(own_payments, own_receiver):
    key = own_payments.post("/payments", **new_payment())["key"]
    own_payments.process.send_signal(signal.SIGINT)
    assert own_payments.process.wait(PATIENCE_SECONDS) == 0
    own_payments.start()
    assert own_payments.get(f"/payments/{key}")["status"] == "requires_action"
    own_payments.process.terminate()
    assert own_payments.process.wait(PATIENCE_SECONDS) == 0
