"""What the pages of an order and of a group show; reads only."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import F, Q, Sum

from delivery.models import Shipment
from inventory.selectors import available
from orders.admin import words
from orders.models import Order, OrderGroup
from payments.models import Payment, PaymentShare, RefundShare
from payments.selectors import credits_by_order
from payments.services.split import SPLIT_OVER

# Where an order's money lies while it has not gone back: together they are its net.
HELD_IN = ("escrow", *SPLIT_OVER)


@dataclass(frozen=True, slots=True)
class MoneyCard:
    """The money of an order, and what the book says of it: they must agree."""

    currency: str
    captured_minor: int
    refunded_minor: int
    book_minor: int
    promised_minor: int = 0
    let_go_minor: int = 0

    @property
    def net_minor(self) -> int:
        return self.captured_minor - self.refunded_minor

    @property
    def agrees(self) -> bool:
        """The counters of the payment and the entries of the ledger are written apart."""
        return self.net_minor == self.book_minor

    @property
    def summary(self) -> OrderGroup.PaymentSummary:
        return words.payment_of_order(
            captured_minor=self.captured_minor,
            refunded_minor=self.refunded_minor,
            promised_minor=self.promised_minor,
        )

    def told(self) -> dict[str, str]:
        """The amounts as people read them."""
        amounts = {
            "captured": self.captured_minor,
            "refunded": self.refunded_minor,
            "net": self.net_minor,
            "book": self.book_minor,
            "promised": self.promised_minor,
            "let_go": self.let_go_minor,
        }
        return {name: words.amount(minor, self.currency) for name, minor in amounts.items()}


def money_card(orders: Sequence[Order], currency: str) -> MoneyCard:
    """The money of these orders of one group; what came twice is left out."""
    ids, shard_key = [order.id for order in orders], orders[0].shard_key
    shares = PaymentShare.objects.filter(order_id__in=ids, shard_key=shard_key).aggregate(
        captured=Sum(F("captured_minor") - F("charged_back_minor"), default=0),
        refunded=Sum("refunded_minor", default=0),
        let_go=Sum("voided_minor", default=0),
        untaken=Sum(
            F("authorised_minor") - F("captured_minor") - F("voided_minor"),
            filter=Q(authorised_minor__gt=0),
            default=0,
        ),
    )
    book = credits_by_order(shard_key=shard_key, order_ids=ids, currency=currency)
    return MoneyCard(
        currency=currency,
        captured_minor=shares["captured"],
        refunded_minor=shares["refunded"],
        book_minor=sum(book[order_id][code] for order_id in ids for code in HELD_IN),
        promised_minor=shares["untaken"],
        let_go_minor=shares["let_go"],
    )


def terms_of(order: Order) -> dict[str, str]:
    """What was frozen of an order for its completion, '' where it is nothing."""
    amounts = {
        "commission": order.commission_minor,
        "commission_tax": order.commission_tax_minor,
        "subsidy": order.subsidy_minor,
    }
    return {
        name: words.amount(minor, order.currency) if minor else ""
        for name, minor in amounts.items()
    }


def refundable_minor_of(order: Order) -> int:
    """What of an order's money can still go back, as it is now."""
    left: int = PaymentShare.objects.filter(order_id=order.id, shard_key=order.shard_key).aggregate(
        left=Sum(F("captured_minor") - F("refunded_minor") - F("charged_back_minor"), default=0)
    )["left"]
    return left


def stamp_of(order: Order) -> str:
    """Changes with every step, every unit that leaves and every amount that goes back."""
    shipped = order.lines.aggregate(units=Sum("shipped_quantity", default=0))["units"]
    return f"{order.version}.{shipped}.{refundable_minor_of(order)}"


def lines_of(order: Order) -> list[dict[str, Any]]:
    """The order's lines as they were sold, and what else of each article can be had."""
    lines = list(order.lines.order_by("id"))
    in_stock = available([line.sku_id for line in lines])
    return [
        {
            "in_stock": in_stock[line.sku_id],
            "title": line.title,
            "sku_code": line.sku_code,
            "quantity": line.quantity,
            "shipped": line.shipped_quantity,
            "cancelled": line.cancelled_quantity,
            "price": words.amount(line.unit_price_minor, order.currency),
            "total": words.amount(line.total_minor, order.currency),
        }
        for line in lines
    ]


def refunds_of(orders: Sequence[Order]) -> list[dict[str, str]]:
    """What goes or went back of these orders of one group."""
    shard_key = orders[0].shard_key
    parts = RefundShare.objects.filter(
        order_id__in=[order.id for order in orders], shard_key=shard_key
    )
    return [
        {
            "state": part.refund.status,
            "amount": words.amount(part.amount_minor, part.refund.currency),
            "reason": part.refund.reason,
        }
        for part in parts.select_related("refund").order_by("id")
    ]


def parcels_of(order: Order) -> list[dict[str, Any]]:
    """The order's parcels with what is in them and what carriers said."""
    titles = {line.id: line.title for line in order.lines.all()}
    rows = Shipment.objects.filter(reference=order.id, shard_key=order.shard_key)
    return [
        {
            "shipment": row,
            "state": row.status.replace("_", " "),
            "lines": [(line.quantity, titles.get(line.reference, "")) for line in row.lines.all()],
            "events": sorted(row.parcel_events.all(), key=lambda event: (event.at, event.id)),
        }
        for row in rows.prefetch_related("lines", "parcel_events").order_by("id")
    ]


def payments_of(group: OrderGroup) -> list[Payment]:
    """The group's payments with their attempts."""
    rows = Payment.objects.filter(reference=group.id, shard_key=group.shard_key)
    return list(rows.prefetch_related("attempts").order_by("id"))
