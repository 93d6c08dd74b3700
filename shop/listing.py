"""A page of goods: what its address asks for, and what the filter form shows of that."""

from dataclasses import dataclass, field, replace
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext as _

from catalog.models import Product
from catalog.search import LARGEST_COUNT, Found, Sort, Wanted, find
from core.money import InvalidAmount, parse
from inventory.selectors import available, products_in_stock
from shop.cached import MerchantEntry, merchants

LONGEST_TEXT = 100
IN_STOCK = "yes"


@dataclass(frozen=True, slots=True)
class Listing:
    """The filter as it was asked for, its errors by field, and the goods that it finds."""

    wanted: Wanted
    given: QueryDict
    found: Found
    sellers: list[MerchantEntry]
    errors: dict[str, str] = field(default_factory=dict)
    stock: dict[int, int] = field(default_factory=dict)

    @property
    def count_text(self) -> str:
        """How many there are; nobody counts on beyond a hundred."""
        if self.found.count > LARGEST_COUNT:
            return _("More than %(count)s products") % {"count": LARGEST_COUNT}
        if self.found.count == 1:
            return _("1 product")
        return _("%(count)s products") % {"count": self.found.count}

    @property
    def next_query(self) -> str:
        """The query string of the next page; '' where this is the last."""
        return self._query(after=self.found.after) if self.found.after else ""

    @property
    def filtered(self) -> bool:
        """Whether the form narrows the list."""
        names = ("merchant", "lowest", "highest", "currency", "stock")
        return any(self.given.get(name) for name in names)

    @property
    def currencies(self) -> list[str]:
        """Those in which somebody sells."""
        return sorted({seller.currency for seller in self.sellers})

    @property
    def sorts(self) -> list[tuple[str, Any]]:
        """The orders to choose from; the best match needs words to match."""
        return [(s.value, s.label) for s in Sort if self.wanted.text or s != Sort.BEST]

    def _query(self, **changes: str) -> str:
        query = self.given.copy()
        for name, value in changes.items():
            query[name] = value
        return query.urlencode()


def listing(given: QueryDict, fixed: Wanted) -> Listing:
    """The goods of a page: `fixed` by its address, narrowed by its form. Five queries."""
    sellers = merchants()
    wanted, errors = _narrowed(given, fixed, sellers)
    found = find(wanted=wanted, after=given.get("after", ""))
    return Listing(wanted, given, found, sellers, errors, _stock(found.products))


def _stock(products: list[Product]) -> dict[int, int]:
    """The units of each product's best stocked SKU."""
    units = available({sku.pk for product in products for sku in product.skus.all()})
    return {
        product.pk: max((units[sku.pk] for sku in product.skus.all()), default=0)
        for product in products
    }


def _narrowed(
    given: QueryDict, fixed: Wanted, sellers: list[MerchantEntry]
) -> tuple[Wanted, dict[str, str]]:
    seller = next((s for s in sellers if s.slug == given.get("merchant")), None)
    merchant_id = fixed.merchant_id or (seller.id if seller else None)
    sort = _sort(given.get("sort", ""), fixed)
    bounds = {name: given.get(name, "").strip() for name in ("lowest", "highest")}
    of_sellers = [s.currency for s in sellers if merchant_id in (None, s.id)]
    currency = given.get("currency", "")
    if currency not in of_sellers:
        # Prices compare in one currency only: that of the most merchants, unless one is chosen.
        compared = any(bounds.values()) or sort in (Sort.CHEAPEST, Sort.DEAREST)
        currency = max(of_sellers, key=of_sellers.count) if compared and of_sellers else ""
    amounts, errors = _amounts(bounds, currency)
    return (
        replace(
            fixed,
            merchant_id=merchant_id,
            currency=currency,
            lowest_minor=amounts.get("lowest"),
            highest_minor=amounts.get("highest"),
            among=products_in_stock() if given.get("stock") == IN_STOCK else None,
            sort=sort,
        ),
        errors,
    )


def _sort(text: str, fixed: Wanted) -> Sort:
    if text in Sort.values and (fixed.text or text != Sort.BEST):
        return Sort(text)
    return Sort.BEST if fixed.text else Sort.NEWEST


def _amounts(bounds: dict[str, str], currency: str) -> tuple[dict[str, int], dict[str, str]]:
    amounts, errors = {}, {}
    for name, text in bounds.items():
        if not (text and currency):
            continue
        try:
            amounts[name] = parse(text.replace(",", "."), currency).amount_minor
        except InvalidAmount:
            errors[name] = _("Enter a price in %(currency)s, like 25") % {"currency": currency}
    return amounts, errors
