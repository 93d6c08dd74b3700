"""What an order costs: pure integers in minor units, no database, no clock.

Everything is computed once, at placing, and stored: later refunds subtract and never split again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.money import share_half_up


@dataclass(frozen=True, slots=True)
class Item:
    """Some units of a SKU at a price."""

    merchant_id: int
    quantity: int
    unit_price_minor: int

    @property
    def total_minor(self) -> int:
        """Price of all the units."""
        return self.quantity * self.unit_price_minor


@dataclass(frozen=True, slots=True)
class OrderPrice:
    """One merchant's part: goods, delivery, and the commission frozen with them."""

    merchant_id: int
    items_minor: int
    delivery_minor: int
    commission_minor: int

    @property
    def total_minor(self) -> int:
        """What the buyer pays for this order."""
        return self.items_minor + self.delivery_minor


def order_prices(
    items: Sequence[Item],
    delivery_minor: Mapping[int, int],
    commission_basis_points: Mapping[int, int],
) -> list[OrderPrice]:
    """One price per merchant, in the order of the merchants' ids.

    Commission = half-up(items × basis points / 10,000): on goods, not on delivery.
    """
    goods: dict[int, int] = {}
    for item in items:
        goods[item.merchant_id] = goods.get(item.merchant_id, 0) + item.total_minor
    return [
        OrderPrice(
            merchant_id=merchant_id,
            items_minor=goods[merchant_id],
            delivery_minor=delivery_minor[merchant_id],
            commission_minor=share_half_up(
                goods[merchant_id], commission_basis_points[merchant_id]
            ),
        )
        for merchant_id in sorted(goods)
    ]


def units_share_minor(*, minor: int, quantity: int, gone: int, units: int) -> int:
    """What `units` more of a line's units are worth, of which `gone` went before.

    Each unit has its place in the cumulative sum, rounded down, so that any way of taking the units
    of a line one after the other ends at its amount, to the minor unit.
    """
    if not 0 <= gone <= gone + units <= quantity:
        raise ValueError(f"{gone} and {units} more of {quantity} units")
    return minor * (gone + units) // quantity - minor * gone // quantity
