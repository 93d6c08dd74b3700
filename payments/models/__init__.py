"""All money: payments and attempts, refunds, the ledger, our account at the bank."""

from payments.models.bank import (
    BankLine,
    BankStatement,
    LineMatch,
    ManualTransfer,
    SenderAccount,
)
from payments.models.ledger import LedgerAccount, LedgerEntry, LedgerTransaction
from payments.models.payment import Attempt, Capture, ChannelFact, Payment, PaymentShare
from payments.models.refund import Refund, RefundShare

__all__ = [
    "Attempt",
    "BankLine",
    "BankStatement",
    "Capture",
    "ChannelFact",
    "LedgerAccount",
    "LedgerEntry",
    "LedgerTransaction",
    "LineMatch",
    "ManualTransfer",
    "Payment",
    "PaymentShare",
    "Refund",
    "RefundShare",
    "SenderAccount",
]
