"""Row locks of the stock; their place in the global order stands in `orders/locks.py`."""

from collections.abc import Collection

from core.locks import locked
from inventory.models import Reservation


def lock_reservations(references: Collection[int]) -> dict[int, Reservation]:
    """Locks the reservations of these order lines that are not released; answers them by line."""
    rows = Reservation.objects.filter(reference__in=references).exclude(status="released")
    return {row.reference: row for row in locked(rows)}


def lock_history(reference: int) -> list[Reservation]:
    """Locks all reservations that an order line ever had, released ones too."""
    return locked(Reservation.objects.filter(reference=reference))
