"""The checkout as its shopper sees it: what has been answered, what it costs, what is still open."""

from dataclasses import dataclass, replace

from django.db.models import OuterRef, Subquery
from django.db.models.functions import JSONObject
from django.utils.translation import gettext_lazy as _

from accounts.models import Address, Customer, Merchant, User
from core.errors import NotFound
from delivery.services import Quote, quote_all
from inventory.selectors import available
from orders.addresses import ADDRESS, CONTACT, address_lines, problems_of
from orders.models import Cart, CartLine, CheckoutRecord
from orders.pricing import Totals, VoucherTerms, totals_of
from orders.selectors.basket import (
    basket_lines,
    basket_prices,
    line_problems,
    line_title,
    lines_by_merchant,
    parcels_of,
)
from orders.selectors.voucher import CartVoucher, cart_voucher
from orders.sentences import Problem, amount
from orders.sums import PrintedSums, printed


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the basket at today's price, and what its shopper should know of it."""

    sku_id: int
    title: str
    quantity: int
    price: str
    total: str
    problem: Problem | None


@dataclass(frozen=True, slots=True)
class Part:
    """One merchant's part: its lines, the ways that it can go by, and the one that it goes by.

    `chosen` is None while the shopper has several ways to choose from, where the one that they
    chose is no longer offered, and where there is none.
    """

    merchant: Merchant
    lines: list[Line]
    goods_minor: int
    ways: list[Quote]
    chosen: Quote | None
    currency: str

    @property
    def asks(self) -> bool:
        """How it is delivered is the shopper's to say."""
        return len(self.ways) > 1 or bool(self.ways and self.chosen is None)

    @property
    def delivery(self) -> str:
        """What its delivery costs, in words for people."""
        return amount(self.chosen.amount_minor, self.currency) if self.chosen else ""

    @property
    def choices(self) -> list[tuple[Quote, str]]:
        """Each way with its price in words."""
        return [(way, amount(way.amount_minor, self.currency)) for way in self.ways]


@dataclass(frozen=True, slots=True)
class CheckoutView:
    """A record with the basket that it belongs to, priced as placing would price it now."""

    record: CheckoutRecord
    currency: str
    parts: list[Part]
    totals: Totals  # delivery as far as its way is known
    voucher: CartVoucher | None = None

    @property
    def total_minor(self) -> int:
        """What the shopper would pay."""
        return self.totals.total_minor

    @property
    def sums(self) -> PrintedSums:
        """Its totals, in words for people."""
        return printed(self.totals, self.currency)

    @property
    def terms(self) -> VoucherTerms | None:
        """What its voucher takes off, where it holds."""
        return self.voucher.terms if self.voucher else None

    @property
    def address_lines(self) -> list[str]:
        """Where it goes, as lines to read."""
        return address_lines({"name": self.record.name, **self.record.address})

    @property
    def has_contact(self) -> bool:
        """Who and where is answered."""
        return not problems_of(answers_of(self.record))

    @property
    def has_delivery(self) -> bool:
        """How each merchant delivers is settled, or can't be: then placing says why."""
        return all(part.chosen or not part.ways for part in self.parts)

    @property
    def asks_delivery(self) -> bool:
        """Somebody's delivery is the shopper's to say."""
        return any(part.asks for part in self.parts)


def answers_of(record: CheckoutRecord) -> dict[str, str]:
    """What has been answered about who and where, flat."""
    contact = {name: getattr(record, name) for name in CONTACT}
    return {**contact, **{name: record.address.get(name, "") for name in ADDRESS}}


def chosen_methods(record: CheckoutRecord) -> dict[int, int]:
    """The chosen way of each merchant, by id."""
    return {int(merchant): int(way) for merchant, way in record.delivery_methods.items()}


def checkout_of_token(token: str) -> CheckoutRecord:
    """The record that the token opens, with its cart. Raises NotFound `checkout.unknown`."""
    record = CheckoutRecord.objects.filter(token=token).select_related("cart").first()
    if record is None:
        raise NotFound("checkout.unknown", _("There is no such checkout."))
    return record


