"""All money: payments and attempts, refunds, the ledger."""

from payments.models.ledger import LedgerAccount, LedgerEntry, LedgerTransaction
from payments.models.payment import Attempt, ChannelFact, Payment, PaymentShare
from payments.models.refund import Refund, RefundShare

__all__ = [
    "Attempt",
    "ChannelFact",
    "LedgerAccount",
    "LedgerEntry",
    "LedgerTransaction",
    "Payment",
    "PaymentShare",
    "Refund",
    "RefundShare",
]
