"""One simulated shopper: looks, fills the basket, checks out, pays, or leaves at any step.

Knows the shop as a browser does, by its pages: takes the forms as they stand, keeps what is filled
in, and answers what is empty. Every visit ends in one word that says how far it went.
"""

import random
from dataclasses import dataclass, field
from itertools import count
from threading import Event

import httpx
from django.utils.text import slugify

from orders.management.simulate.pages import Form, Page, parse

DOMAIN = "simulated.example"
BROWSER = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/131.0.0.0 Safari/537.36"
)
TIMEOUT_SECONDS = 10
MOST_CHECKOUT_PAGES = 6
MOST_LOOKS = 30  # at the pay page, while the channel is at it
NAMES = ("Ida Holm", "Jonas Weber", "Kaja Nowak", "Luís Prado", "Mira Øst", "Noor de Wit")
STREETS = ("Hafenstraße 12", "Kirkkokatu 5", "Rue du Port 8", "Ringweg 31")
# What a field is asked for, by a part of its name; the first that fits.
ANSWERS = (
    ("email", "{email}"),
    ("line1", "{street}"),
    ("line_1", "{street}"),
    ("line2", ""),
    ("line_2", ""),
    ("postcode", "28195"),
    ("postal", "28195"),
    ("city", "Bremen"),
    ("town", "Bremen"),
    ("country", "DE"),
    ("phone", ""),
    ("voucher", ""),
    ("note", ""),
    ("name", "{name}"),
)
_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Habits:
    """How often, of one, a shopper does what."""

    leaves_at_product: float = 0.3
    leaves_at_basket: float = 0.15
    leaves_at_checkout_page: float = 0.05
    leaves_at_pay: float = 0.05
    adds_another: float = 0.4
    is_refused: float = 0.1
    meets_3ds: float = 0.25
    pays_at_channel: float = 0.3
    tries_again: float = 0.6
    calls_off: float = 0.05
    think_seconds: float = 1.5

    @property
    def places(self) -> float:
        """The share that places an order: three checkout pages lie before it."""
        stays = (1 - self.leaves_at_product) * (1 - self.leaves_at_basket)
        return stays * (1 - self.leaves_at_checkout_page) ** 3


@dataclass(frozen=True, slots=True)
class Street:
    """Where the shop and its channel's pay page are. Once it is closing everybody goes home."""

    shop_url: str
    pay_url: str
    closing: Event = field(default_factory=Event)


class Left(Exception):
    """The visit is over; the message says where."""


