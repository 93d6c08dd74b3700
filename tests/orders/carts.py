"""Random carts and what can happen to their money, drawn by whoever gives the numbers.

`draw(low, high)` is hypothesis' or a plain generator's, so that the few carts that are shrunk and
the million that are not are the same ones.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from orders.pricing import (
    Item,
    OrderPrice,
    Price,
    Seller,
    VoucherTerms,
    order_prices,
    units_share_minor,
)
from payments.selectors import Accrual
from payments.services.split import SPLIT_OVER, Split, sources_of, split_of

Draw = Callable[[int, int], int]

# Minor units of what is cheap and what is dear in currencies of 0, 2 and 3 decimals.
DEAREST_MINOR = (50_000, 500_000, 5_000_000)
RATES_PPM = (0, 55_000, 70_000, 88_750, 190_000, 200_000, 1_000_000)


@dataclass(frozen=True, slots=True)
class Cart:
    """Items of some merchants, and the vouchers in the order in which they take off."""

    items: list[Item]
    sellers: dict[int, Seller]
    vouchers: list[VoucherTerms]

    def prices(self) -> list[OrderPrice]:
        """What it costs."""
        return order_prices(self.items, self.sellers, self.vouchers)


def draw_cart(draw: Draw) -> Cart:
    """A cart of up to three merchants, a quarter of them without any voucher."""
    dearest_minor = DEAREST_MINOR[draw(0, 2)]
    sellers = {
        merchant_id: Seller(
            commission_basis_points=draw(0, 10_000) if draw(0, 1) else 1_200,
            commission_tax_ppm=RATES_PPM[draw(0, 6)],
            prices_include_tax=bool(draw(0, 1)),
            delivery_minor=draw(0, 1) * draw(0, dearest_minor // 20),
            delivery_tax_ppm=RATES_PPM[draw(0, 6)],
        )
        for merchant_id in range(1, draw(1, 3) + 1)
    }
    items = [
        Item(
            merchant_id=merchant_id,
            quantity=draw(1, 4),
            unit_price_minor=draw(1, 9) if draw(0, 3) == 0 else draw(1, dearest_minor),
            tax_ppm=RATES_PPM[draw(0, 6)],
        )
        for merchant_id in sellers
        for _ in range(draw(1, 3))
    ]
    return Cart(items, sellers, [_voucher(draw, dearest_minor) for _ in range(draw(0, 3) // 2)])


def _voucher(draw: Draw, dearest_minor: int) -> VoucherTerms:
    kinds = ("percentage", "fixed", "free_delivery")
    kind = kinds[draw(0, 2)]
    merchant_id = draw(0, 3) or None
    return VoucherTerms(
        code="V",
        kind=kind,  # type: ignore[arg-type]
        basis_points=draw(1, 10_000),
        amount_minor=draw(0, 1) * draw(1, dearest_minor) or (kind == "fixed"),
        funded_by="merchant" if merchant_id and draw(0, 1) else "platform",
        merchant_id=merchant_id,
        minimum_minor=draw(0, 1) * draw(0, dearest_minor),
    )


def accrual_of(price: OrderPrice) -> Accrual:
    """What is frozen of an order, as `orders/services/complete.py` hands it on."""
    return Accrual(
        goods_minor=sum(line.payable_minor for line in price.lines),
        delivery_minor=price.delivery.payable_minor,
        commission_minor=price.commission_minor,
        commission_tax_minor=price.commission_tax_minor,
        subsidy_minor=price.subsidy_minor,
    )


class Book:
    """The accounts of one order, credit positive, and what of its money is left.

    A model of the postings: capture, refund, completion.
    """

    def __init__(self, accrual: Accrual) -> None:
        self.accrual = accrual
        self.is_completed = False
        self.captured_minor = self.left_minor = accrual.goods_minor + accrual.delivery_minor
        self.credits = Counter(escrow=self.captured_minor, channel_clearing=-self.captured_minor)

    @property
    def held(self) -> Split:
        """What merchant and house have of it."""
        return Split(*(self.credits[code] for code in SPLIT_OVER))

    def complete(self) -> None:
        """To merchant and house, as far as it is still here."""
        goods_minor = max(0, self.left_minor - self.accrual.delivery_minor)
        split = split_of(self.accrual, self.left_minor)
        self.credits["escrow"] -= self.left_minor
        for code in SPLIT_OVER:
            self.credits[code] += getattr(split, code)
        out_of_escrow = [leg for leg in (goods_minor, self.left_minor - goods_minor) if leg]
        self.accrual = Accrual(
            sum(out_of_escrow[:1]),
            sum(out_of_escrow[1:]),
            split.commission_income,
            split.tax_payable,
            -split.voucher_cost,
        )
        self.is_completed = True

    def refund(self, amount_minor: int) -> Mapping[str, int]:
        """Sends so much back; answers what it took from where, so that it can fail."""
        taken: Mapping[str, int] = {"escrow": amount_minor}
        if self.is_completed:
            taken = sources_of(
                amount_minor,
                escrow_minor=self.credits["escrow"],
                held=self.held,
                accrual=self.accrual,
            )
        assert sum(taken.values()) == amount_minor
        self._move(taken, amount_minor, +1)
        return taken

    def refund_fails(self, taken: Mapping[str, int]) -> None:
        """The mirror."""
        self._move(taken, sum(taken.values()), -1)

    def _move(self, taken: Mapping[str, int], amount_minor: int, sign: int) -> None:
        for code, minor in taken.items():
            self.credits[code] -= sign * minor
        self.credits["channel_clearing"] += sign * amount_minor
        self.left_minor -= sign * amount_minor


def check_cart(cart: Cart, prices: list[OrderPrice]) -> None:
    """Every sum is exact, and no part is less than nothing."""
    lines = [line for price in prices for line in price.lines]
    assert [price.merchant_id for price in prices] == sorted(cart.sellers)
    assert sum(line.total_minor for line in lines) == sum(item.total_minor for item in cart.items)
    for price in prices:
        includes_tax = cart.sellers[price.merchant_id].prices_include_tax
        rows = [*price.lines, price.delivery]
        for row in rows:
            _check_row(row, includes_tax=includes_tax)
        assert price.total_minor == (
            price.items_minor + price.delivery_minor - price.discount_minor + price.added_tax_minor
        )
        assert price.tax_minor == sum(row.tax_minor for row in rows)
        assert 0 <= price.subsidy_minor <= price.discount_minor
        assert 0 <= price.commission_minor <= price.items_minor
        assert 0 <= price.commission_tax_minor <= price.commission_minor


def _check_row(row: Price, *, includes_tax: bool) -> None:
    left_minor = row.total_minor - row.discount_minor
    assert 0 <= row.discount_minor <= row.total_minor
    assert row.added_tax_minor == (0 if includes_tax else row.tax_minor)
    # Half-up: the tax is off its exact value by at most half a unit.
    whole = 1_000_000 + (row.tax_ppm if includes_tax else 0)
    off = 2 * (row.tax_minor * whole - left_minor * row.tax_ppm)
    assert -whole < off <= whole


def check_money(price: OrderPrice, draw: Draw) -> None:
    """Goods go back before and after completion, in units and by hand, and at last all of it."""
    accrual = accrual_of(price)
    book = Book(accrual)
    assert book.captured_minor == price.total_minor
    gone_minor = 0
    completes_after = draw(0, 3)
    for number, wanted_minor in enumerate(_wanted(price, draw)):
        if number == completes_after and not book.is_completed:
            book.complete()
        amount_minor = min(wanted_minor, book.left_minor)
        taken = book.refund(amount_minor)
        if draw(0, 4) == 0:
            book.refund_fails(taken)
        else:
            gone_minor += amount_minor
        assert book.left_minor == book.captured_minor - gone_minor
        assert sum(book.credits.values()) == 0
    if not book.is_completed:
        book.complete()
    gone_minor += book.left_minor
    book.refund(book.left_minor)
    assert gone_minor == price.total_minor
    if price.total_minor:  # the platform pays for what was free, and no refund brings that back
        assert not any(book.credits.values()), book.credits


def _wanted(price: OrderPrice, draw: Draw) -> Iterator[int]:
    """Some units of a line, one after the other, and something by hand."""
    for line in price.lines:
        units, gone = draw(1, 4), 0
        shares = []
        while gone < units:
            some = draw(1, units - gone)
            minor = line.payable_minor
            shares.append(units_share_minor(minor=minor, quantity=units, gone=gone, units=some))
            gone += some
        assert sum(shares) == line.payable_minor
        yield from shares[: draw(0, len(shares))]
    yield draw(0, 1) * draw(0, price.total_minor)
