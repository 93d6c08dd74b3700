"""The basket as a page shows it: by merchant, at today's prices, with what has changed since."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from django.core.files.storage import default_storage
from django.db.models import Case, F, OuterRef, Q, QuerySet, Subquery, Sum, Value, When

from accounts.models import Customer, Merchant
from catalog.models import ProductImage, Sku
from core.clock import BusinessNow
from delivery.services import Parcel, Quote, quote_all
from inventory.selectors import available
from orders.models import Cart, CartLine
from orders.pricing import totals_of
from orders.selectors.basket import basket_prices, line_problems, title_of
from orders.selectors.voucher import CartVoucher, cart_voucher
from orders.sentences import Problem


@dataclass(frozen=True, slots=True)
class BasketLine:
    """Some units of a SKU. `available` is what one line can have at most."""

    sku: Sku
    image_url: str
    quantity: int
    seen_price_minor: int
    available: int

    @property
    def name(self) -> str:
        """Product and variant."""
        return title_of(self.sku)

    @property
    def gone(self) -> bool:
        """Not to be had at all: off sale, or sold out."""
        return not self.sku.for_sale or self.available < 1

    @property
    def short(self) -> bool:
        """To be had, but not as many."""
        return not self.gone and self.available < self.quantity

    @property
    def price_changed(self) -> bool:
        """Costs something else than when it was put in."""
        return not self.gone and self.sku.price_minor != self.seen_price_minor

    @property
    def problems(self) -> list[Problem]:
        """What has changed since the line was put in, in the words of the error catalogue."""
        return list(
            line_problems(
                sku=self.sku,
                quantity=self.quantity,
                seen_price_minor=self.seen_price_minor,
                left=self.available,
            )
        )

    @property
    def total_minor(self) -> int:
        """At today's price; what is gone costs nothing."""
        return 0 if self.gone else self.quantity * self.sku.price_minor


@dataclass(frozen=True, slots=True)
class BasketPart:
    """One merchant's lines, and its first way of delivery; None where none has a price yet."""

    merchant: Merchant
    lines: list[BasketLine]
    delivery: Quote | None

    @property
    def goods_minor(self) -> int:
        """All lines of this merchant."""
        return sum(line.total_minor for line in self.lines)


@dataclass(frozen=True, slots=True)
class BasketPage:
    """What is in a cart, merchants by id, lines as they were put in."""

    currency: str
    parts: list[BasketPart]
    voucher: CartVoucher | None = None
    discount_minor: int = 0  # of goods, and of delivery where it is known

    @property
    def lines(self) -> list[BasketLine]:
        """Those of all merchants."""
        return [line for part in self.parts for line in part.lines]

    @property
    def units(self) -> int:
        """How many things lie in the basket."""
        return sum(line.quantity for line in self.lines)

    @property
    def goods_minor(self) -> int:
        """All lines of all merchants."""
        return sum(part.goods_minor for part in self.parts)

    @property
    def delivery_minor(self) -> int:
        """What delivery costs where it is known."""
        return sum(part.delivery.amount_minor for part in self.parts if part.delivery)

    @property
    def delivery_known(self) -> bool:
        """Whether every merchant's delivery has a price yet."""
        return all(part.delivery for part in self.parts if part.goods_minor)

    @property
    def total_minor(self) -> int:
        """Goods, and delivery where it is known, with what the voucher takes off."""
        return self.goods_minor + self.delivery_minor - self.discount_minor

    @property
    def plus_tax(self) -> bool:
        """Some merchant's tax comes on top, when it is known where the goods go."""
        return not all(part.merchant.prices_include_tax for part in self.parts)

    @property
    def changed(self) -> bool:
        """Something is not as it was when it was put in, and `cart_settle` can say so."""
        return any(line.short or line.price_changed for line in self.lines)

    @property
    def blocked(self) -> bool:
        """It can't be ordered as it lies here."""
        return any(line.short or line.gone for line in self.lines)

    @property
    def can_check_out(self) -> bool:
        """Nothing that lies in it, nor its voucher, would be refused."""
        return not self.blocked and not (self.voucher and self.voucher.problem)


