"""What a cart holds and costs now: one reading for the pages that show it and for placing it."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from django.db.models import OuterRef, QuerySet, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce

from catalog.models import DELIVERY, STANDARD, Sku
from catalog.selectors import tax_ppm
from core.clock import BusinessNow
from delivery.services import Parcel, Quote
from orders.models import Cart, CartLine
from orders.pricing import Item, OrderPrice, Seller, VoucherTerms, order_prices
from orders.sentences import Problem, amount


def basket_lines(cart: Cart, address: Mapping[str, str] | None = None) -> QuerySet[CartLine]:
    """The cart's lines with all that prices them, in the order they were added.

    Each carries the business time of the reading as `moment`, and the tax of what goes to the
    address as `tax_ppm`, that of its delivery as `delivery_tax_ppm`: 0 while no country is known.
    """
    rows = CartLine.objects.filter(cart=cart).annotate(moment=BusinessNow()).order_by("pk")
    rows = rows.annotate(**_taxes(address or {}))
    return rows.select_related(
        *("sku__product", "sku__merchant", "cart__customer", "cart__voucher__merchant")
    )


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


def basket_prices(
    lines: Sequence[CartLine],
    quotes: Mapping[int, Quote],
    *,
    voucher: VoucherTerms | None = None,
) -> list[OrderPrice]:
    """What each merchant's part costs with its delivery, merchants by id, lines as they are given.

    The lines are those of `basket_lines`: they know their tax. No quote, no delivery yet.
    """
    first = {line.sku.merchant_id: line for line in reversed(lines)}
    return order_prices(
        [_item(line) for line in lines],
        {
            merchant_id: _seller(line, quotes.get(merchant_id))
            for merchant_id, line in first.items()
        },
        [voucher] if voucher else [],
    )


def _item(line: CartLine) -> Item:
    rate_ppm: int = line.tax_ppm  # type: ignore[attr-defined]
    return Item(line.sku.merchant_id, line.quantity, line.sku.price_minor, rate_ppm)


def _seller(line: CartLine, quoted: Quote | None) -> Seller:
    merchant = line.sku.merchant
    return Seller(
        commission_basis_points=merchant.commission_basis_points,
        commission_tax_ppm=merchant.commission_tax_ppm,
        prices_include_tax=merchant.prices_include_tax,
        delivery_minor=quoted.amount_minor if quoted else 0,
        delivery_tax_ppm=line.delivery_tax_ppm,  # type: ignore[attr-defined]
    )


def _taxes(address: Mapping[str, str]) -> dict[str, Combinable]:
    country, region = address.get("country", ""), address.get("region", "")
    if not country:
        return {"tax_ppm": Value(0), "delivery_tax_ppm": Value(0)}
    goods = Coalesce(OuterRef("sku__product__tax_class_id"), Value(STANDARD))
    return {
        "tax_ppm": tax_ppm(goods, country=country, region=region),
        "delivery_tax_ppm": tax_ppm(Value(DELIVERY), country=country, region=region),
    }


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