def checkout_of_cart(cart: Cart, user: User | None) -> CheckoutRecord:
    """The cart's record; where there is none yet one that is not stored, filled in for a user.

    Only what belongs to that login fills it: whose e-mail somebody typed is not theirs to see.
    """
    record = CheckoutRecord.objects.filter(cart=cart).first()
    if record is None:
        return CheckoutRecord(cart=cart, **(known_of(user) if user else {}))
    record.cart = cart
    return record


def known_of(user: User) -> dict[str, object]:
    """What a login has told before: contact and the address that it uses first; one query."""
    fields = ("name", "phone", *ADDRESS)
    newest = Address.objects.filter(customer=OuterRef("pk")).order_by("-is_default", "-pk")
    kept = newest.values(kept=JSONObject(**{name: name for name in fields}))[:1]
    customer = Customer.objects.filter(user=user).annotate(kept=Subquery(kept)).first()
    if customer is None:
        return {"email": user.email, "name": user.name[:120]}
    address = customer.kept or {}
    return {
        "email": customer.email,
        "name": (address.pop("name", "") or user.name)[:120],
        "phone": address.pop("phone", ""),
        "address": address,
    }


def email_of(user: User) -> str:
    """The address that a login's orders belong to."""
    kept = Customer.objects.filter(user=user).values_list("email", flat=True).first()
    return kept or user.email


def checkout_view(record: CheckoutRecord, *, look_at_stock: bool = True) -> CheckoutView:
    """The checkout priced as placing would price it now, without locks: four queries.

    Without a look at the stock one less; then nothing is said of lines. For a voucher one to three
    more; one that does not hold takes nothing off, and placing will refuse.
    """
    cart, methods = record.cart, chosen_methods(record)
    lines = list(basket_lines(cart, record.address))
    if not lines:
        return CheckoutView(record, cart.currency, [], Totals())
    left = available([line.sku_id for line in lines]) if look_at_stock else {}
    moment = lines[0].moment  # type: ignore[attr-defined]
    parcels = parcels_of(lines, cart.currency, {})
    ways = quote_all(cart_id=cart.pk, parcels=parcels, at=moment)
    parts = [
        _part(part, ways[merchant_id], methods.get(merchant_id), left)
        for merchant_id, part in lines_by_merchant(lines).items()
    ]
    quotes = {part.merchant.pk: part.chosen for part in parts if part.chosen}
    view = CheckoutView(record, cart.currency, parts, Totals(), cart_voucher(lines))
    totals = totals_of(basket_prices(lines, quotes, voucher=view.terms))
    if view.voucher and view.has_delivery:
        view = replace(view, voucher=view.voucher.priced(totals.total_minor))
        totals = totals_of(basket_prices(lines, quotes, voucher=view.terms))
    return replace(view, totals=totals)


def _part(
    lines: list[CartLine], ways: list[Quote], method_id: int | None, left: dict[int, int]
) -> Part:
    # Placing takes the chosen way or, without a choice, the first: never another than is shown.
    wanted = [way for way in ways if method_id in (None, way.method_id)]
    return Part(
        merchant=lines[0].sku.merchant,
        lines=[_line(line, left.get(line.sku_id)) for line in lines],
        goods_minor=sum(line.quantity * line.sku.price_minor for line in lines),
        ways=ways,
        chosen=wanted[0] if len(wanted) == 1 else None,
        currency=lines[0].sku.currency,
    )


def _line(line: CartLine, left: int | None) -> Line:
    sku = line.sku
    return Line(
        sku_id=sku.pk,
        title=line_title(line),
        quantity=line.quantity,
        price=amount(sku.price_minor, sku.currency),
        total=amount(line.quantity * sku.price_minor, sku.currency),
        problem=None if left is None else line_problem(line, left),
    )


def line_problem(line: CartLine, left: int) -> Problem | None:
    """What stands in a line's way, or has changed since it was added; None where all is well."""
    found = line_problems(
        sku=line.sku,
        quantity=line.quantity,
        seen_price_minor=line.seen_price_minor,
        left=left,
        where=f"line_{line.sku_id}",
    )
    return next(found, None)
