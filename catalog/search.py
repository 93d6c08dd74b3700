"""Finding goods: by words, merchant, category and price, in an order that pages can follow."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.contrib.postgres.search import CombinedSearchQuery, SearchQuery
from django.db import models
from django.db.models import Case, F, Func, OuterRef, Q, QuerySet, Subquery, Value, When
from django.utils.translation import gettext_lazy as _

from accounts.models import Merchant
from catalog.models import Product, Sku, words_in
from catalog.selectors import PRODUCTS_PER_PAGE, published

# Enough to tell few from many; counting on would read every match.
LARGEST_COUNT = 100
MOST_WORDS = 8
LONGEST_WORD = 50
LARGEST_ID = 2**63

WordQuery = SearchQuery | CombinedSearchQuery


class Sort(models.TextChoices):
    """The orders in which goods are listed."""

    BEST = "best", _("Best match")
    NEWEST = "newest", _("Newest")
    CHEAPEST = "cheapest", _("Price, lowest first")
    DEAREST = "dearest", _("Price, highest first")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is looked for; what is left empty does not narrow.

    A price is the lowest of a product's, in `currency`: without one, prices do not compare.
    `among` answers ids of products that another app has chosen.
    """

    text: str = ""
    merchant_id: int | None = None
    category_path: str = ""
    currency: str = ""
    lowest_minor: int | None = None
    highest_minor: int | None = None
    among: QuerySet[Any, Any] | None = None
    sort: Sort = Sort.NEWEST


@dataclass(frozen=True, slots=True)
class Found:
    """One page of goods; `after` begins the next one ('' at the end).

    `count` is that of all pages, and `LARGEST_COUNT` + 1 where there are more than that.
    """

    products: list[Product]
    after: str
    count: int


def find(*, wanted: Wanted, after: str = "", limit: int = PRODUCTS_PER_PAGE) -> Found:
    """One page of what is on sale, with SKUs and pictures: four queries.

    `after` is what the page before answered; anything else begins at the start.
    """
    rows = _matching(wanted)
    count = rows.order_by()[: LARGEST_COUNT + 1].count()
    rows = (
        rows.alias(title_words=words_in("title")).annotate(key=_key(wanted)).order_by("-key", "-id")
    )
    if position := _position(after, wanted.sort):
        key, last_id = position
        rows = rows.filter(key__lte=key).filter(Q(key__lt=key) | Q(id__lt=last_id))
    found: list[Product] = list(rows[: limit + 1])
    products = found[:limit]
    return Found(products, _after(products[-1]) if len(found) > limit else "", count)


def _matching(wanted: Wanted) -> QuerySet[Product]:
    rows = published().alias(
        lowest_minor=Subquery(
            Sku.objects.filter(product=OuterRef("pk"), active=True)
            .order_by("price_minor")
            .values("price_minor")[:1]
        )
    )
    given: dict[str, Any] = {
        "merchant_id": wanted.merchant_id,
        "category__path__startswith": wanted.category_path or None,
        "merchant__currency": wanted.currency or None,
        "lowest_minor__gte": wanted.lowest_minor,
        "lowest_minor__lte": wanted.highest_minor,
        "pk__in": wanted.among,
    }
    rows = rows.filter(**{name: value for name, value in given.items() if value is not None})
    if wanted.sort in (Sort.CHEAPEST, Sort.DEAREST):
        rows = rows.filter(lowest_minor__isnull=False)
    return _with_words(rows, wanted.text)


def _with_words(rows: QuerySet[Product], text: str) -> QuerySet[Product]:
    """Each word stands in the product's own text, or in its merchant's name."""
    rows = rows.alias(words=words_in("title", "description"))
    for query in word_queries(text):
        sellers = Merchant.objects.alias(words=words_in("name")).filter(words=query)
        rows = rows.filter(Q(words=query) | Q(_one_of("merchant_id", sellers)))
    return rows


def _one_of(field: str, rows: QuerySet[Any]) -> Func:
    """`field = ANY (ARRAY (SELECT id …))`: found first, so that an index serves it beside an OR."""
    return Func(
        F(field),
        ArraySubquery(rows.values("pk")),
        template="(%(expressions)s))",
        arg_joiner=" = ANY (",
        output_field=models.BooleanField(),
    )


def word_queries(text: str) -> list[WordQuery]:
    """A query per word: as it is written, and by its English stem; the last may be unfinished."""
    words = [word[:LONGEST_WORD] for word in re.findall(r"\w+", text)[:MOST_WORDS]]
    if not words:
        return []
    exact: list[WordQuery] = [
        SearchQuery(word, config="simple") | SearchQuery(word, config="english") for word in words
    ]
    # Letters, digits and underscores only: nothing of the query language is among them.
    exact[-1] = exact[-1] | SearchQuery(f"{words[-1]}:*", config="simple", search_type="raw")
    return exact


def _key(wanted: Wanted) -> Any:
    """What the list is sorted by, the greatest first."""
    if wanted.sort == Sort.CHEAPEST:
        return Value(0) - F("lowest_minor")
    if wanted.sort == Sort.DEAREST:
        return F("lowest_minor")
    queries = word_queries(wanted.text)
    if wanted.sort == Sort.NEWEST or not queries:
        return F("published_at")
    all_in_title = Q(*(Q(title_words=query) for query in queries))
    return Case(When(all_in_title, then=Value(1)), default=Value(0))


def _after(product: Product) -> str:
    key = product.key  # type: ignore[attr-defined]
    return f"{key.isoformat() if isinstance(key, datetime) else key}_{product.pk}"


def _position(after: str, sort: Sort) -> tuple[Any, int] | None:
    key, _separator, last_id = after.rpartition("_")
    try:
        place = datetime.fromisoformat(key) if sort == Sort.NEWEST else int(key)
        if isinstance(place, datetime) and place.utcoffset() is None:
            return None
        return (place, int(last_id)) if int(last_id) < LARGEST_ID else None
    except ValueError:
        return None
