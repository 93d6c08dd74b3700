"""Stock: `reservation` promises and ships it to order lines, `stock` receives and corrects it."""

from inventory.services.reservation import (
    Want,
    require_stock,
    reservation_commit,
    reservation_reduce,
    reservation_release,
    reservation_restock,
    reservation_ship,
    stock_reserve,
    stock_restock,
    stock_take,
)
from inventory.services.stock import (
    Receipt,
    stock_adjust,
    stock_receive,
    stock_receive_many,
    stock_transfer,
)

__all__ = [
    "Receipt",
    "Want",
    "require_stock",
    "reservation_commit",
    "reservation_reduce",
    "reservation_release",
    "reservation_restock",
    "reservation_ship",
    "stock_adjust",
    "stock_receive",
    "stock_receive_many",
    "stock_reserve",
    "stock_restock",
    "stock_take",
    "stock_transfer",
]
