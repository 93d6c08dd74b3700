"""A browser that knows nothing of the shop but its pages: it follows links and fills in forms."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from html.parser import HTMLParser
from types import TracebackType
from typing import Self

import httpx

# Not the word of a robot: what it does is a visit, and is counted as one.
USER_AGENT = "Mozilla/5.0 (X11; Linux x86_64) Bench/1"
TIMEOUT_SECONDS = 60


@dataclass(slots=True)
class Form:
    """A form of a page, filled in as the page shows it."""

    action: str
    is_post: bool
    fields: dict[str, str] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)  # of all fields, empty ones and choices too


class _Forms(HTMLParser):
    """Collects the forms of a page: hidden and text fields, chosen radios and options."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            is_post = given.get("method", "").lower() == "post"
            self.forms.append(Form(given.get("action", ""), is_post))
        elif self.forms and tag in ("input", "textarea", "select", "option"):
            self._take(tag, given)

    def _take(self, tag: str, given: dict[str, str]) -> None:
        form = self.forms[-1]
        name = given.get("name", "")
        kind = given.get("type", "text")
        if tag == "select":
            self._select = name
        if tag == "option":
            name = self._select
            if "selected" in given or name not in form.fields:
                form.fields[name] = given.get("value", "")
        elif name and tag == "input" and (kind not in ("radio", "checkbox") or "checked" in given):
            form.fields[name] = given.get("value", "on" if kind == "checkbox" else "")
        form.names.add(name)


def forms_of(page: str) -> list[Form]:
    """The forms of a page, in its order."""
    parser = _Forms()
    parser.feed(page)
    return parser.forms


@cache
def trusted() -> ssl.SSLContext:
    """One for all: to read the certificates takes longer than a page does."""
    return httpx.create_ssl_context()


class Browser:
    """One shopper's: cookies of its own, the page it stands on, and how much it has asked for."""

    def __init__(self, url: str, *, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._client = httpx.Client(
            base_url=url,
            headers={"User-Agent": USER_AGENT},
            timeout=timeout_seconds,
            verify=trusted(),
            trust_env=False,
        )
        self.answer = httpx.Response(200)
        self.requests = 0
        self.statements = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.close()

    @property
    def path(self) -> str:
        """Where the browser stands."""
        return self.answer.url.path

    def get(self, path: str) -> httpx.Response:
        """Opens a page."""
        return self._ask("GET", path, {})

    def forms(self) -> list[Form]:
        """The forms of this page."""
        return forms_of(self.answer.text)

    def form(self, name: str) -> Form:
        """The form of this page that posts a field of that name."""
        for form in self.forms():
            if form.is_post and name in form.names:
                return form
        raise LookupError(f"{self.path} ({self.answer.status_code}) asks no {name}")

    def target(self, form: Form) -> str:
        """The path that a form of this page is sent to."""
        return self.answer.url.join(form.action).path if form.action else self.path

    def submit(self, form: Form, answers: Mapping[str, str] | None = None) -> httpx.Response:
        """Sends a form of this page, with these answers to those of its fields that it has."""
        given = {name: value for name, value in (answers or {}).items() if name in form.names}
        return self._ask("POST", self.target(form), form.fields | given)

    def _ask(self, method: str, path: str, fields: Mapping[str, str]) -> httpx.Response:
        """Asks, and follows where the answer sends it; each step is a request."""
        request = self._client.build_request(
            method, path, data=fields if method == "POST" else None
        )
        while True:
            self.answer = self._client.send(request)
            self.requests += 1
            self.statements += int(self.answer.headers.get("Statements", 0))
            if self.answer.next_request is None:
                return self.answer
            request = self.answer.next_request
