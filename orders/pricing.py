"""What an order costs: pure integers in minor units, no database, no clock.

Everything is computed once, at placing, and stored: later refunds subtract and never split again.
First the vouchers take off, one after the other, then each line and each delivery is taxed.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from core.money import PARTS_PER_MILLION, allocate, prorate_half_up, share_half_up


@dataclass(frozen=True, slots=True)
class Item:
    """Some units of a SKU at a price; their tax is a share of it, in parts per million."""

    merchant_id: int
    quantity: int
    unit_price_minor: int
    tax_ppm: int = 0

    @property
    def total_minor(self) -> int:
        """Price of all the units."""
        return self.quantity * self.unit_price_minor


@dataclass(frozen=True, slots=True, kw_only=True)
class Seller:
    """The terms of one merchant's part: its delivery, its tax, and what the house takes of it."""

    commission_basis_points: int
    commission_tax_ppm: int = 0
    prices_include_tax: bool = True
    delivery_minor: int = 0
    delivery_tax_ppm: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class VoucherTerms:
    """What a voucher takes off, and who pays for that.

    It touches the part of its merchant, or everybody's where it names none, and takes nothing off
    where the goods that it touches cost less than `minimum_minor`. `percentage` takes
    `basis_points` of these goods, `fixed` takes `amount_minor` and at most the goods,
    `free_delivery` takes their delivery, at most `amount_minor` where that is not 0.
    """

    code: str
    kind: Literal["percentage", "fixed", "free_delivery"]
    basis_points: int = 0
    amount_minor: int = 0
    funded_by: Literal["platform", "merchant"] = "platform"
    merchant_id: int | None = None
    minimum_minor: int = 0


@dataclass(frozen=True, slots=True)
class Price:
    """A line, or the delivery: `total_minor` before the discount, and its tax.

    The tax is contained in what is left after the discount, and `added_tax_minor` is 0, or it
    comes on top, and `added_tax_minor` is all of it.
    """

    total_minor: int
    discount_minor: int
    tax_ppm: int
    tax_minor: int
    added_tax_minor: int

    @property
    def payable_minor(self) -> int:
        """What the buyer pays for it."""
        return self.total_minor - self.discount_minor + self.added_tax_minor


@dataclass(frozen=True, slots=True)
class OrderPrice:
    """One merchant's part: its lines as they were given, delivery, and what is frozen with them.

    `subsidy_minor` is what of the discount the platform pays to the merchant.
    """

    merchant_id: int
    lines: list[Price]
    delivery: Price
    subsidy_minor: int
    commission_minor: int
    commission_tax_minor: int

    @property
    def items_minor(self) -> int:
        """The goods before discounts."""
        return sum(line.total_minor for line in self.lines)

    @property
    def delivery_minor(self) -> int:
        """The delivery before discounts."""
        return self.delivery.total_minor

    @property
    def discount_minor(self) -> int:
        """What is taken off, goods and delivery."""
        return self.delivery.discount_minor + sum(line.discount_minor for line in self.lines)

    @property
    def tax_minor(self) -> int:
        """All tax, be it contained or on top."""
        return self.delivery.tax_minor + sum(line.tax_minor for line in self.lines)

    @property
    def added_tax_minor(self) -> int:
        """The tax that comes on top."""
        return self.delivery.added_tax_minor + sum(line.added_tax_minor for line in self.lines)

    @property
    def total_minor(self) -> int:
        """What the buyer pays for this order."""
        return self.delivery.payable_minor + sum(line.payable_minor for line in self.lines)


@dataclass(frozen=True, slots=True)
class Totals:
    """The sums of some orders: what is paid is items + delivery - discount + added tax."""

    items_minor: int = 0
    delivery_minor: int = 0
    discount_minor: int = 0
    tax_minor: int = 0
    added_tax_minor: int = 0

    @property
    def total_minor(self) -> int:
        """What the buyer pays."""
        before_tax_minor = self.items_minor + self.delivery_minor - self.discount_minor
        return before_tax_minor + self.added_tax_minor


@dataclass(frozen=True, slots=True)
class _Cut:
    """What one voucher takes off each item and off each merchant's delivery."""

    items: list[int]
    delivery: Mapping[int, int]


