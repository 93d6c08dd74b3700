"""All money: payments and attempts, store credit, refunds, the ledger."""

from payments.models.credit import CreditAccount, CreditEntry
from payments.models.ledger import LedgerAccount, LedgerEntry, LedgerTransaction
from payments.models.payment import Attempt, Capture, ChannelFact, Payment, PaymentShare
from payments.models.refund import Refund, RefundShare

__all__ = [
    "Attempt",
    "Capture",
    "ChannelFact",
    "CreditAccount",
    "CreditEntry",
    "LedgerAccount",
    "LedgerEntry",
    "LedgerTransaction",
    "Payment",
    "PaymentShare",
    "Refund",
    "RefundShare",
]
