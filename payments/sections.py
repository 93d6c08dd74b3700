"""What a ledger entry counts as on a merchant's statement: the one table that says it.

A posting that moves a merchant's balance is told by its other legs (what was sold, what the house
kept); one that has none of the merchant's, by the move itself.
"""

from enum import StrEnum

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class Section(StrEnum):
    """The numbers of a statement between its balances, from the top."""

    SALES = "sales"
    DELIVERY = "delivery"
    REFUNDS = "refunds"
    COMMISSION = "commission"
    TAX = "tax"
    SUBSIDIES = "subsidies"
    ADJUSTMENTS = "adjustments"
    PAYOUTS = "payouts"


WORDS: dict[Section, str | Promise] = {
    Section.SALES: _("Sales"),
    Section.DELIVERY: _("Delivery"),
    Section.REFUNDS: _("Refunds"),
    Section.COMMISSION: _("Commission"),
    Section.TAX: _("Tax on commission"),
    Section.SUBSIDIES: _("Voucher subsidies"),
    Section.ADJUSTMENTS: _("Adjustments"),
    Section.PAYOUTS: _("Payouts"),
}

# Completion takes an order's goods out of escrow first, and its delivery as a leg of its own.
DELIVERY_LEG = "escrow:delivery"
ANY = ""  # every other account of that kind of posting

_HOUSE = {
    "commission_income": Section.COMMISSION,
    "tax_payable": Section.TAX,
    "voucher_cost": Section.SUBSIDIES,
}
_REFUND = {**_HOUSE, ANY: Section.REFUNDS}
_PAYOUT = {ANY: Section.PAYOUTS}

# Kind of posting → account → section. What stands nowhere here is an adjustment: chargebacks and
# their reversals, and a negative balance that is made explicit or netted.
TABLE: dict[str, dict[str, Section]] = {
    "completion": {"escrow": Section.SALES, DELIVERY_LEG: Section.DELIVERY, **_HOUSE},
    "refund_approved": _REFUND,
    "refund_failed": _REFUND,
    "payout_approved": _PAYOUT,
    "payout_failed": _PAYOUT,
}
PAYOUT_KINDS = tuple(kind for kind, sections in TABLE.items() if sections == _PAYOUT)
