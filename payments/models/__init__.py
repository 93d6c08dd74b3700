"""All money: payments and attempts, store credit, refunds, the ledger, settlement, channels' lists."""

from payments.models.credit import CreditAccount, CreditEntry
from payments.models.ledger import LedgerAccount, LedgerEntry, LedgerTransaction
from payments.models.payment import Attempt, Capture, ChannelFact, Payment, PaymentShare
from payments.models.reconcile import (
    ChannelRecord,
    Difference,
    DifferenceResolution,
    ReconciliationDay,
    ReconciliationRun,
    ReconciliationTotal,
)
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
    "ChannelRecord",
    "CreditAccount",
    "CreditEntry",
    "Difference",
    "DifferenceResolution",
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
    "ReconciliationDay",
    "ReconciliationRun",
    "ReconciliationTotal",
    "Refund",
    "RefundShare",
    "Statement",
    "StatementEntry",
]
