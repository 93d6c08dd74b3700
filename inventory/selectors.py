"""What can be had. Read without a lock: only the reservation itself decides."""

from collections.abc import Collection
from dataclasses import dataclass

from django.db.models import F, QuerySet
from django.utils.translation import gettext_lazy as _

from core.errors import NotFound
from inventory.models import StockItem


@dataclass(frozen=True, slots=True)
class StockOption:
    """The stock item to take a SKU from, and the units that are neither sold nor reserved."""

    stock_item_id: int
    shard_key: int
    available: int


def stock_for(sku_ids: Collection[int]) -> dict[int, StockOption]:
    """The stock item with the most available units of each SKU; one query.

    SKUs without a stock item are left out; an option may have nothing available.
    """
    rows = StockItem.objects.filter(sku_id__in=sku_ids).values_list(
        "sku_id", "id", "shard_key", "on_hand", "reserved"
    )
    options: dict[int, StockOption] = {}
    for sku_id, item_id, shard_key, on_hand, reserved in sorted(rows):
        option = StockOption(item_id, shard_key, on_hand - reserved)
        if sku_id not in options or option.available > options[sku_id].available:
            options[sku_id] = option
    return options


def available(sku_ids: Collection[int]) -> dict[int, int]:
    """How many units of each SKU one line can have at most; 0 for a SKU without stock."""
    options = stock_for(sku_ids)
    return {sku_id: options[sku_id].available if sku_id in options else 0 for sku_id in sku_ids}


def products_in_stock() -> QuerySet[StockItem, int]:
    """Ids of products of which at least one unit can be had; to be used inside another query."""
    rows = StockItem.objects.filter(on_hand__gt=F("reserved"))
    return rows.values_list("sku__product_id", flat=True)


def stock_item(stock_item_id: int) -> StockItem:
    """The stock item as it was at this moment. Raises NotFound `stock.unknown`."""
    item = StockItem.objects.filter(pk=stock_item_id).first()
    if item is None:
        raise NotFound("stock.unknown", _("There is no such stock."))
    return item