def totals_of(prices: Iterable[OrderPrice]) -> Totals:
    """The sums of a group."""
    rows = list(prices)
    return Totals(
        items_minor=sum(price.items_minor for price in rows),
        delivery_minor=sum(price.delivery_minor for price in rows),
        discount_minor=sum(price.discount_minor for price in rows),
        tax_minor=sum(price.tax_minor for price in rows),
        added_tax_minor=sum(price.added_tax_minor for price in rows),
    )


def order_prices(
    items: Sequence[Item],
    sellers: Mapping[int, Seller],
    vouchers: Sequence[VoucherTerms] = (),
) -> list[OrderPrice]:
    """One price per merchant, in the order of the merchants' ids.

    Commission = half-up((items - discounts that the merchant pays - tax contained in them) × basis
    points / 10,000): on goods, without delivery and tax. The tax on it is half-up(commission × its
    parts per million / 10⁶).
    """
    cuts = _cuts(items, sellers, vouchers)
    places: dict[int, list[int]] = defaultdict(list)
    for place, item in enumerate(items):
        places[item.merchant_id].append(place)
    return [
        _order_price(merchant_id, places[merchant_id], items, sellers[merchant_id], vouchers, cuts)
        for merchant_id in sorted(places)
    ]


def _order_price(
    merchant_id: int,
    places: Sequence[int],
    items: Sequence[Item],
    seller: Seller,
    vouchers: Sequence[VoucherTerms],
    cuts: Sequence[_Cut],
) -> OrderPrice:
    lines = [
        price_of(
            items[place].total_minor,
            discount_minor=sum(cut.items[place] for cut in cuts),
            tax_ppm=items[place].tax_ppm,
            includes_tax=seller.prices_include_tax,
        )
        for place in places
    ]
    delivery = price_of(
        seller.delivery_minor,
        discount_minor=sum(cut.delivery.get(merchant_id, 0) for cut in cuts),
        tax_ppm=seller.delivery_tax_ppm,
        includes_tax=seller.prices_include_tax,
    )
    subsidy_minor = own_minor = 0  # what of the discount the platform pays, and the merchant
    for voucher, cut in zip(vouchers, cuts, strict=True):
        goods_minor = sum(cut.items[place] for place in places)
        if voucher.funded_by == "platform":
            subsidy_minor += goods_minor + cut.delivery.get(merchant_id, 0)
        else:
            own_minor += goods_minor
    basis_minor = sum(line.total_minor - line.tax_minor + line.added_tax_minor for line in lines)
    commission_minor = share_half_up(basis_minor - own_minor, seller.commission_basis_points)
    return OrderPrice(
        merchant_id=merchant_id,
        lines=lines,
        delivery=delivery,
        subsidy_minor=subsidy_minor,
        commission_minor=commission_minor,
        commission_tax_minor=prorate_half_up(
            commission_minor, seller.commission_tax_ppm, PARTS_PER_MILLION
        ),
    )


def price_of(total_minor: int, *, discount_minor: int, tax_ppm: int, includes_tax: bool) -> Price:
    """A line with its tax, of what is left after the discount, half-up to the minor unit.

    Contained: gross × ppm / (10⁶ + ppm). On top: net × ppm / 10⁶.
    """
    left_minor = total_minor - discount_minor
    whole = PARTS_PER_MILLION + tax_ppm if includes_tax else PARTS_PER_MILLION
    tax_minor = prorate_half_up(left_minor, tax_ppm, whole)
    added_minor = 0 if includes_tax else tax_minor
    return Price(total_minor, discount_minor, tax_ppm, tax_minor, added_minor)


def _cuts(
    items: Sequence[Item], sellers: Mapping[int, Seller], vouchers: Sequence[VoucherTerms]
) -> list[_Cut]:
    """What each voucher takes off of what those before it have left."""
    goods_left = [item.total_minor for item in items]
    delivery_left = {merchant_id: seller.delivery_minor for merchant_id, seller in sellers.items()}
    cuts = []
    for voucher in vouchers:
        cut = _cut(voucher, items, goods_left, delivery_left)
        goods_left = [left - off for left, off in zip(goods_left, cut.items, strict=True)]
        delivery_left = {
            merchant_id: left - cut.delivery.get(merchant_id, 0)
            for merchant_id, left in delivery_left.items()
        }
        cuts.append(cut)
    return cuts