def open_carts(*, token: str, user_id: int | None) -> QuerySet[Cart]:
    """Carts that a visitor may use: a guest's by its token, or the login's own.

    The first one is meant: with goods before empty, the guest's before the login's. Both sides of
    the condition have an index, and the customer is found once.
    """
    allowed = Q(token=token, guest=True)
    if user_id is not None:
        own = Customer.objects.filter(user_id=user_id).values("pk")[:1]
        allowed |= Q(customer_id=Subquery(own), guest=False)
    empty_last = Case(When(currency="", then=Value(1)), default=Value(0))
    carts = Cart.objects.filter(allowed, placed_group_id=None)
    return carts.order_by(empty_last, "-guest", "-pk")


def basket_units(*, token: str, user_id: int | None) -> int:
    """How many things lie in the visitor's basket; one query."""
    cart = open_carts(token=token, user_id=user_id).values("pk")[:1]
    found = CartLine.objects.filter(cart=Subquery(cart)).aggregate(units=Sum("quantity"))
    return found["units"] or 0


def basket_page(*, token: str, user_id: int | None) -> BasketPage:
    """The visitor's basket; four queries, one where it is empty; one or three more for a voucher."""
    cart = open_carts(token=token, user_id=user_id).values("pk")[:1]
    picture = ProductImage.objects.filter(product=OuterRef("sku__product")).values("image")[:1]
    rows = list(
        CartLine.objects.filter(cart=Subquery(cart))
        .select_related(
            *("sku__product", "sku__merchant", "cart__customer", "cart__voucher__merchant")
        )
        .annotate(picture=Subquery(picture), currency=F("cart__currency"), moment=BusinessNow())
        .annotate(tax_ppm=Value(0), delivery_tax_ppm=Value(0))  # nobody knows yet where it goes
        .order_by("pk")
    )
    if not rows:
        return BasketPage("", [])
    stock = available({row.sku_id for row in rows})
    parts: dict[int, list[BasketLine]] = defaultdict(list)
    for row in rows:
        parts[row.sku.merchant_id].append(_line(row, stock[row.sku_id]))
    currency: str = rows[0].currency
    moment: datetime = rows[0].moment
    parcels = [_parcel(merchant_id, lines, currency) for merchant_id, lines in parts.items()]
    ways = quote_all(cart_id=rows[0].cart_id, parcels=parcels, at=moment)
    page = BasketPage(
        currency,
        [
            BasketPart(lines[0].sku.merchant, lines, next(iter(ways[merchant_id]), None))
            for merchant_id, lines in sorted(parts.items())
        ],
    )
    there = [row for row in rows if row.sku.for_sale and stock[row.sku_id] > 0]
    return _with_voucher(page, there)


def _with_voucher(page: BasketPage, rows: Sequence[CartLine]) -> BasketPage:
    """The page with the voucher of the cart that can be had of these lines."""
    entered = cart_voucher(rows)
    if entered is None:
        return page
    quotes = {part.merchant.pk: part.delivery for part in page.parts if part.delivery}
    totals = totals_of(basket_prices(rows, quotes, voucher=entered.terms))
    if page.delivery_known:
        entered = entered.priced(totals.total_minor)
    discount_minor = 0 if entered.problem else totals.discount_minor
    return replace(page, voucher=entered, discount_minor=discount_minor)


def _line(row: CartLine, available_units: int) -> BasketLine:
    name: str | None = row.picture  # type: ignore[attr-defined]
    url = default_storage.url(name) if name else ""
    return BasketLine(row.sku, url, row.quantity, row.seen_price_minor, available_units)


def _parcel(merchant_id: int, lines: list[BasketLine], currency: str) -> Parcel:
    there = [line for line in lines if not line.gone]
    return Parcel(
        merchant_id=merchant_id,
        currency=currency,
        goods_minor=sum(line.total_minor for line in there),
        weight_g=sum(line.quantity * line.sku.weight_g for line in there),
    )
