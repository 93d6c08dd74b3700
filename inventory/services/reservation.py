"""Promises of stock to order lines: reserve, commit ↔ release, reduce; ship ↔ restock.

Parts of the services of `orders`: they need a running command, lock the reservations by id and move
the stock rows last, so the caller should commit at once after them.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import F, Sum
from django.utils.translation import gettext_lazy as _

from accounts.actors import Actor
from core import clock
from core.command import command
from core.errors import Conflict, ProgrammingMistake
from core.fsm import fire, start
from core.write import Addition, Write
from inventory import locks, selectors
from inventory.models import Reservation, StockItem, StockMovement
from inventory.services.counters import (
    caller_key,
    move,
    must_move,
    require_quantity,
    write_once,
)

ENOUGH = "r.on_hand - r.reserved >= a.amount"
Reason = StockMovement.Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Want:
    """Units of a SKU for an order line (`reference`), and the stock item to take them from."""

    reference: int
    sku_id: int
    stock_item_id: int
    shard_key: int
    quantity: int


def stock_reserve(
    *,
    wants: Sequence[Want],
    actor: Actor,
    at: datetime | None = None,
    write: Write | None = None,
) -> list[Reservation]:
    """Holds all that is wanted, or nothing.

    With `write` everything is only added to that statement, and its runner gives the short stock
    items to `require_stock`. Without it the statement runs at once.
    Locks the stock rows. Raises Conflict `stock.insufficient`.
    """
    for want in wants:
        require_quantity(want.quantity)
    own = write or Write()
    moment = at or clock.now()
    rows = [
        Reservation.build(
            want.shard_key,
            stock_item_id=want.stock_item_id,
            reference=want.reference,
            quantity=want.quantity,
        )
        for want in wants
    ]
    start(rows, verb="hold", actor=actor, at=moment, write=own)
    own.insert(*(_movement(row, Reason.RESERVE, actor, moment, row.quantity) for row in rows))
    amounts = Counter[int]()
    for want in wants:
        amounts[want.stock_item_id] += want.quantity
    own.add(Addition(StockItem, "reserved", amounts, ENOUGH))
    if write is None:
        require_stock(wants=wants, short=own.run())
    return rows


def stock_take(*, wants: Sequence[Want], actor: Actor) -> bool:
    """Holds and sells all that is wanted, without waiting for a payment: it has come.

    Locks the stock rows. Answers False where it can't all be had; the caller must then undo it.
    """
    moment = clock.now()
    rows = [
        Reservation.build(
            want.shard_key,
            stock_item_id=want.stock_item_id,
            reference=want.reference,
            quantity=want.quantity,
        )
        for want in wants
    ]
    start(rows, verb="hold", actor=actor, at=moment)
    fire(rows, verb="commit", actor=actor, at=moment)
    movements = [_movement(row, Reason.RESERVE, actor, moment, row.quantity) for row in rows]
    StockMovement.objects.bulk_create(movements)
    return not move(movements)


def require_stock(*, wants: Sequence[Want], short: Collection[int]) -> None:
    """Raises Conflict `stock.insufficient` with the SKUs of the stock items that were short."""
    if not short:
        return
    requested = Counter[int]()
    for want in wants:
        if want.stock_item_id in short:
            requested[want.sku_id] += want.quantity
    available = selectors.available(requested)
    raise Conflict(
        "stock.insufficient",
        _("There is not enough in stock."),
        lines=[
            {"sku_id": str(sku_id), "requested": quantity, "available": available[sku_id]}
            for sku_id, quantity in sorted(requested.items())
        ],
    )


def reservation_commit(*, references: Collection[int], actor: Actor) -> None:
    """Makes held units sold. Moves no counter; quiet where they are sold already.

    Locks the reservations. Raises Conflict `reservation.released` where there is nothing to commit.
    """
    rows = _live(references)
    fire([row for row in rows.values() if row.status == "held"], verb="commit", actor=actor)


def reservation_release(*, references: Collection[int], actor: Actor, reason: str) -> None:
    """Puts the units that have not left back on sale; quiet where they are already.

    Locks the reservations, then the stock rows. Raises Conflict `state.conflict` where all units of
    a line have left.
    """
    rows = list(locks.lock_reservations(references).values())
    units = _release_all(rows)
    fire(rows, verb="release", actor=actor, reason=reason)
    moment = clock.now()
    movements = [_movement(row, Reason.RELEASE, actor, moment, -units[row.pk]) for row in rows]
    StockMovement.objects.bulk_create(movements)
    must_move(movements)


def reservation_reduce(
    *, quantities: Mapping[int, int], actor: Actor, reason: str, restock: bool = True
) -> None:
    """Gives up some units per order line: back on sale, or without `restock` written off.

    A line of which no unit is left to ship ends, as shipped where units of it have left.
    Locks the reservations, then the stock rows. Raises Conflict `reservation.released`,
    `reservation.exceeded`.
    """
    rows = _live(quantities)
    for reference, row in rows.items():
        _require_outstanding(row, quantities[reference])
        _count(row, "released_quantity", quantities[reference])
    ended = [row for row in rows.values() if not row.outstanding]
    shipped = [row for row in ended if row.shipped_quantity]
    fire(shipped, verb="ship", actor=actor, reason=reason)
    unsold = [row for row in ended if not row.shipped_quantity]
    fire(unsold, verb="release", actor=actor, reason=reason)
    moment, why = clock.now(), Reason.RELEASE if restock else Reason.WRITE_OFF
    movements = [
        _movement(row, why, actor, moment, -quantities[reference])
        for reference, row in rows.items()
    ]
    StockMovement.objects.bulk_create(movements)
    must_move(movements)


def reservation_ship(*, quantities: Mapping[int, int], actor: Actor) -> None:
    """Takes shipped units, by order line, out of the stock; quiet for a line that has left whole.

    Locks the reservations, then the stock rows. Raises Conflict `reservation.released`,
    `reservation.exceeded` and, for units that are not paid, `state.conflict`.
    """
    rows = _live(quantities)
    leaving = {
        row: _require_shippable(row, quantities[reference])
        for reference, row in rows.items()
        if row.status != "shipped"
    }
    for row, quantity in leaving.items():
        _count(row, "shipped_quantity", quantity)
    fire([row for row in leaving if not row.outstanding], verb="ship", actor=actor)
    moment = clock.now()
    movements = [
        _movement(row, Reason.SHIP, actor, moment, -quantity) for row, quantity in leaving.items()
    ]
    StockMovement.objects.bulk_create(movements)
    must_move(movements)


@command
def stock_restock(
    *,
    quantity: int,
    dedup_key: str,
    actor: Actor,
    reference: int | None = None,
    stock_item_id: int | None = None,
) -> None:
    """Takes returned units back into stock: those of an order line, or any of a stock item.

    Quiet when repeated with the same key. Locks the line's reservations. Raises NotFound
    `stock.unknown`, Conflict `stock.key_reused` and, for a line, `stock.restock_exceeded`.
    """
    require_quantity(quantity)
    rows = locks.lock_history(reference) if reference is not None else []
    item_id = rows[-1].stock_item_id if rows else stock_item_id or 0
    movement = _restock(item_id, quantity, dedup_key, actor, clock.now(), reference)
    new = write_once([movement])
    if reference is not None:
        _require_shipped(reference, rows)
    if move(new):
        raise Conflict("stock.too_much", _("That is more than a stock item can hold."))


def reservation_restock(*, quantities: Mapping[int, int], dedup_key: str, actor: Actor) -> None:
    """The same for shipped units of several lines that came back together, as a part of a service.

    Raises also ProgrammingMistake for a line that nothing was reserved for.
    """
    rows = locks.lock_reservations(quantities)
    if set(quantities) - set(rows):
        raise ProgrammingMistake(f"lines {sorted(set(quantities) - set(rows))} never left")
    moment = clock.now()
    movements = [
        _restock(row.stock_item_id, quantities[line], f"{dedup_key}:{line}", actor, moment, line)
        for line, row in sorted(rows.items())
    ]
    new = write_once(movements)
    for line, row in rows.items():
        _require_shipped(line, [row])
    must_move(new)


def _restock(
    stock_item_id: int, quantity: int, key: str, actor: Actor, at: datetime, line: int | None
) -> StockMovement:
    item = selectors.stock_item(stock_item_id)
    return StockMovement.build(
        item.shard_key,
        stock_item_id=item.id,
        on_hand_change=quantity,
        reason=Reason.RESTOCK,
        dedup_key=caller_key(item.merchant_id, key),
        reference=line,
        actor=str(actor),
        at=at,
    )


def _live(references: Collection[int]) -> dict[int, Reservation]:
    rows = locks.lock_reservations(references)
    if missing := set(references) - set(rows):
        raise Conflict(
            "reservation.released",
            _("The goods are no longer reserved."),
            references=[str(reference) for reference in sorted(missing)],
        )
    return rows


def _require_outstanding(row: Reservation, quantity: int) -> None:
    require_quantity(quantity)
    if quantity > row.outstanding:
        raise Conflict(
            "reservation.exceeded",
            _("More units than are left to ship."),
            reference=str(row.reference),
            requested=quantity,
            outstanding=row.outstanding,
        )


def _require_shippable(row: Reservation, quantity: int) -> int:
    _require_outstanding(row, quantity)
    if not row.machine.may("ship", row.status):
        raise Conflict(
            "state.conflict",
            _("This is not possible in the present state."),
            noun=row.machine.noun,
            id=str(row.id),
            state=row.status,
            verb="ship",
        )
    return quantity


def _count(row: Reservation, counter: str, quantity: int) -> None:
    """Moves one of the counters of a locked row."""
    before = getattr(row, counter)
    changed = Reservation.objects.filter(
        pk=row.pk, shard_key=row.shard_key, **{counter: before}
    ).update(**{counter: F(counter) + quantity})
    if not changed:
        raise ProgrammingMistake(f"{row!r} changed under its lock")
    setattr(row, counter, before + quantity)


def _release_all(rows: Sequence[Reservation]) -> dict[int, int]:
    """Counts all that is outstanding of locked rows as released; answers how much, by row."""
    units = {row.pk: row.outstanding for row in rows}
    Reservation.objects.filter(
        pk__in=[row.pk for row in rows], shard_key__in={row.shard_key for row in rows}
    ).update(released_quantity=F("quantity") - F("shipped_quantity"))
    for row in rows:
        row.released_quantity += units[row.pk]
    return units


def _require_shipped(reference: int, rows: Sequence[Reservation]) -> None:
    """What came back of a line, with what is coming now, must have left before."""
    shipped = sum(row.shipped_quantity for row in rows)
    back = StockMovement.objects.filter(reference=reference, reason=Reason.RESTOCK).aggregate(
        units=Sum("on_hand_change")
    )["units"]
    if back > shipped:
        raise Conflict(
            "stock.restock_exceeded",
            _("More units than were shipped."),
            reference=str(reference),
            shipped=shipped,
        )


def _movement(
    row: Reservation, reason: Reason, actor: Actor, at: datetime, reserved_change: int
) -> StockMovement:
    """A step of a reservation in the journal. What ships, or is written off, leaves the shelf.

    The key counts the steps of the row by the units that have left it so far.
    """
    gone = row.shipped_quantity if reason is Reason.SHIP else row.released_quantity
    return StockMovement.build(
        row.shard_key,
        stock_item_id=row.stock_item_id,
        on_hand_change=reserved_change if reason in (Reason.SHIP, Reason.WRITE_OFF) else 0,
        reserved_change=reserved_change,
        reason=reason,
        dedup_key=f"{reason}:{row.id}" + (f":{gone}" if gone else ""),
        reference=row.reference,
        actor=str(actor),
        at=at,
    )
