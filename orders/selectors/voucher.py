"""Whether a voucher holds for a basket: one answer for pages and API, and for placing under its lock."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, OuterRef, Subquery
from django.db.models.functions import Coalesce
from django.utils.formats import date_format
from django.utils.timezone import localtime

from accounts.models import Customer
from core import clock
from core.clock import BusinessNow
from orders.models import Cart, CartLine, CheckoutRecord, Voucher, VoucherUse
from orders.pricing import VoucherTerms
from orders.sentences import Problem, amount

FIELD = "voucher"


@dataclass(frozen=True, slots=True)
class Goods:
    """What a voucher looks at in a basket: what each merchant's goods cost, in one currency."""

    currency: str
    minor_by_merchant: dict[int, int]

    def touched_minor(self, voucher: Voucher) -> int:
        """What the goods cost that the voucher is for."""
        if voucher.merchant_id is None:
            return sum(self.minor_by_merchant.values())
        return self.minor_by_merchant.get(voucher.merchant_id, 0)

    def touches(self, voucher: Voucher) -> bool:
        """There are goods that it is for."""
        if voucher.merchant_id is None:
            return bool(self.minor_by_merchant)
        return voucher.merchant_id in self.minor_by_merchant


@dataclass(frozen=True, slots=True)
class Uses:
    """How often a customer uses a voucher, at a moment of business time."""

    count: int
    moment: datetime


@dataclass(frozen=True, slots=True)
class CartVoucher:
    """The voucher that a cart carries, and why it does not hold for what is in the cart now."""

    voucher: Voucher
    problem: Problem | None

    @property
    def terms(self) -> VoucherTerms | None:
        """What it takes off; nothing where it does not hold."""
        return None if self.problem else self.voucher.terms

    def priced(self, total_minor: int) -> "CartVoucher":
        """The same, knowing what is left to pay with it: where that is nothing it does not hold."""
        if self.problem or total_minor:
            return self
        return CartVoucher(self.voucher, Problem("order.nothing_to_pay", FIELD))


def cart_voucher(lines: Sequence[CartLine]) -> CartVoucher | None:
    """The voucher of the cart with these lines, read without a lock; None where it carries none.

    The lines are those of `orders.selectors.basket.basket_lines`. Asks nothing without a voucher.
    """
    cart = lines[0].cart if lines else None
    if cart is None or cart.voucher is None:
        return None
    voucher = cart.voucher
    customer = None if voucher.per_customer_limit is None else shopper_of(cart)
    uses = uses_of(voucher, customer)
    return CartVoucher(voucher, voucher_problem(voucher, goods_of(lines, cart.currency), uses))


def voucher_of_code(code: str) -> Voucher | None:
    """The voucher of that code as somebody has typed it."""
    typed = code.strip().upper()
    if not (typed.isascii() and typed.isprintable()):
        return None
    return Voucher.objects.filter(code=typed).select_related("merchant").first()


def goods_of(lines: Iterable[CartLine], currency: str) -> Goods:
    """The goods of a cart that are for sale, at today's prices."""
    minor_by_merchant: dict[int, int] = {}
    for line in lines:
        if line.sku.for_sale:
            before = minor_by_merchant.get(line.sku.merchant_id, 0)
            total_minor = line.quantity * line.sku.price_minor
            minor_by_merchant[line.sku.merchant_id] = before + total_minor
    return Goods(currency, minor_by_merchant)


def uses_of(voucher: Voucher, customer: Customer | None) -> Uses:
    """The uses of it that count of one customer; none of nobody's.

    Read with the time by one statement: asked for under the voucher's lock, both are of then.
    """
    if customer is None or voucher.per_customer_limit is None:
        return Uses(0, clock.now())
    mine = VoucherUse.objects.filter(
        customer=customer, shard_key=customer.shard_key, voucher=OuterRef("pk"), given_back_at=None
    )
    count = mine.order_by().values("voucher").annotate(count=Count("pk")).values("count")
    rows = Voucher.objects.annotate(mine=Coalesce(Subquery(count), 0), moment=BusinessNow())
    return Uses(*rows.values_list("mine", "moment").get(pk=voucher.pk))


def most_uses_of_one(voucher: Voucher) -> int:
    """How often the customer uses it who uses it most."""
    counting = VoucherUse.objects.filter(voucher=voucher, given_back_at=None)
    counts = counting.values("customer").annotate(count=Count("pk")).order_by("-count")
    return counts.values_list("count", flat=True).first() or 0


def shopper_of(cart: Cart) -> Customer | None:
    """Whoever the cart's shopper has said to be: at the checkout, or else by a login."""
    record = CheckoutRecord.objects.filter(cart=cart).exclude(email="").first()
    if record is None:
        return cart.customer
    return Customer.objects.filter(email=record.email.strip().lower()).first()


def voucher_problem(voucher: Voucher, goods: Goods, uses: Uses) -> Problem | None:
    """Why the voucher does not hold for these goods and this customer; None where it does."""
    return (
        _by_itself(voucher, uses.moment)
        or limit_problem(voucher, uses.count)
        or _by_goods(voucher, goods)
    )


def limit_problem(voucher: Voucher, own_uses: int) -> Problem | None:
    """Why nobody, or not this customer, may use it once more; None where they may."""
    if voucher.per_customer_limit is not None and own_uses >= voucher.per_customer_limit:
        return Problem("voucher.used_by_you", FIELD)
    if voucher.is_used_up:
        return Problem("voucher.used_up", FIELD)
    return None


def _by_itself(voucher: Voucher, moment: datetime) -> Problem | None:
    if not voucher.active:
        return Problem("voucher.stopped", FIELD)
    if moment < voucher.starts_at:
        return Problem("voucher.not_yet", FIELD, {"date": _date(voucher.starts_at)})
    if voucher.ends_at is not None and voucher.is_over(moment):
        return Problem("voucher.expired", FIELD, {"date": _date(voucher.ends_at)})
    return None


def _by_goods(voucher: Voucher, goods: Goods) -> Problem | None:
    merchant = voucher.merchant
    if voucher.currency not in ("", goods.currency or voucher.currency):
        facts = {"currency": voucher.currency, "cart_currency": goods.currency}
        return Problem("voucher.currency", FIELD, facts)
    if not goods.touches(voucher):
        if merchant:
            return Problem("voucher.no_goods", FIELD, {"merchant": merchant.name})
        return Problem("voucher.empty_basket", FIELD)
    missing_minor = voucher.minimum_minor - goods.touched_minor(voucher)
    if missing_minor > 0:
        facts = {"amount": amount(missing_minor, goods.currency)}
        if merchant:
            return Problem("voucher.minimum_at", FIELD, facts | {"merchant": merchant.name})
        return Problem("voucher.minimum", FIELD, facts)
    return None


def _date(moment: datetime) -> str:
    return date_format(localtime(moment), "DATE_FORMAT")
