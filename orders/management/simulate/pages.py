"""What a visitor sees of a page: its links, and its forms with what is filled in already."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

Attributes = dict[str, str]
CHOICES = ("radio", "checkbox", "select")


@dataclass(slots=True)
class Field:
    """A control by its name: what it sends as it stands, and what else could be chosen."""

    name: str
    kind: str
    value: str | None = None  # None: nothing is sent
    options: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Form:
    """A form; `buttons` are the named ones, of which the pressed one is sent too."""

    action: str
    method: str
    fields: dict[str, Field] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)

    def data(self, answers: Mapping[str, str]) -> dict[str, str]:
        """What is sent: hidden and preset values stay, answers go over them."""
        preset = {f.name: f.value for f in self.fields.values() if f.value is not None}
        return {**preset, **answers}


@dataclass(slots=True)
class Page:
    """A page at its address."""

    url: str
    links: list[str] = field(default_factory=list)
    forms: list[Form] = field(default_factory=list)

    @property
    def path(self) -> str:
        return urlsplit(self.url).path

    def links_to(self, *beginnings: str) -> list[str]:
        """Addresses whose path begins so, each once."""
        found = [link for link in self.links if urlsplit(link).path.startswith(beginnings)]
        return list(dict.fromkeys(found))

    def form(self, fits: Callable[[Form], bool]) -> Form | None:
        """The first form to be posted that fits."""
        return next((form for form in self.forms if form.method == "post" and fits(form)), None)


def parse(url: str, html: str) -> Page:
    """The page that the HTML at that address makes."""
    reader = _Reader(url)
    reader.feed(html)
    return reader.page


class _Reader(HTMLParser):
    """Void and nested elements alike: only what stands inside a form belongs to it."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.page = Page(url)
        self._form: Form | None = None
        self._select: Field | None = None
        self._bare_option: bool | None = None  # its text is its value; True: it is selected

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "a" and given.get("href"):
            self.page.links.append(urljoin(self.page.url, given["href"]))
        elif tag == "form":
            action = urljoin(self.page.url, given.get("action", ""))
            self._form = Form(action or self.page.url, given.get("method", "get").lower())
            self.page.forms.append(self._form)
        elif self._form is not None and "disabled" not in given:
            self._control(tag, given, self._form)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "select":
            self._select = None

    def _control(self, tag: str, given: Attributes, form: Form) -> None:
        name, kind = given.get("name", ""), given.get("type", "text" if tag == "input" else "")
        if tag == "option":
            self._option(given)
        elif not name:
            return
        elif tag == "button" or kind in ("submit", "image"):
            form.buttons.append((name, given.get("value", "")))
        elif tag == "select":
            self._select = form.fields.setdefault(name, Field(name, "select"))
        elif tag == "textarea":
            form.fields[name] = Field(name, "textarea", "")
        elif tag == "input":
            _input(form, name, kind, given)

    def _option(self, given: Attributes) -> None:
        if "value" in given:
            self._offer(given["value"], "selected" in given)
        else:
            self._bare_option = "selected" in given

    def handle_data(self, data: str) -> None:
        if self._bare_option is not None:
            self._offer(data.strip(), self._bare_option)
            self._bare_option = None

    def _offer(self, value: str, is_selected: bool) -> None:
        if self._select is None:
            return
        self._select.options.append(value)
        if is_selected or self._select.value is None:
            self._select.value = value


def _input(form: Form, name: str, kind: str, given: Attributes) -> None:
    value = given.get("value", "on" if kind in CHOICES else "")
    if kind not in CHOICES:
        form.fields[name] = Field(name, kind, value)
        return
    known = form.fields.setdefault(name, Field(name, kind))
    known.options.append(value)
    if "checked" in given:
        known.value = value
