"""All money: payments and attempts, refunds, the ledger, statements and payouts."""

from payments.models.ledger import LedgerAccount, LedgerEntry, LedgerTransaction
from payments.models.payment import Attempt, Capture, ChannelFact, Payment, PaymentShare
from payments.models.refund import Refund, RefundShare
from payments.models.settlement import (
    MerchantAccount,
    Payout,
    PayoutApproval,
    PayoutFact,
    PayoutHold,
    Statement,
    StatementEntry,
)

__all__ = [
    "Attempt",
    "Capture",
    "ChannelFact",
    "LedgerAccount",
    "LedgerEntry",
    "LedgerTransaction",
    "MerchantAccount",
    "Payment",
    "PaymentShare",
    "Payout",
    "PayoutApproval",
    "PayoutFact",
    "PayoutHold",
    "Refund",
    "RefundShare",
    "Statement",
    "StatementEntry",
]
