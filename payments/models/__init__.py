"""All money: payments, store credit, refunds, the ledger, settlement, channels' lists, the bank."""

from payments.models.bank import (
    BankLine,
    BankStatement,
    LineMatch,
    ManualTransfer,
    SenderAccount,
)
from payments.models.chargeback import Chargeback, ChargebackShare
from payments.models.credit import CreditAccount, CreditEntry
from payments.models.fact import ChannelFact
from payments.models.ledger import LedgerAccount, LedgerEntry, LedgerTransaction
from payments.models.payment import Attempt, Capture, Payment, PaymentShare
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
    "BankLine",
    "BankStatement",
    "Capture",
    "ChannelFact",
    "ChannelRecord",
    "Chargeback",
    "ChargebackShare",
    "CreditAccount",
    "CreditEntry",
    "Difference",
    "DifferenceResolution",
    "LedgerAccount",
    "LedgerEntry",
    "LedgerTransaction",
    "LineMatch",
    "ManualTransfer",
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
    "SenderAccount",
    "Statement",
    "StatementEntry",
]
