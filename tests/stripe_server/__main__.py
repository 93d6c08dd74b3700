"""What we use of Stripe, as a process of its own: `python -m tests.stripe_server --port …`.

Shapes, refusals, stored answers and signatures are Stripe's; no card number is ever in it.
"""

import argparse
import hashlib
import json
import signal
import sys
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from . import money, page
from .api import Api, routes
from .book import Book, Object, take_fault
from .control import CONTROLS
from .errors import ApiError, invalid
from .forms import parsed
from .notifier import Notifier

KEPT = (200, 402, 500)  # what was executed is answered again; what was refused before is not


class Server(ThreadingHTTPServer):
    request_queue_size = 128

    def __init__(self, port: int, book: Book) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.url = f"http://127.0.0.1:{port}"
        self.book, self.api = book, Api(self.url)
        self.routes = routes(self.api)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._respond()

    def do_POST(self) -> None:
        self._respond()

    def log_message(self, format: str, *args: Any) -> None:
        """Silent."""

    def _respond(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
        path, _, query = self.path.partition("?")
        if path == "/healthz":
            self._answer(200, json.dumps({"status": "ok"}))
        elif path.startswith(("/c/pay/", "/3ds/")):
            self._page(path, body)
        else:
            self._api(path, query if self.command == "GET" else body)

    def _api(self, path: str, form: str) -> None:
        try:
            status, document, is_replay = self._kept(path, form)
        except ApiError as error:
            status, document, is_replay = error.status, json.dumps(error.document), False
        headers = {"Idempotent-Replayed": "true"} if is_replay else {}
        self._answer(status, document, headers)

    def _kept(self, path: str, form: str) -> tuple[int, str, bool]:
        """The answer, the first one where the idempotency key is known."""
        if not path.startswith("/control/") and not self._is_authorised():
            raise ApiError(401, "invalid_request_error", "Invalid API Key provided.")
        key = self.headers.get("Idempotency-Key") if self.command == "POST" else None
        request = hashlib.sha256(f"{path} {form}".encode()).hexdigest()
        with self.server.book.transaction() as database:
            row = database.execute("SELECT * FROM answer WHERE key = ?", (key,)).fetchone()
            if row and row["request"] != request:
                raise ApiError(
                    400,
                    "idempotency_error",
                    "Keys for idempotent requests can only be used with the same parameters they"
                    " were first used with.",
                )
            if row:
                return row["status"], row["body"], True
            status, document = self._act(database, path, parsed(form))
            is_act = self.command == "POST" and path.startswith("/v1/") and status == 200
            if is_act and take_fault(database, "fail_after_acting"):
                document = {"error": {"type": "api_error", "message": "Something went wrong."}}
                status = 500
            body = json.dumps(document)
            if key and status in KEPT:
                database.execute(
                    "INSERT INTO answer VALUES (?, ?, ?, ?)", (key, request, status, body)
                )
            return status, body, False

    def _is_authorised(self) -> bool:
        return self.headers.get("Authorization", "").startswith("Bearer sk_test_")

    def _act(self, database: Any, path: str, given: Object) -> tuple[int, Object]:
        """A declined card is an answer like others: what it has made stays."""
        api = self.server.api
        if path.startswith("/control/"):
            return 200, CONTROLS[path.removeprefix("/control/")](database, given)
        for method, pattern, act, known in self.server.routes:
            found = pattern.fullmatch(path)
            if not found or method != self.command:
                continue
            if unknown := set(given) - known:
                name = min(unknown)
                raise invalid(f"Received unknown parameter: {name}", name, "parameter_unknown")
            try:
                document = act(api, database, "".join(found.groups()), given)
            except ApiError as error:
                if error.status != 402:
                    raise
                return error.status, error.document
            return 200, {n: v for n, v in document.items() if not n.startswith("_")}
        raise ApiError(404, "invalid_request_error", f"Unrecognized request URL ({path}).")

    def _page(self, path: str, body: str) -> None:
        kind, name = path.strip("/").rsplit("/", 1)
        button = dict(parse_qsl(body)).get("button", "")
        with self.server.book.transaction() as database:
            if kind == "3ds":
                intent = money.found(database, "payment_intent", name)
                if self.command == "GET":
                    choices = '<button name="button" value="confirm">confirm</button>'
                    return self._answer(200, f'<form method="post">{choices}</form>')
                where = page.answer_bank(database, intent, button)
            else:
                session = money.found(database, "checkout.session", name)
                if self.command == "GET":
                    return self._answer(200, page.show(session))
                where = page.press(database, session, button, self.server.url)
        return self._answer(303, "", {"Location": where})

    def _answer(self, status: int, body: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        kind = "application/json" if body.startswith("{") else "text/html; charset=utf-8"
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body.encode())))
        self.send_header("Request-Id", "req_test")
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body.encode())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--book", type=Path, required=True)
    parser.add_argument("--secret", required=True)
    parser.add_argument("--notify-url", required=True)
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    book = Book(arguments.book)
    Notifier(book, arguments.notify_url, arguments.secret).start()
    with suppress(KeyboardInterrupt):
        Server(arguments.port, book).serve_forever()


if __name__ == "__main__":
    main()
