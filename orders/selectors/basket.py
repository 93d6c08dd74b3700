"""What a cart holds and costs now: one reading for the pages that show it and for placing it."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from django.db.models import QuerySet

from catalog.models import Sku
from core.clock import BusinessNow
from delivery.services import Parcel, Quote
from orders.models import Cart, CartLine
from orders.pricing import Item, OrderPrice, order_prices
from orders.sentences import Problem, amount


def basket_lines(cart: Cart) -> QuerySet[CartLine]:
    """The cart's lines with all that prices them, in the order they were added.

    Each carries the business time of the reading as `moment`.
    """
    rows = CartLine.objects.filter(cart=cart).annotate(moment=BusinessNow()).order_by("pk")
    return rows.select_related("sku__product", "sku__merchant", "cart__customer")


def lines_by_merchant(lines: Iterable[CartLine]) -> dict[int, list[CartLine]]:
    """The lines of each merchant, merchants by id."""
    parts: dict[int, list[CartLine]] = defaultdict(list)
    for line in lines:
        parts[line.sku.merchant_id].append(line)
    return {merchant_id: parts[merchant_id] for merchant_id in sorted(parts)}


def parcels_of(
    lines: Iterable[CartLine], currency: str, methods: Mapping[int, int]
) -> list[Parcel]:
    """One parcel per merchant, for its delivery quote."""
    return [
        Parcel(
            merchant_id=merchant_id,
            currency=currency,
            goods_minor=sum(line.quantity * line.sku.price_minor for line in part),
            weight_g=sum(line.quantity * line.sku.weight_g for line in part),
            method_id=methods.get(merchant_id),
        )
        for merchant_id, part in lines_by_merchant(lines).items()
    ]


def basket_prices(lines: Sequence[CartLine], quotes: Mapping[int, Quote]) -> list[OrderPrice]:
    """What each merchant's part costs with its delivery, merchants by id."""
    merchants = {line.sku.merchant_id: line.sku.merchant for line in lines}
    return order_prices(
        [Item(line.sku.merchant_id, line.quantity, line.sku.price_minor) for line in lines],
        {merchant_id: quoted.amount_minor for merchant_id, quoted in quotes.items()},
        {merchant_id: m.commission_basis_points for merchant_id, m in merchants.items()},
    )


def line_title(line: CartLine) -> str:
    """The words that a line is sold by."""
    return title_of(line.sku)


def title_of(sku: Sku) -> str:
    """Product and variant."""
    return " · ".join(filter(None, (sku.product.title, sku.title)))


def line_problems(
    *, sku: Sku, quantity: int, seen_price_minor: int, left: int, where: str = ""
) -> Iterator[Problem]:
    """What stands in the way of so many units, or has changed since they were put in."""
    item = {"item": title_of(sku)}
    if not sku.for_sale or left < 1:
        yield Problem("line.gone", where, item)
        return
    if left < quantity:
        yield Problem("line.stock_short", where, {**item, "left": str(left), "old": str(quantity)})
    if sku.price_minor != seen_price_minor:
        old, new = (amount(minor, sku.currency) for minor in (seen_price_minor, sku.price_minor))
        yield Problem("line.price_changed", where, {**item, "old": old, "new": new})