def _cut(
    voucher: VoucherTerms,
    items: Sequence[Item],
    goods_left: Sequence[int],
    delivery_left: Mapping[int, int],
) -> _Cut:
    touched: dict[int, list[int]] = defaultdict(list)
    for place, item in enumerate(items):
        if voucher.merchant_id in (None, item.merchant_id):
            touched[item.merchant_id].append(place)
    worth_minor = sum(items[place].total_minor for part in touched.values() for place in part)
    off = [0] * len(items)
    if not touched or worth_minor < voucher.minimum_minor:
        return _Cut(off, {})
    if voucher.kind == "free_delivery":
        return _Cut(off, _delivery_off(voucher, {key: delivery_left[key] for key in touched}))
    goods = {key: sum(goods_left[place] for place in part) for key, part in touched.items()}
    parts = _split(_goods_off(voucher, sum(goods.values())), goods)
    for merchant_id, places in touched.items():
        weights = [goods_left[place] for place in places]
        for place, minor in zip(places, allocate(parts[merchant_id], weights), strict=True):
            off[place] = minor
    return _Cut(off, {})


def _goods_off(voucher: VoucherTerms, goods_minor: int) -> int:
    if voucher.kind == "percentage":
        return share_half_up(goods_minor, voucher.basis_points)
    return min(voucher.amount_minor, goods_minor)


def _delivery_off(voucher: VoucherTerms, delivery: Mapping[int, int]) -> dict[int, int]:
    all_minor = sum(delivery.values())
    return _split(min(voucher.amount_minor or all_minor, all_minor), delivery)


def _split(minor: int, weights: Mapping[int, int]) -> dict[int, int]:
    """By largest remainder over merchants, of equal ones to the lower id first."""
    keys = sorted(weights)
    return dict(zip(keys, allocate(minor, [weights[key] for key in keys]), strict=True))


def units_share_minor(*, minor: int, quantity: int, gone: int, units: int) -> int:
    """What `units` more of a line's units are worth, of which `gone` went before.

    Each unit has its place in the cumulative sum, rounded down, so that any way of taking the units
    of a line one after the other ends at its amount, to the minor unit.
    """
    if not 0 <= gone <= gone + units <= quantity:
        raise ValueError(f"{gone} and {units} more of {quantity} units")
    return minor * (gone + units) // quantity - minor * gone // quantity


class SoldLine(Protocol):
    """A line as it was sold, and how many of its units are called off."""

    quantity: int
    cancelled_quantity: int
    total_minor: int
    discount_minor: int
    tax_minor: int
    added_tax_minor: int


class SoldOrder(Protocol):
    """The delivery of an order as it was sold."""

    delivery_minor: int
    delivery_discount_minor: int
    delivery_tax_minor: int
    added_tax_minor: int


def kept_sums(order: SoldOrder, lines: Iterable[SoldLine]) -> Totals:
    """What an order costs without the units that are called off.

    The total is what these leave of it by `units_share_minor`, so the discount is what is missing.
    """
    items_minor = tax_minor = added_minor = goods_minor = 0
    for line in lines:
        payable_minor = line.total_minor - line.discount_minor + line.added_tax_minor
        items_minor += _kept(line.total_minor, line)
        tax_minor += _kept(line.tax_minor, line)
        added_minor += _kept(line.added_tax_minor, line)
        goods_minor += _kept(payable_minor, line)
    return Totals(
        items_minor=items_minor,
        delivery_minor=order.delivery_minor,
        discount_minor=items_minor + added_minor - goods_minor + order.delivery_discount_minor,
        tax_minor=tax_minor + order.delivery_tax_minor,
        added_tax_minor=added_minor + (order.delivery_tax_minor if order.added_tax_minor else 0),
    )


def _kept(minor: int, line: SoldLine) -> int:
    gone, quantity = line.cancelled_quantity, line.quantity
    return minor - units_share_minor(minor=minor, quantity=quantity, gone=0, units=gone)
