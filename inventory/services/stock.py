"""Stock that comes, is corrected and moves: receive, adjust, transfer. Each is its own mirror."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor
from accounts.models import Merchant
from catalog.models import Sku
from core import clock
from core.command import command
from core.errors import Conflict, Invalid, NotFound
from inventory import selectors
from inventory.models import Location, StockItem, StockMovement
from inventory.services.counters import (
    MOST_UNITS,
    caller_key,
    move,
    require_quantity,
    write_once,
)

FIRST_LOCATION = ("main", "Main")
LONGEST_NOTE = 200
Reason = StockMovement.Reason
Place = tuple[int, int]  # SKU, location


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """Units of a SKU that have arrived; the key names the arrival. No location: the first one."""

    sku_id: int
    quantity: int
    dedup_key: str
    location_id: int | None = None


@command
def stock_receive(
    *, sku_id: int, quantity: int, dedup_key: str, actor: Actor, location_id: int | None = None
) -> int:
    """Adds units that have arrived; answers the stock item's id. Quiet when repeated with its key.

    Raises NotFound `sku.unknown`, `location.unknown`; Invalid `stock.quantity`, `stock.key`;
    Conflict `stock.key_reused`.
    """
    receipt = Receipt(
        sku_id=sku_id, quantity=quantity, dedup_key=dedup_key, location_id=location_id
    )
    return _receive([receipt], actor)[0].id


@command
def stock_receive_many(*, receipts: Sequence[Receipt], actor: Actor) -> None:
    """Receives thousands of SKUs at once, all or none, otherwise like `stock_receive`."""
    _receive(receipts, actor)


def _receive(receipts: Sequence[Receipt], actor: Actor) -> list[StockItem]:
    for receipt in receipts:
        require_quantity(receipt.quantity)
    places = _places(receipts)
    items = _items(places)
    moment = clock.now()
    movements = [
        _movement(
            items[place],
            Reason.RECEIVE,
            receipt.quantity,
            dedup_key=receipt.dedup_key,
            actor=actor,
            at=moment,
        )
        for place, receipt in zip(places, receipts, strict=True)
    ]
    _require_room(move(write_once(movements)))
    return [items[place] for place in places]


@command
def stock_adjust(
    *, stock_item_id: int, change: int, reason_note: str, dedup_key: str, actor: Actor
) -> None:
    """Corrects the units on hand by a difference. Quiet when repeated with the same key.

    Raises NotFound `stock.unknown`; Invalid `stock.change`, `stock.note`, `stock.key`; Conflict
    `stock.below_reserved` where less would be left than is promised, `stock.key_reused`.
    """
    if not 1 <= abs(change) <= MOST_UNITS:
        raise Invalid("stock.change", _("The change must not be 0."), change=change)
    if not 1 <= len(reason_note) <= LONGEST_NOTE:
        raise Invalid("stock.note", _("Say why, in up to 200 characters."))
    item = selectors.stock_item(stock_item_id)
    movement = _movement(
        item,
        Reason.ADJUST,
        change,
        dedup_key=dedup_key,
        actor=actor,
        at=clock.now(),
        note=reason_note,
    )
    stuck = move(write_once([movement]))
    if change < 0:
        _require_unreserved(item, stuck)
    _require_room(stuck)


@command
def stock_transfer(
    *, stock_item_id: int, to_location_id: int, quantity: int, dedup_key: str, actor: Actor
) -> int:
    """Moves units that nobody was promised to another place of the merchant; answers its item's id.

    Quiet when repeated with the same key. Raises NotFound `stock.unknown`, `location.unknown`;
    Invalid `stock.quantity`, `stock.same_location`, `stock.key`; Conflict `stock.below_reserved`,
    `stock.key_reused`.
    """
    require_quantity(quantity)
    source = selectors.stock_item(stock_item_id)
    if source.location_id == to_location_id:
        raise Invalid("stock.same_location", _("The goods are there already."))
    _require_locations({(to_location_id, source.merchant_id)})
    place = (source.sku_id, to_location_id)
    target = _items([place])[place]
    moment = clock.now()
    movements = [
        _movement(
            item,
            Reason.TRANSFER,
            change,
            dedup_key=f"{dedup_key}:{side}",
            actor=actor,
            at=moment,
        )
        for item, change, side in ((source, -quantity, "out"), (target, quantity, "in"))
    ]
    stuck = move(write_once(movements))
    _require_unreserved(source, stuck)
    _require_room(stuck)
    return target.id


def _places(receipts: Sequence[Receipt]) -> list[Place]:
    """Where each receipt goes; merchants without a location get their first."""
    merchants = dict(
        Sku.objects.filter(pk__in={receipt.sku_id for receipt in receipts}).values_list(
            "pk", "merchant_id"
        )
    )
    if unknown := {receipt.sku_id for receipt in receipts} - set(merchants):
        raise NotFound(
            "sku.unknown", _("There is no such article."), sku_ids=[str(i) for i in sorted(unknown)]
        )
    _require_locations(
        {(r.location_id, merchants[r.sku_id]) for r in receipts if r.location_id is not None}
    )
    first = _first_locations({merchants[r.sku_id] for r in receipts if r.location_id is None})
    return [(r.sku_id, r.location_id or first[merchants[r.sku_id]]) for r in receipts]


def _require_locations(wanted: Collection[tuple[int, int]]) -> None:
    """Raises unless each location is of that merchant."""
    known = Location.objects.filter(pk__in={location for location, _merchant in wanted})
    if set(wanted) - set(known.values_list("pk", "merchant_id")):
        raise NotFound("location.unknown", _("There is no such location."))


def _first_locations(merchant_ids: Collection[int]) -> dict[int, int]:
    found = _oldest_locations(merchant_ids)
    if missing := set(merchant_ids) - set(found):
        code, name = FIRST_LOCATION
        Location.objects.bulk_create(
            [Location(merchant_id=i, code=code, name=name) for i in sorted(missing)],
            ignore_conflicts=True,
        )
        found = _oldest_locations(merchant_ids)
    return found


def _oldest_locations(merchant_ids: Collection[int]) -> dict[int, int]:
    rows = Location.objects.filter(merchant_id__in=merchant_ids).order_by("-pk")
    return dict(rows.values_list("merchant_id", "pk"))


def _items(places: Collection[Place]) -> dict[Place, StockItem]:
    """The stock items of these places; missing ones are made, empty."""
    found = _known_items(places)
    if missing := set(places) - set(found):
        locations = Location.objects.select_related("merchant").in_bulk({p[1] for p in missing})
        StockItem.objects.bulk_create(
            [_empty_item(sku_id, locations[place]) for sku_id, place in sorted(missing)],
            ignore_conflicts=True,
        )
        found = _known_items(places)
    return found


def _known_items(places: Collection[Place]) -> dict[Place, StockItem]:
    rows = StockItem.objects.filter(sku_id__in={sku_id for sku_id, _location in places})
    return {(row.sku_id, row.location_id): row for row in rows}


def _empty_item(sku_id: int, location: Location) -> StockItem:
    merchant: Merchant = location.merchant
    return StockItem.build(merchant.shard_key, sku_id=sku_id, merchant=merchant, location=location)


def _movement(
    item: StockItem,
    reason: Reason,
    on_hand_change: int,
    *,
    dedup_key: str,
    actor: Actor,
    at: datetime,
    note: str = "",
) -> StockMovement:
    return StockMovement.build(
        item.shard_key,
        stock_item_id=item.id,
        on_hand_change=on_hand_change,
        reason=reason,
        note=note,
        dedup_key=caller_key(item.merchant_id, dedup_key),
        actor=str(actor),
        at=at,
    )


def _require_unreserved(item: StockItem, stuck: Collection[int]) -> None:
    if item.id in stuck:
        item.refresh_from_db()
        raise Conflict(
            "stock.below_reserved",
            _("Less would be left than is promised to orders."),
            stock_item_id=str(item.id),
            on_hand=item.on_hand,
            reserved=item.reserved,
        )


def _require_room(stuck: Collection[int]) -> None:
    if stuck:
        raise Conflict("stock.too_much", _("That is more than a stock item can hold."))
