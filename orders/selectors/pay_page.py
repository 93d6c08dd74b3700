"""What the pay page shows: the amount, the time that is left, the tries so far and how they stand."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.translation import gettext_lazy as _

from accounts.models import Customer
from core import clock
from orders import states, words
from orders.models import OrderGroup
from orders.selectors.transfers import Instructions, instructions_for
from orders.sentences import Problem, amount
from payments.channels import bank_transfer, cash_on_delivery, sandbox
from payments.models import Attempt
from payments.selectors import attempts_of, credit_minor, credit_spent_minor

# What a channel's reason means for the shopper, who is told what to do and never the reason.
ADVICE = {
    "refused": "payment.refused_try_other",
    "insufficient_funds": "payment.refused_try_other",
    "challenge_failed": "payment.contact_bank",
    "invalid_card": "payment.check_details",
    # Stripe's.
    "generic_decline": "payment.refused_try_other",
    "do_not_honor": "payment.refused_try_other",
    "authentication_required": "payment.contact_bank",
    "expired_card": "payment.check_details",
    "incorrect_cvc": "payment.check_details",
    "incorrect_number": "payment.check_details",
    "amount_not_possible": "payment.other_method",
}

METHODS = {
    sandbox.NAME: _("Card"),
    sandbox.TRANSFER: _("Bank transfer"),
    cash_on_delivery.NAME: _("Cash on delivery"),
    bank_transfer.NAME: _("Bank transfer"),
}


@dataclass(frozen=True, slots=True)
class Try:
    """One try at paying."""

    attempt: Attempt

    @property
    def word(self) -> str:
        """How it stands."""
        return str(words.ATTEMPT[self.attempt.status][0])

    @property
    def method(self) -> str:
        """How it was to be paid."""
        return str(METHODS.get(self.attempt.channel, METHODS[sandbox.NAME]))

    @property
    def mood(self) -> str:
        """Whether that is good, waits, or is bad."""
        return words.ATTEMPT[self.attempt.status][1]


@dataclass(frozen=True, slots=True)
class PayPage:
    """A group that waits for its money, at a moment of business time.

    `transfer` is what the buyer has to give to their bank, where the money is to be sent by hand.
    """

    group: OrderGroup
    moment: datetime
    tries: list[Try]
    transfer: Instructions | None
    # What the shopper, where they are known, has and has spent on this.
    credit_minor: int = 0
    credit_spent_minor: int = 0

    @property
    def credit(self) -> str:
        """How much store credit can be used here; '' where there is none."""
        minor = self.usable_credit_minor
        return amount(minor, self.group.currency) if minor else ""

    @property
    def usable_credit_minor(self) -> int:
        """No more of it than there is to pay."""
        return min(self.credit_minor, self.group.payable_minor)

    @property
    def credit_pays_all(self) -> bool:
        """Nothing else is needed."""
        return bool(self.usable_credit_minor) and self.credit_minor >= self.group.payable_minor

    @property
    def spent_credit(self) -> str:
        """What store credit pays of this; '' where it pays nothing."""
        return (
            amount(self.credit_spent_minor, self.group.currency) if self.credit_spent_minor else ""
        )

    @property
    def amount(self) -> str:
        """What is to be paid."""
        return amount(self.group.payable_minor, self.group.currency)

    @property
    def left(self) -> timedelta:
        """How much time there is; never below zero."""
        return max(self.group.pay_before - self.moment, timedelta(0))

    @property
    def seconds_left(self) -> int:
        """The same in whole seconds, the one that has begun counted."""
        return math.ceil(self.left.total_seconds())

    @property
    def minutes_left(self) -> int:
        """The same in whole minutes."""
        return math.ceil(self.left.total_seconds() / 60)

    @property
    def can_be_extended(self) -> bool:
        """The shopper may ask for more time, now or in the last minutes."""
        return not self.is_over and self.group.extensions_left > 0

    @property
    def seconds_to_extension(self) -> int:
        """When that is; 0 from then on."""
        return max(0, self.seconds_left - int(states.EXTENDABLE_WITHIN.total_seconds()))

    @property
    def has_days(self) -> bool:
        """The deadline is on another day, so that the time of day does not tell it."""
        return self.left > timedelta(hours=12)

    @property
    def is_over(self) -> bool:
        """Nobody can begin to pay any more."""
        return self.group.status != states.PENDING_PAYMENT or not self.left

    @property
    def is_released(self) -> bool:
        """The group has come to nothing, so its goods are on sale again."""
        return self.group.status in states.GROUP.in_chapter("ended")

    @property
    def has_come_late(self) -> bool:
        """Money came all the same; it goes back, and the order's page tells of it."""
        return self.is_released and any(each.attempt.status == "succeeded" for each in self.tries)

    @property
    def open_try(self) -> Attempt | None:
        """The one whose outcome is not known yet."""
        return next((each.attempt for each in self.tries if each.attempt.is_live), None)

    @property
    def has_succeeded(self) -> bool:
        """The money has come; the group learns of it by the event."""
        if self.credit_spent_minor >= self.group.payable_minor > 0:
            return True
        return any(each.attempt.status == "succeeded" for each in self.tries)

    @property
    def advice(self) -> Problem | None:
        """What to do about the last try, where it failed."""
        last = self.tries[-1].attempt if self.tries else None
        if last is None or last.status != "failed":
            return None
        return Problem(ADVICE.get(last.failure_code, "payment.try_again"))


def pay_page(group: OrderGroup, *, owner: Customer | None = None) -> PayPage:
    """The page of that group; two queries, one once there was a try, two of a bank transfer.

    `owner` is its customer, where that is proved to be who looks: two more, for their store credit.
    """
    attempts = attempts_of(group.pk)
    moment = attempts[0].moment if attempts else clock.now()  # type: ignore[attr-defined]
    tries = [Try(attempt) for attempt in attempts]
    transfer = instructions_for(attempts[-1]) if attempts else None
    if owner is None:
        return PayPage(group, moment, tries, transfer)
    has_minor = credit_minor(
        customer_id=owner.pk, shard_key=group.shard_key, currency=group.currency
    )
    return PayPage(group, moment, tries, transfer, has_minor, credit_spent_minor(group.pk))
