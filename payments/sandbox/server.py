"""The sandbox's HTTP edge: routes, JSON in and out, every refusal with a code and a sentence."""

import json
import logging
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote

BODY_LIMIT_BYTES = 64 * 1024
DISCARD_LIMIT_BYTES = 1024 * 1024
CONTENT_LENGTH = re.compile(r"[0-9]{1,12}")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answer:
    status: HTTPStatus
    body: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


def json_answer(document: object, status: HTTPStatus = HTTPStatus.OK) -> Answer:
    return Answer(status, json.dumps(document).encode())


class RequestError(Exception):
    """Answered with its HTTP status, a code for programs, a sentence for people, and facts."""

    def __init__(self, status: HTTPStatus, code: str, message: str, **facts: object) -> None:
        super().__init__(message)
        self.status = status
        self.document = {"error": code, "message": message, **facts}

    def answer(self) -> Answer:
        return json_answer(self.document, self.status)


INTERNAL_ERROR = RequestError(
    HTTPStatus.INTERNAL_SERVER_ERROR, "internal", "The sandbox failed; its log says why."
)


def bad_request(message: str) -> RequestError:
    return RequestError(HTTPStatus.BAD_REQUEST, "bad_request", message)


def not_found(message: str) -> RequestError:
    return RequestError(HTTPStatus.NOT_FOUND, "not_found", message)


@dataclass(frozen=True)
class Request:
    """`name` is what stands for `{}` in the route's path, decoded; empty where it has none."""

    name: str
    query: Mapping[str, str]
    body: bytes

    def members(self) -> dict[str, Any]:
        """The body's JSON object; no body is an empty one, and a null is a missing member."""
        try:
            document = json.loads(self.body or b"{}")
        except (ValueError, RecursionError):
            raise bad_request("The body is not JSON.") from None
        if not isinstance(document, dict):
            raise bad_request("The body must be a JSON object.")
        return {name: value for name, value in document.items() if value is not None}

    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode("utf-8", "replace")))


Handle = Callable[[Request], Answer]


@dataclass(frozen=True)
class Route:
    method: str
    path: str
    handle: Handle

    def match(self, path: str) -> re.Match[str] | None:
        return re.fullmatch(re.escape(self.path).replace(r"\{\}", "([^/]+)"), path)


class Server(ThreadingHTTPServer):
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], routes: Sequence[Route]) -> None:
        super().__init__(address, Handler)
        self.routes = routes

    def handle_error(self, request: object, client_address: object) -> None:
        log.info("The connection of %s broke: %r", client_address, sys.exception())


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server
    timeout = 60
    # Head and body leave in one packet: a second would wait for the acknowledgement of the first.
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._respond()

    def do_POST(self) -> None:
        self._respond()

    def _respond(self) -> None:
        try:
            answer = self._handle()
        except RequestError as error:
            answer = error.answer()
        except Exception:
            log.exception("%s %s failed.", self.command, self.path)
            self.close_connection = True
            answer = INTERNAL_ERROR.answer()
        self._send(answer)

    def _handle(self) -> Answer:
        body = self._read_body()
        path, _, query = self.path.partition("?")
        matches = [(route, found) for route in self.server.routes if (found := route.match(path))]
        for route, found in matches:
            if route.method == self.command:
                name = unquote("".join(found.groups()))
                return route.handle(Request(name, dict(parse_qsl(query)), body))
        if matches:
            allowed = ", ".join(route.method for route, _ in matches)
            message = f"Only {allowed} is answered here."
            raise RequestError(HTTPStatus.METHOD_NOT_ALLOWED, "method_not_allowed", message)
        raise not_found("There is nothing under this path.")

    def _read_body(self) -> bytes:
        """All of it, so that the next request on the connection starts where this one ends."""
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not CONTENT_LENGTH.fullmatch(length):
            self.close_connection = True
            raise bad_request("The body must come with its Content-Length.")
        if int(length) > BODY_LIMIT_BYTES:
            # A client that still sends would lose the answer together with the connection.
            self.rfile.read(min(int(length), DISCARD_LIMIT_BYTES))
            self.close_connection = True
            raise bad_request(f"The body is larger than {BODY_LIMIT_BYTES} bytes.")
        return self.rfile.read(int(length))

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(answer.body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """The base class calls this for what is not HTTP, or not a method of ours."""
        self.close_connection = True
        status = HTTPStatus(code)
        self._send(RequestError(status, "bad_http", message or status.phrase).answer())

    def log_message(self, format: str, *args: Any) -> None:
        """Silent: an access log of a sandbox tells nothing that its book does not."""
