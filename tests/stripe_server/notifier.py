"""Signed events, told one after the other until each is taken."""

import hashlib
import hmac
import json
import threading
import time

import httpx

from .book import Book

PAUSE_SECONDS = 0.2
NEXT = "SELECT * FROM event WHERE NOT is_told AND due <= ? ORDER BY sequence LIMIT 1"


def signature(secret: str, body: str, at: int) -> str:
    """What the header Stripe-Signature says."""
    signed = hmac.new(secret.encode(), f"{at}.{body}".encode(), hashlib.sha256).hexdigest()
    return f"t={at},v1={signed}"


class Notifier:
    def __init__(self, book: Book, url: str, secret: str) -> None:
        self._book, self._url, self._secret = book, url, secret
        self._client = httpx.Client(timeout=5, trust_env=False)
        self._changed = threading.Event()
        book.subscribers.append(self._changed.set)

    def start(self) -> None:
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            self._changed.clear()
            with self._book.transaction() as database:
                row = database.execute(NEXT, (time.time(),)).fetchone()
            self._changed.clear()
            if row is None or not all(self._send(row["body"]) for _ in range(row["copies"])):
                self._changed.wait(PAUSE_SECONDS)
                continue
            with self._book.transaction() as database:
                database.execute(
                    "UPDATE event SET is_told = 1 WHERE sequence = ?", (row["sequence"],)
                )

    def _send(self, body: str) -> bool:
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Stripe-Signature": signature(self._secret, body, int(time.time())),
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
        }
        assert json.loads(body)["id"]
        try:
            return self._client.post(self._url, content=body, headers=headers).is_success
        except httpx.HTTPError:
            return False
