"""Small lists that every page needs and that change rarely: read once a minute per process."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from django.core.cache import cache

from accounts.models import Merchant
from catalog.models import Category

SECONDS = 60
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CategoryEntry:
    """A category in the tree; those below it have a path that begins with its own."""

    slug: str
    name: str
    path: str
    depth: int


@dataclass(frozen=True, slots=True)
class MerchantEntry:
    """A merchant that sells."""

    id: int
    slug: str
    name: str
    country: str
    currency: str
    return_window_days: int


def categories() -> list[CategoryEntry]:
    """The whole tree, in its order."""
    return _kept("shop.categories", _read_categories)


def merchants() -> list[MerchantEntry]:
    """Who may sell, by name."""
    return _kept("shop.merchants", _read_merchants)


def _kept(key: str, read: Callable[[], list[T]]) -> list[T]:
    return cache.get_or_set(key, read, SECONDS) or []


def _read_categories() -> list[CategoryEntry]:
    rows = Category.objects.order_by("path").values_list("slug", "name", "path", "depth")
    return [CategoryEntry(*row) for row in rows]


def _read_merchants() -> list[MerchantEntry]:
    rows = Merchant.objects.filter(state=Merchant.State.ACTIVE).order_by("name")
    fields = ("pk", "slug", "name", "country", "currency", "return_window_days")
    return [MerchantEntry(*row) for row in rows.values_list(*fields)]