class Shopper:
    """A visitor with a browser of their own. `visit()` never raises what a shop may answer."""

    def __init__(self, street: Street, dice: random.Random, habits: Habits) -> None:
        self._shop, self._channel, self._closing = street.shop_url, street.pay_url, street.closing
        self._dice, self._habits = dice, habits
        self._browser = httpx.Client(
            headers={"User-Agent": BROWSER, "Accept-Language": "en"},
            follow_redirects=True,
            timeout=TIMEOUT_SECONDS,
            trust_env=False,
        )
        number = next(_numbers)
        name = dice.choice(NAMES)
        self._words = {
            "email": f"{slugify(name.split()[0])}.{number}.{dice.getrandbits(32):x}@{DOMAIN}",
            "name": name,
            "street": dice.choice(STREETS),
        }

    def visit(self) -> str:
        """The whole visit; answers how it ended."""
        try:
            with self._browser:
                basket = self._fill_basket()
                pay = self._check_out(basket)
                return self._after_paying(self._pay(pay))
        except Left as left:
            return str(left)
        except httpx.HTTPError as error:
            return f"no answer ({type(error).__name__})"

    def _fill_basket(self) -> Page:
        page = self._add_one()
        self._may_leave(self._habits.leaves_at_basket, "left at the basket")
        while self._chance(self._habits.adds_another):
            page = self._add_one()
        return page

    def _add_one(self) -> Page:
        home = self._get(self._shop + "/")
        shelves = home.links_to("/p/")
        if categories := home.links_to("/c/"):  # one may be empty: then what the home page shows
            shelves = self._get(self._dice.choice(categories)).links_to("/p/") or shelves
        product = self._get(self._one_of(shelves, "no products"))
        self._may_leave(self._habits.leaves_at_product, "left at a product")
        form = product.form(_adds)
        if form is None:
            raise Left("left before an empty shelf")
        # Another currency than the basket's, or sold out meanwhile: the basket stays as it was.
        self._submit(form)
        return self._get(self._shop + "/basket/")

    def _check_out(self, page: Page) -> Page:
        page = self._get(self._one_of(page.links_to("/checkout/"), "left with an empty basket"))
        for _ in range(MOST_CHECKOUT_PAGES):
            if page.path.endswith("/pay/"):
                return page
            self._may_leave(self._habits.leaves_at_checkout_page, f"left at {page.path}")
            form = page.form(lambda form, page=page: _goes_on(form, page))  # type: ignore[misc]
            if form is None:
                raise Left(f"lost at {page.path}")
            page = self._submit(form)
        raise Left(f"refused at {page.path}")

    def _pay(self, page: Page) -> Page:
        """Until the pay page lets go; it shows its form again where the payment was refused."""
        self._may_leave(self._habits.leaves_at_pay, "left at the pay page")
        page, asks_again = self._submit_payment(page), False
        for _ in range(MOST_LOOKS):
            if page.url.startswith(self._channel):
                page = self._press(page)
            elif not page.path.endswith("/pay/"):
                return page
            elif links := [link for link in page.links if link.startswith(self._channel)]:
                page = self._get(links[0])
            elif page.form(_pays) and asks_again:  # a second look: it was not only a moment
                if not self._chance(self._habits.tries_again):
                    raise Left("refused by the channel")
                page, asks_again = self._submit_payment(page), False
            else:
                asks_again = page.form(_pays) is not None
                self._think()
                page = self._get(page.url)
        raise Left("tired of waiting")

    def _submit_payment(self, page: Page) -> Page:
        form = page.form(_pays)
        if form is None:
            raise Left("lost at the pay page")
        return self._submit(form)

    def _press(self, page: Page) -> Page:
        """At the channel's own page: the button that pays, or the one that does not."""
        if not page.forms:  # it has been decided: the only way is back
            return self._get(self._one_of(page.links, "lost at the channel"))
        [form] = page.forms
        buttons = [value for _name, value in form.buttons]
        refused = self._chance(self._habits.is_refused / 2)  # there may be two pages
        wanted = ("refuse", "fail") if refused else ("pay", "confirm")
        pressed = next(value for value in buttons if value in wanted)
        return self._submit(form, {form.buttons[0][0]: pressed})

    def _after_paying(self, page: Page) -> str:
        if not self._chance(self._habits.calls_off):
            return "paid"
        for link in page.links_to(f"{page.path}cancel/"):
            form = self._get(link).form(lambda form: "cancel" in form.action)
            if form:
                self._submit(form)
                return "called off"
        return "paid"

    def _submit(self, form: Form, pressed: dict[str, str] | None = None) -> Page:
        self._think()
        answers = {name: answer for name in form.fields if (answer := self._answer(form, name))}
        button = dict(form.buttons[:1]) if pressed is None else pressed
        return self._page(self._browser.post(form.action, data=form.data(answers | button)))

    def _answer(self, form: Form, name: str) -> str | None:
        """What this shopper gives where the form leaves a choice or a gap; None: as it stands."""
        asked = form.fields[name]
        if any("tok_" in option for option in asked.options):
            return self._outcome(asked.options)
        if asked.kind == "radio" and asked.options:
            return self._dice.choice(asked.options)
        if asked.kind == "checkbox":
            return asked.options[0]
        if asked.kind == "select":
            return "DE" if "DE" in asked.options else None
        if asked.kind != "hidden" and not asked.value:
            words = next((words for part, words in ANSWERS if part in name), "")
            return words.format(**self._words) or None
        return None

    def _outcome(self, options: list[str]) -> str | None:
        """Of the sandbox's cards: one that is refused, one that asks back, one that pays, or none."""
        fate = self._dice.random()
        refused, asks = self._habits.is_refused, self._habits.is_refused + self._habits.meets_3ds
        wanted = "refused" if fate < refused else "3ds" if fate < asks else "ok"
        if self._chance(self._habits.pays_at_channel):
            return next((option for option in options if "tok_" not in option), None)
        return next((option for option in options if option.endswith(wanted)), None)

    def _get(self, url: str) -> Page:
        self._think()
        return self._page(self._browser.get(url))

    def _page(self, answer: httpx.Response) -> Page:
        if answer.is_server_error:
            raise Left(f"error {answer.status_code} at {answer.url.path}")
        return parse(str(answer.url), answer.text)

    def _one_of(self, links: list[str], otherwise: str) -> str:
        if not links:
            raise Left(otherwise)
        return self._dice.choice(links)

    def _may_leave(self, share: float, where: str) -> None:
        if self._chance(share):
            raise Left(where)

    def _chance(self, share: float) -> bool:
        return self._dice.random() < share

    def _think(self) -> None:
        pause = self._habits.think_seconds and self._dice.expovariate(
            1 / self._habits.think_seconds
        )
        if self._closing.wait(pause):
            raise Left("sent home")


def _adds(form: Form) -> bool:
    return any("sku" in name or name == "quantity" for name in form.fields)


def _goes_on(form: Form, page: Page) -> bool:
    """A step's own form: it goes to a page of the checkout, and asks or confirms something."""
    return "/checkout" in form.action and "update" not in {name for name, _ in form.buttons[:1]}


def _pays(form: Form) -> bool:
    return "/pay" in form.action and "extend" not in form.action
