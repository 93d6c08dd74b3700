"""All money: payments and attempts, refunds, the ledger."""

from payments.models.ledger import LedgerAccount, LedgerEntry, LedgerTransaction
from payments.models.payment import Attempt, Capture, ChannelFact, Payment, PaymentShare
from payments.models.refund import Refund, RefundShare

__all__ = [
    "Attempt",
    "Capture",
    "ChannelFact",
    "LedgerAccount",
    "LedgerEntry",
    "LedgerTransaction",
    "Payment",
    "PaymentShare",
    "Refund",
    "RefundShare",
]
