"""What stands between the goods and the total, as pages and mails print it."""

from dataclasses import dataclass
from typing import Protocol

from orders.sentences import amount


class Sums(Protocol):
    """A group, an order, or what one would cost."""

    @property
    def items_minor(self) -> int:
        """Goods before discounts."""

    @property
    def delivery_minor(self) -> int:
        """Delivery before discounts."""

    @property
    def discount_minor(self) -> int:
        """What is taken off goods and delivery."""

    @property
    def tax_minor(self) -> int:
        """All tax."""

    @property
    def added_tax_minor(self) -> int:
        """What of it is not in the prices."""

    @property
    def total_minor(self) -> int:
        """Items + delivery - discount + added tax."""


@dataclass(frozen=True, slots=True)
class PrintedSums:
    """The amounts for people; '' for a discount or a tax of nothing.

    `tax` comes on top; `contained_tax` is in the total already.
    """

    items: str
    delivery: str
    discount: str
    tax: str
    contained_tax: str
    total: str


def printed(sums: Sums, currency: str) -> PrintedSums:
    """The sums in words for people."""

    def unless_nothing(minor: int) -> str:
        return amount(minor, currency) if minor else ""

    return PrintedSums(
        items=amount(sums.items_minor, currency),
        delivery=amount(sums.delivery_minor, currency),
        discount=unless_nothing(-sums.discount_minor),
        tax=unless_nothing(sums.added_tax_minor),
        contained_tax=unless_nothing(sums.tax_minor - sums.added_tax_minor),
        total=amount(sums.total_minor, currency),
    )
